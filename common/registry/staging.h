/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads that stay open: files come one by one, in requests of their own, survive a restart, and
 * become a version when the upload is published, or nothing when it expires.
 *
 * The catalog has what is durable: whole files, which are blobs, and parts, of which a number of
 * bytes is acknowledged. In memory is what else a request must know before its body: which uploads
 * are open, and who is writing to which path. A part whose writer went without an answer keeps what
 * arrived until the daemon ends; after a restart it has what was acknowledged.
 *
 * ERR_UPLOAD_NOT_FOUND: no such id, expired, or dropped. ERR_CONFLICT: it was published. Calls
 * block unless they say otherwise, and may come from any thread.
 */
#pragma once

#include "common/registry/registry.h"

/* `model` has passed ref_check_name(). `id` has room for CATALOG_UPLOAD_ID characters and a NUL.
 * ERR_TOO_MANY, ERR_STORAGE_FULL. */
int staging_create(struct registry *r, const char *model, char *id, struct err *e);
/* What it holds, durably. */
int staging_read(struct registry *r, const char *id, struct catalog_upload **ret, struct err *e);
int staging_drop(struct registry *r, const char *id, struct err *e);
/* How many are open. Does not wait for the disk. */
size_t staging_count(struct registry *r);
/* The model it is for. Does not wait for the disk. */
int staging_model(struct registry *r, const char *id, char name[CATALOG_NAME_MAX + 1],
	struct err *e);

/* ---- a file comes in ---- */

struct staging_write {
	const char *id;
	struct str path; /* may begin with "./" */
	bool append;     /* go on behind the first `offset` bytes; else the path is written anew */
	uint64_t offset;
	bool complete;   /* the file ends where this body ends */
	uint64_t length; /* of the body, 0 when it is not known: judged before the first byte */
	bool may_wait;   /* the thread may wait for the disk: room for `length` is made */
	const struct digest *content; /* of these bytes; NULL for none */
	const struct digest *whole;   /* of the file, with `complete` only */
};

struct staging_writer;

/* The next two do not wait for the disk: they may run on a thread that polls sockets. One writer
 * has a path; a new one that does not append takes it over, and so does staging_look().
 * ERR_BAD_PATH, ERR_TOO_LARGE, ERR_STORAGE_FULL; ERR_CONFLICT when `offset` is not the right one,
 * which *ret_offset then is (else it is UINT64_MAX). */
int staging_write_begin(struct registry *r, const struct staging_write *how,
	struct staging_writer **ret, uint64_t *ret_offset, struct err *e);
int staging_write(struct staging_writer *w, const void *bytes, size_t n, struct err *e);

struct staging_file {
	bool complete;
	bool replaced;   /* the path had a file before; of a write that completes one */
	uint64_t offset; /* bytes that are there */
	struct digest digest; /* when complete */
	struct blob_key key;  /* the blob that it is, where that is known; else without gen */
};

/* The body is whole: all of it is durable at the return, and when it completes a file that one is
 * what the path holds. ERR_BAD_DIGEST: the bytes of this body are forgotten. After another failure
 * to complete a file its part may be gone: it has to be sent anew. */
int staging_write_end(struct staging_writer *w, struct staging_file *ret, struct err *e);
/* Without an end what has arrived stays as a part. Does not wait for the disk. Accepts NULL. */
void staging_writer_free(struct staging_writer *w);
DEFINE_CLEANUP(struct staging_writer, staging_writer_free)

/* The path holds this blob. ERR_FILE_NOT_FOUND when the store does not have it. */
int staging_mount(struct registry *r, const char *id, struct str path, const struct digest *digest,
	struct staging_file *ret, struct err *e);
/* How far the path is: of a part whatever has arrived, which is made durable for that; else of the
 * file. ERR_FILE_NOT_FOUND; ERR_BUSY while the part is being completed. */
int staging_look(struct registry *r, const char *id, struct str path, struct staging_file *ret,
	struct err *e);
/* The path holds nothing. ERR_FILE_NOT_FOUND when it did not. */
int staging_remove(struct registry *r, const char *id, struct str path, struct err *e);

/* ---- publishing ---- */

/* The upload as upload_publish() takes it. When that made a version it is published; it stays to be
 * published again, with the same version as the answer, until it expires. A refused one stays open.
 * ERR_CONFLICT when a file has arrived in part, or none has. */
int staging_publish(struct registry *r, const char *id, struct upload **ret, struct err *e);

/* ---- files that somebody else fetches: an import ---- */

/* A complete file in memory: for a model.json, and ERR_TOO_LARGE when it is larger than one may be.
 * ERR_FILE_NOT_FOUND; ERR_CORRUPT. */
int staging_load(struct registry *r, const char *id, struct str path, struct blob **ret,
	struct err *e);

/* What a model.json tells of the files beside it. */
struct staging_plan {
	char **paths; /* of the weights: as the manifest has them, without "./", in its order */
	size_t paths_n;
	bool has_weights;      /* there is a manifest; it may have no paths */
	uint64_t weight_bytes; /* that the manifest asks for; with strings there are more */
	bool has_strings;
};

/* The model.json is there, the weights need not be: judge all that can be judged without them, as
 * upload_publish() does, and say which files it names. ERR_NOT_LOADABLE: see `f`, which is filled
 * in any case. Also refused is what could not become a version for its size: ERR_TOO_LARGE,
 * ERR_QUOTA_FULL. */
int staging_plan(struct registry *r, const char *id, struct staging_plan **ret, struct findings *f,
	struct err *e);
void staging_plan_free(struct staging_plan *p);
DEFINE_CLEANUP(struct staging_plan, staging_plan_free)

/* Look at the weights beside their arrival, instead of when they are published. The model.json is
 * there, and is not written again. *ret is NULL where that would help nobody. */
struct staging_scan;
int staging_scan_begin(struct registry *r, const char *id, struct staging_scan **ret,
	struct err *e);
/* This file is complete. Does not block. Accepts NULL. */
void staging_scan_file(struct staging_scan *s, const char *path, const struct staging_file *file);
/* Before upload_publish() of what staging_publish() gave: takes it over. What was looked at and is
 * not what is published is looked at again. Accepts NULL. */
void staging_scan_end(struct staging_scan *s, struct upload *u);
/* Waits for a step of its work. Accepts NULL. */
void staging_scan_free(struct staging_scan *s);

/* The file is an archive, whatever it is called: the upload of what is in it, for upload_publish(),
 * which unpacks it. Its first bytes tell of which kind it is (archive_sniff(), ERR_BAD_ARCHIVE).
 * Publishing does not make a version of the staged upload, which has to be there until then. */
int staging_unpack(struct registry *r, const char *id, struct str path, struct upload **ret,
	struct err *e);
