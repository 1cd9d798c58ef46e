/* SPDX-License-Identifier: Apache-2.0 */
/* The catalog: which models, versions and files exist, and which blob holds what.
 *
 * Rows hold strings and digests; the meaning of a model is not known here. The front hides the
 * engine (struct catalog_ops); catalog_sqlite.h is the one on the local disk. Each call is one
 * transaction, retried whole when the engine was busy. All calls block; a catalog may be used by
 * any number of threads at once.
 *
 * Invariants that hold between calls:
 * - every version_files and upload_files row names a blobs row (foreign key); nothing is counted;
 * - at most one blobs row per digest; its key names a file that was durable before the row;
 * - a key that was ever written under its final name is in exactly one of blobs, intents, trash;
 * - a version number is never given twice for a model, nor a revision of a label;
 * - a deleted version keeps its number and root, has no files, and no label names it;
 * - every damage row names a live blob;
 * - every change of models, versions and labels has its row in `changes`, in the same transaction;
 * - what quotas are checked against is what the versions add up to.
 */
#pragma once

#include "common/store/blobs.h"

#include <stdatomic.h>

#define CATALOG_NAME_MAX 128
#define CATALOG_PATH_MAX 1024

struct catalog;
void catalog_close(struct catalog *c);
DEFINE_CLEANUP(struct catalog, catalog_close)

/* Answers a trivial query; the self-test of readiness and watchdog. */
int catalog_ping(struct catalog *c, struct err *e);

/* ---- publishing ---- */

struct catalog_blob {
	struct digest digest;
	uint64_t size;
	/* filled by catalog_stage() */
	struct blob_key key;
	bool exists; /* the store has it under `key`: nothing to link */
	/* Set by the caller: a fresh key even for a digest that the store has. */
	bool needs_key;
	bool damaged; /* filled by catalog_blobs(): known to be */
};

/* Before anything is linked: for each digest either find the live blob (and touch it, which keeps
 * it from collection for the grace time) or record an intent with a fresh key that expires at
 * `expires_ms`. A blob that is known to be damaged is not found: publishing the fresh key puts the
 * good bytes in its place, for all that hold it. What has a key of its own is not touched by any
 * collection. One transaction. */
int catalog_stage(struct catalog *c, struct catalog_blob *blobs, size_t n, uint64_t expires_ms,
	struct err *e);

/* Give up staged keys: their intents become trash that is due now. */
int catalog_unstage(struct catalog *c, const struct catalog_blob *blobs, size_t n, struct err *e);

struct catalog_file {
	const char *path;
	size_t blob; /* index into `blobs` */
};

/* What models may take together, all their versions that are not deleted; a blob that several
 * share counts in each. */
struct catalog_quota {
	const char *prefix; /* the model of this name and all below it; "" for all there are */
	uint64_t bytes;
};

struct catalog_limits {
	const struct catalog_quota *quotas; /* of several that hold for a model each counts */
	size_t quotas_n;
	uint64_t max_versions; /* of one model; 0 for any number */
};

struct catalog_publish {
	const char *model;
	struct digest root;
	const char *info; /* JSON text that the registry keeps with the version */
	const char *provenance; /* likewise, of who published it, not for everybody; NULL: none */
	const char *tensors; /* likewise; catalog_tensors.h. NULL for none */
	bool tensors_due;    /* and the digests are not in it */
	const struct catalog_blob *blobs; /* staged, linked and synced */
	size_t blobs_n;
	const struct catalog_file *files;
	size_t files_n;
	uint64_t coded_least; /* blobs of fewer bytes are not queued for coded forms */
	const struct catalog_limits *limits; /* NULL for none */
	const char *label; /* moved to the version in the same transaction; NULL: none */
	const char *who;   /* that moves the label */
	/* The upload that becomes the version in the same transaction, as read at this revision;
	 * NULL for none. */
	const char *upload;
	uint64_t upload_revision;
};

/* Turn staged blobs into the next version of a model, which is made when it is new. One
 * transaction: blob rows (a key that lost a race to another live one becomes trash), files,
 * version, changes; the intents are gone after. When the newest version has this root already,
 * nothing is added, *ret_deduplicated is true and *ret_version is that one; the staged keys that
 * are not used become trash. The label moves in either case. ERR_BLOB_GONE: a blob that
 * catalog_stage() found was collected since; stage again with `needs_key`, which cannot end so.
 * ERR_QUOTA_FULL: the version would go beyond the limits; one that adds nothing does not.
 * An upload that is a version already stays that one: it is answered as deduplicated, and no label
 * moves. ERR_UPLOAD_NOT_FOUND; ERR_CONFLICT: it changed; ERR_DELETED: that version was.
 * *ret_created_ms is the moment of a version that was added, 0 for none; may be NULL. */
int catalog_publish(struct catalog *c, const struct catalog_publish *p, uint64_t *ret_version,
	bool *ret_deduplicated, uint64_t *ret_created_ms, struct err *e);

/* Would a version with this root and so many bytes be within the limits now? ERR_QUOTA_FULL. */
int catalog_check_limits(struct catalog *c, const struct catalog_limits *l, const char *model,
	const struct digest *root, uint64_t bytes, struct err *e);

/* The same of a version of which no more is known than that it has `bytes` at least: ERR_QUOTA_FULL
 * when it cannot be within the limits. *ret_most: as many bytes as one may have now, those of the
 * newest included, which may come again. Without `wait` for threads that must not: ERR_BUSY when it
 * would have to wait for others. */
int catalog_room(struct catalog *c, const struct catalog_limits *l, const char *model,
	uint64_t bytes, bool wait, uint64_t *ret_most, struct err *e);

/* ---- reading ---- */

struct catalog_version_file {
	char *path;
	struct blob_key key;
	uint64_t size;
	bool damaged; /* its bytes are known to be lost */
};

struct catalog_version {
	char *model;
	uint64_t version;
	struct digest root;
	uint64_t created_ms;
	uint64_t bytes; /* sum over files */
	char *info;
	char *provenance; /* "" for none */
	struct catalog_version_file *files; /* sorted by path, bytewise */
	size_t files_n;
};

/* `version` 0 means the newest that is not deleted. ERR_MODEL_NOT_FOUND, ERR_VERSION_NOT_FOUND;
 * ERR_DELETED: of the version, or of all there were. */
int catalog_version(struct catalog *c, const char *model, uint64_t version,
	struct catalog_version **ret, struct err *e);
/* The newest version of the model with this root digest that is not deleted. */
int catalog_version_by_root(struct catalog *c, const char *model, const struct digest *root,
	struct catalog_version **ret, struct err *e);
void catalog_version_free(struct catalog_version *v);
DEFINE_CLEANUP(struct catalog_version, catalog_version_free)

struct catalog_model {
	char name[CATALOG_NAME_MAX + 1];
	uint64_t latest;   /* version number */
	uint64_t versions; /* how many; deleted ones count in none of these */
	uint64_t bytes;    /* sum over its versions' files, shared blobs counted each time */
	uint64_t created_ms;
	uint64_t updated_ms;
};

/* ERR_MODEL_NOT_FOUND; ERR_DELETED when no version is left. */
int catalog_model(struct catalog *c, const char *name, struct catalog_model *ret, struct err *e);

/* Models with versions, in name order (bytewise), whose name starts with `prefix`, strictly behind
 * `after` ("" for the start): at most `limit` calls of `fn`, a negative answer stops and is
 * returned. */
typedef int catalog_model_fn(void *cls, const struct catalog_model *m, struct err *e);
int catalog_list_models(struct catalog *c, const char *prefix, const char *after, size_t limit,
	catalog_model_fn *fn, void *cls, struct err *e);

struct catalog_version_row {
	uint64_t version;
	struct digest root;
	uint64_t created_ms;
	uint64_t bytes;
};

/* Versions of a model that are not deleted, newest first, numbers strictly below `below` (0: from
 * the newest). */
typedef int catalog_version_fn(void *cls, const struct catalog_version_row *v, struct err *e);
int catalog_list_versions(struct catalog *c, const char *model, uint64_t below, size_t limit,
	catalog_version_fn *fn, void *cls, struct err *e);

/* ---- labels ---- */

#define CATALOG_LABEL_MAX            64
#define CATALOG_WHO_MAX              128
#define CATALOG_LABELS_OF_MODEL      100
#define CATALOG_LABEL_MOVES_OF_MODEL 10000 /* how much history is kept */

struct catalog_label {
	char label[CATALOG_LABEL_MAX + 1];
	uint64_t version;
	uint64_t revision; /* changes with every move; never the same twice for a model */
	uint64_t moved_ms;
};

struct catalog_label_move {
	const char *model;
	const char *label;
	uint64_t version;
	const uint64_t *expected; /* the revision it has; 0: there is no such label; NULL: any */
	const char *who;
};

/* Make or move a label, with a row of its history. One transaction. Moving it to where it is
 * changes nothing. ERR_MODEL_NOT_FOUND, ERR_VERSION_NOT_FOUND, ERR_DELETED;
 * ERR_PRECONDITION_FAILED: it does not have the expected revision; ERR_CONFLICT: the model has as
 * many labels as it may. */
int catalog_move_label(struct catalog *c, const struct catalog_label_move *m,
	struct catalog_label *ret, bool *ret_created, struct err *e);
/* The same for taking it away; `version` is not read. ERR_LABEL_NOT_FOUND. */
int catalog_drop_label(struct catalog *c, const struct catalog_label_move *m, struct err *e);

/* ERR_MODEL_NOT_FOUND, ERR_LABEL_NOT_FOUND; ERR_DELETED when the model has no version left. */
int catalog_label(struct catalog *c, const char *model, const char *label,
	struct catalog_label *ret, struct err *e);
/* And the version that it names, of the same moment. */
int catalog_version_by_label(struct catalog *c, const char *model, const char *label,
	struct catalog_label *ret_label, struct catalog_version **ret, struct err *e);
/* All of a model, by name; none for a model that is none. */
int catalog_labels(struct catalog *c, const char *model,
	struct catalog_label rows[CATALOG_LABELS_OF_MODEL], size_t *ret_n, struct err *e);

struct catalog_label_change {
	uint64_t revision;
	uint64_t moved_ms;
	uint64_t from; /* 0: there was no such label */
	uint64_t to;   /* 0: it was taken away */
	char who[CATALOG_WHO_MAX + 1];
};

/* What became of a label, newest first, revisions strictly below `below` (0: from the newest). Of a
 * label that never was there is nothing. */
typedef int catalog_label_change_fn(void *cls, const struct catalog_label_change *x,
	struct err *e);
int catalog_label_history(struct catalog *c, const char *model, const char *label, uint64_t below,
	size_t limit, catalog_label_change_fn *fn, void *cls, struct err *e);

/* ---- deletion ---- */

/* Leave a tombstone: its files are held no longer. One transaction. ERR_MODEL_NOT_FOUND,
 * ERR_VERSION_NOT_FOUND; ERR_DELETED: it was before; ERR_CONFLICT: a label names it. */
int catalog_delete_version(struct catalog *c, const char *model, uint64_t version, struct err *e);
/* The same for every version, after dropping every label. A later publish goes on with the next
 * number. */
int catalog_delete_model(struct catalog *c, const char *model, const char *who, struct err *e);

/* Versions that rules do not keep, of any models. */
#define CATALOG_PRUNE_BATCH 100

struct catalog_prune_row {
	char model[CATALOG_NAME_MAX + 1];
	uint64_t version;
	uint64_t newer; /* so many newer versions must be there, at least one */
	bool deleted;   /* set by catalog_prune() */
};

/* Delete those that no label names and that have as many newer ones, as if one by one; the others
 * stay. One transaction. */
int catalog_prune(struct catalog *c, struct catalog_prune_row *rows, size_t n, struct err *e);

/* How far somebody has followed the changes. All zero is now, whenever that is. */
struct catalog_feed {
	bool started;
	uint64_t sequence;
};

struct catalog_name {
	char text[CATALOG_NAME_MAX + 1];
};

/* The models of the next deletions of versions, up to `max`; less, when there are no more for now.
 * For whoever keeps what he knows of them. */
int catalog_deletions(struct catalog *c, struct catalog_feed *at, struct catalog_name *rows,
	size_t max, size_t *ret_n, struct err *e);

/* ---- refused publishes ---- */

/* What is kept: bounded for each model, which need not exist, and in all, so that a flood of them
 * under many names takes 64 MiB at most. The oldest ones go first. */
#define CATALOG_REJECTIONS_OF_MODEL   20
#define CATALOG_REJECTIONS_MAX        1000
#define CATALOG_REJECTION_ERRORS_MAX  65536 /* bytes of `errors` */

struct catalog_reject {
	const char *model;
	unsigned status; /* of HTTP */
	const char *code;
	const char *detail;
	const char *errors; /* JSON text; ERR_TOO_LARGE when it is longer than said above */
	const char *request_id;
};

/* Keep that a publish was refused just now, and drop what is then too much. */
int catalog_reject(struct catalog *c, const struct catalog_reject *x, struct err *e);

struct catalog_rejection {
	uint64_t refused_ms;
	unsigned status;
	char *code;
	char *detail;
	char *errors;
	char *request_id;
};

struct catalog_rejections {
	struct catalog_rejection items[CATALOG_REJECTIONS_OF_MODEL];
	size_t n;
};

/* Those of a model, newest first; none for a model that has none, or is none. */
int catalog_rejections(struct catalog *c, const char *model, struct catalog_rejections **ret,
	struct err *e);
void catalog_rejections_free(struct catalog_rejections *r);
DEFINE_CLEANUP(struct catalog_rejections, catalog_rejections_free)

/* ---- uploads that stay open ---- */

#define CATALOG_UPLOAD_ID 32 /* characters of an id: [0-9a-f] */

struct catalog_upload_part {
	char *path;
	char *name;    /* of the part (blobs.h) that has its bytes */
	uint64_t size; /* as many as are durable there */
};

struct catalog_upload {
	char id[CATALOG_UPLOAD_ID + 1];
	char model[CATALOG_NAME_MAX + 1];
	uint64_t created_ms;
	uint64_t expires_ms;
	uint64_t revision; /* grows with each change of what it holds */
	uint64_t version;  /* that it became; 0 while it is open */
	struct catalog_version_file *files; /* sorted by path, bytewise */
	size_t files_n;
	struct catalog_upload_part *parts; /* likewise; a path may have a file and a part */
	size_t parts_n;
};

/* A new one, to expire `age_ms` after its last change. ERR_TOO_MANY when `max_open` are open. */
int catalog_upload_add(struct catalog *c, const char *id, const char *model, uint64_t age_ms,
	uint64_t max_open, struct err *e);

/* ERR_UPLOAD_NOT_FOUND, here and below. */
int catalog_upload(struct catalog *c, const char *id, struct catalog_upload **ret, struct err *e);
void catalog_upload_free(struct catalog_upload *u);
DEFINE_CLEANUP(struct catalog_upload, catalog_upload_free)

struct catalog_upload_id {
	char text[CATALOG_UPLOAD_ID + 1];
};

/* Up to `max` ids behind `after` ("" at first), in order. */
int catalog_uploads(struct catalog *c, const char *after, struct catalog_upload_id *rows,
	size_t max, size_t *ret_n, struct err *e);

struct catalog_upload_change {
	const char *id;
	const char *path;
	uint64_t age_ms;    /* it expires so long after this change */
	uint64_t max_files; /* ERR_TOO_LARGE for a file more */
};

struct catalog_upload_changed {
	bool replaced;     /* the path had a file */
	uint64_t old_size; /* of that */
	uint64_t size;     /* of the new one; catalog_upload_mount() only */
};

/* The path holds this blob, which is staged, linked and synced, and nothing else; the intent is
 * gone. ERR_CONFLICT when the upload is a version already, here and below. ERR_BLOB_GONE as from
 * catalog_publish(). */
int catalog_upload_put(struct catalog *c, const struct catalog_upload_change *x,
	const struct catalog_blob *blob, struct catalog_upload_changed *ret, struct err *e);
/* The same of a blob that is there. ERR_FILE_NOT_FOUND when it is not, or is damaged. */
int catalog_upload_mount(struct catalog *c, const struct catalog_upload_change *x,
	const struct digest *digest, struct catalog_upload_changed *ret, struct err *e);
/* The path has a part with these many bytes, beside the file that it may hold. */
int catalog_upload_set_part(struct catalog *c, const struct catalog_upload_change *x,
	const char *name, uint64_t size, struct err *e);
/* The path holds nothing any more. */
int catalog_upload_remove(struct catalog *c, const struct catalog_upload_change *x,
	struct catalog_upload_changed *ret, struct err *e);
/* The upload is gone, whatever it holds or became; blobs stay until they are collected. */
int catalog_upload_drop(struct catalog *c, const char *id, struct err *e);

/* ---- upkeep ---- */

/* Forget publishes that were refused before `before_ms`. */
int catalog_expire_rejections(struct catalog *c, uint64_t before_ms, struct err *e);

/* Intents that expired, or with `all` every one, become trash, due now. */
int catalog_expire_intents(struct catalog *c, bool all, struct err *e);
/* Up to `max` keys of trash that is due, or with `early` of any; after unlinking them,
 * catalog_trash_done(). */
int catalog_trash_due(struct catalog *c, bool early, struct blob_key *keys, size_t max,
	size_t *ret_n, struct err *e);
int catalog_trash_done(struct catalog *c, const struct blob_key *keys, size_t n, struct err *e);

/* A collection goes through all blobs by digest, so many at a time. Start with all zero. */
#define CATALOG_GARBAGE_BATCH 500

struct catalog_garbage {
	struct blob_key key;
	uint64_t size;
};

struct catalog_cursor {
	bool started;
	bool ended;
	struct digest last;
};

/* The next blobs, and which of them no version holds and no publish touched for `grace_ms`. Writes
 * nothing. `rows` has room for CATALOG_GARBAGE_BATCH. */
int catalog_find_garbage(struct catalog *c, struct catalog_cursor *at, uint64_t grace_ms,
	struct catalog_garbage *rows, size_t *ret_n, struct err *e);
/* Make trash of those for which that is still true, due after `delay_ms`: readers that know the key
 * have so long to open it. One transaction. *ret_n, *ret_bytes: of those. */
int catalog_collect(struct catalog *c, const struct catalog_garbage *rows, size_t n,
	uint64_t grace_ms, uint64_t delay_ms, size_t *ret_n, uint64_t *ret_bytes, struct err *e);

/* ---- checking ---- */

/* ERR_CORRUPT when the engine finds its own files damaged. Opening looks at a small catalog so, and
 * leaves a large one to this: it reads all of it. Ends early, with success, once *stop is true. */
int catalog_verify(struct catalog *c, const atomic_bool *stop, struct err *e);
/* All that the engine finds wrong with the catalog itself, a line each, appended to `faults`. Reads
 * all of it. */
int catalog_check(struct catalog *c, struct buf *faults, struct err *e);

/* The next live blobs, by digest. Start with a cursor of all zero. */
#define CATALOG_BLOBS_BATCH 500
int catalog_blobs(struct catalog *c, struct catalog_cursor *at,
	struct catalog_blob rows[CATALOG_BLOBS_BATCH], size_t *ret_n, struct err *e);

enum catalog_key_state {
	CATALOG_KEY_UNKNOWN,
	CATALOG_KEY_LIVE,
	CATALOG_KEY_INTENT, /* a publish is about to use it */
	CATALOG_KEY_TRASH,
};
int catalog_key_state(struct catalog *c, const struct blob_key *key, enum catalog_key_state *ret,
	struct err *e);

/* Which files of versions and uploads hold these bytes, "pose@7/model.json, ...", appended to
 * `out`; the first few of many, nothing when none does. */
int catalog_holders(struct catalog *c, const struct digest *digest, struct buf *out, struct err *e);

/* ---- scrubbing ---- */

/* The bytes of a blob turned out to be lost: keep that, and `what` is wrong, until the blob is
 * sound again or gone. *ret_new is false when that was known, or the key is live no more. */
int catalog_damage_add(struct catalog *c, const struct blob_key *key, const char *what,
	bool *ret_new, struct err *e);
/* They turned out to be right after all. */
int catalog_damage_clear(struct catalog *c, const struct blob_key *key, struct err *e);

struct catalog_scrub {
	/* Of the pass that goes on where it stopped. */
	bool underway;
	uint64_t started_ms;
	struct catalog_cursor at; /* `ended` has no meaning */
	/* Only read. */
	uint64_t finished_ms; /* when a whole pass last ended; 0: never */
	uint64_t damaged;     /* blobs that are known to be */
	uint64_t found;       /* how many there ever were; tells that there is a new one */
};

int catalog_scrub_read(struct catalog *c, struct catalog_scrub *ret, struct err *e);
int catalog_scrub_save(struct catalog *c, const struct catalog_scrub *s, struct err *e);
/* A whole pass ends now. */
int catalog_scrub_finish(struct catalog *c, struct err *e);

/* ---- copying ---- */

/* Write the catalog as it is at this moment to `path`, a file that is replaced: the same engine can
 * open it, in its folder, under the name that it gives its files. Its bytes are durable then, its
 * name is not. */
int catalog_snapshot(struct catalog *c, const char *path, struct err *e);
/* In such a copy, leave only tokens and what versions, labels and their history are made of: no
 * uploads, no jobs, nothing fetched, no mirrors, no intents, no trash, no blob that no version
 * holds, nothing that a scrub has found. *ret_versions: how many there are. One transaction. */
int catalog_strip(struct catalog *c, uint64_t *ret_versions, struct err *e);

struct catalog_sizes {
	uint64_t models;   /* that have a version */
	uint64_t versions; /* that are not deleted */
	uint64_t version_bytes;
	uint64_t blobs, blob_bytes; /* all that are stored */
	uint64_t held_bytes; /* of the blobs that are files of versions, each counted once */
};

/* How much there is. Takes time with the number of blobs. */
int catalog_sizes(struct catalog *c, struct catalog_sizes *ret, struct err *e);
