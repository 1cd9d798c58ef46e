/* SPDX-License-Identifier: Apache-2.0 */
/* Archives made by hand, honest or not. Everything is appended to a buffer; there is no compression
 * but that of runs of zeros. */
#pragma once

#include "common/base/buf.h"

/* ---- tar ---- */

#define MAKE_TAR_FILE    '0'
#define MAKE_TAR_HARD    '1'
#define MAKE_TAR_SYMLINK '2'
#define MAKE_TAR_CHAR    '3'
#define MAKE_TAR_BLOCK   '4'
#define MAKE_TAR_DIR     '5'
#define MAKE_TAR_FIFO    '6'
#define MAKE_TAR_PAX     'x'
#define MAKE_TAR_GLOBAL  'g'
#define MAKE_TAR_LONG    'L' /* GNU: the data is the name of the next entry */
#define MAKE_TAR_SPARSE  'S'

struct make_tar {
	const char *name;
	char type; /* 0: MAKE_TAR_FILE */
	const char *link;
	const void *data;
	size_t n;
	bool lies; /* `says` is in the header instead of `n` */
	uint64_t says;
	bool bad_sum;
};

void make_tar(struct buf *out, const struct make_tar *t);
/* A file of text. */
void make_tar_text(struct buf *out, const char *name, const char *text);
/* A pax header "key=value" for the next entry. */
void make_tar_pax(struct buf *out, const char *key, const char *value);
/* Two blocks of zeros. */
void make_tar_end(struct buf *out);

/* ---- gzip ---- */

/* One member, its data stored. */
void make_gzip(struct buf *out, const void *data, size_t n);
/* One member of at least `n` zeros, about 158 times smaller; `sound`: with its true checksum, which
 * takes a while. */
void make_gzip_zeros(struct buf *out, size_t n, bool sound);

/* ---- zip ---- */

struct make_zip {
	const char *name;
	const void *data; /* as it stands in the zip */
	size_t n;
	unsigned method;   /* 0 stored, 8 deflated */
	unsigned flags;    /* 1 encrypted, 8 sizes behind the data, 0x800 UTF-8 */
	unsigned mode;     /* of Unix; 0: none said */
	size_t unpacked_n; /* 0: n */
	unsigned crc;      /* 0: that of `data` */
	bool only_listed;  /* no local header: at the place of the entry before */
};

struct make_zip_list {
	struct buf central;
	unsigned n;
	size_t last; /* where the last entry begins */
};

void make_zip(struct buf *out, struct make_zip_list *list, const struct make_zip *z);
void make_zip_text(struct buf *out, struct make_zip_list *list, const char *name, const char *text);
/* Directory and end record. */
void make_zip_end(struct buf *out, struct make_zip_list *list, const char *comment);
/* At least `n` zeros, deflated; gives how many, and their checksum (unless NULL). */
size_t make_zip_zeros(struct buf *out, size_t n, unsigned *ret_crc);
