/* SPDX-License-Identifier: Apache-2.0 */
/* An upload from its first file to its version; shared by the upload_*.c files only. */
#pragma once

#include "common/ingest/archive.h"
#include "common/registry/registry_internal.h"
#include "common/registry/registry_limits.h"
#include "common/store/catalog_job.h"

struct upload_file {
	char *part_name; /* as the client called it; "" for none */
	char *filename;
	struct blob_writer *writer; /* that just received it; NULL: it is a blob of the store */
	struct blob_key stored;     /* then */
	struct digest digest;
	uint64_t size;
	char *path; /* in the version; NULL until upload_paths_decide() */
};

/* What `f` owns is freed; it is all zero after. */
void upload_file_done(struct upload_file *f);

struct upload_scan;

struct upload_expected {
	struct upload_expected *next;
	struct digest digest;
	char path[]; /* without "./" */
};

/* Used by one thread at a time, but for what upload_scan.c does. Every file in `files` has arrived
 * whole; the one that is arriving is `arriving`, its names in the slot behind the last file. */
struct upload {
	struct registry *registry;
	struct registry_limits *limits; /* of its beginning; a reference */
	char name[REF_NAME_MAX + 1];
	char label[REF_LABEL_MAX + 1]; /* to move to the version; "" for none */
	char who[CATALOG_WHO_MAX + 1];
	char *source_url; /* NULL: it was sent by who publishes it */
	char mirror[CATALOG_MIRROR_MAX + 1]; /* that fetched it; "" for none */
	char staged[CATALOG_UPLOAD_ID + 1]; /* the staged upload that it is, "" for none */
	uint64_t staged_revision;
	struct ingest_budget budget;
	struct ingest *arriving;
	struct upload_file *files;
	size_t files_n;
	size_t files_cap;
	/* The archive they come in; NULL when they come one by one, and once it is unpacked. */
	struct upload_archive *archive;
	bool from_archive;
	struct upload_expected *expected; /* files; any order */
	upload_gate_fn *gate; /* NULL for none */
	void *gate_cls;
	bool has_expected_root;
	struct digest expected_root;
	uint64_t most_bytes; /* that the quotas left when they were asked last */
	uint64_t unchecked_bytes; /* received since the free space was looked at */
	struct upload_scan *scan; /* upload_scan.c's, from here on; NULL for none */
	bool scan_considered;     /* beside the file that is arriving */
	uint64_t scan_told;       /* bytes of the arriving file that it knows of */
	struct err failure;       /* ERR_NONE until the first one; then nothing can be published */
};

/* The bytes of a file that has arrived: all, in memory, and `n` from `offset` on. */
int upload_file_load(const struct upload *u, const struct upload_file *f, struct blob **ret,
	struct err *e);
int upload_file_read_at(const struct upload *u, const struct upload_file *f, uint64_t offset,
	void *buf, size_t n, struct err *e);

/* What is common to all ways in. The failure `e` of a negative `r` is kept and `r` returned; a kept
 * one is given again. */
int upload_remember(struct upload *u, int r, const struct err *e);
int upload_remembered(const struct upload *u, struct err *e);
/* `n` more bytes have come: ERR_STORAGE_FULL when the disk fills up. */
int upload_watch_space(struct upload *u, size_t n, struct err *e);
