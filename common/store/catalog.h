/* SPDX-License-Identifier: Apache-2.0 */
/* The catalog: which models, versions and files exist, and which blob holds what.
 *
 * Rows hold strings and digests; the meaning of a model is not known here. The front hides the
 * engine (struct catalog_ops); catalog_sqlite.h is the one on the local disk. Each call is one
 * transaction, retried whole when the engine was busy. All calls block; a catalog may be used by
 * any number of threads at once.
 *
 * Invariants that hold between calls:
 * - every version_files row names a blobs row (foreign key); nothing is counted;
 * - at most one blobs row per digest; its key names a file that was durable before the row;
 * - a key that was ever written under its final name is in exactly one of blobs, intents, trash;
 * - a version number is never given twice for a model;
 * - every change of models and versions has its row in `changes`, in the same transaction.
 */
#pragma once

#include "common/store/blobs.h"

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
};

/* Before anything is linked: for each digest either find the live blob (and touch it, which keeps
 * it from collection for the grace time) or record an intent with a fresh key that expires at
 * `expires_ms`. One transaction. */
int catalog_stage(struct catalog *c, struct catalog_blob *blobs, size_t n, uint64_t expires_ms,
	struct err *e);

/* Give up staged keys: their intents become trash that is due now. */
int catalog_unstage(struct catalog *c, const struct catalog_blob *blobs, size_t n, struct err *e);

struct catalog_file {
	const char *path;
	size_t blob; /* index into `blobs` */
};

struct catalog_publish {
	const char *model;
	struct digest root;
	const char *info; /* JSON text that the registry keeps with the version */
	const char *tensors; /* likewise, read on its own because it may be long; NULL for none */
	const struct catalog_blob *blobs; /* staged, linked and synced */
	size_t blobs_n;
	const struct catalog_file *files;
	size_t files_n;
};

/* Turn staged blobs into the next version of a model, which is made when it is new. One
 * transaction: blob rows (a key that lost a race to another live one becomes trash), files,
 * version, changes; the intents are gone after. When the newest version has this root already,
 * nothing is added, *ret_deduplicated is true and *ret_version is that one; the staged keys that
 * are not used become trash. ERR_BLOB_GONE: a blob that catalog_stage() found was collected since;
 * stage again. */
int catalog_publish(struct catalog *c, const struct catalog_publish *p, uint64_t *ret_version,
	bool *ret_deduplicated, struct err *e);

/* ---- reading ---- */

struct catalog_version_file {
	char *path;
	struct blob_key key;
	uint64_t size;
};

struct catalog_version {
	char *model;
	uint64_t version;
	struct digest root;
	uint64_t created_ms;
	uint64_t bytes; /* sum over files */
	char *info;
	struct catalog_version_file *files; /* sorted by path, bytewise */
	size_t files_n;
};

/* `version` 0 means the newest. ERR_MODEL_NOT_FOUND, ERR_VERSION_NOT_FOUND. */
int catalog_version(struct catalog *c, const char *model, uint64_t version,
	struct catalog_version **ret, struct err *e);
/* The newest version of the model with this root digest. */
int catalog_version_by_root(struct catalog *c, const char *model, const struct digest *root,
	struct catalog_version **ret, struct err *e);
void catalog_version_free(struct catalog_version *v);
DEFINE_CLEANUP(struct catalog_version, catalog_version_free)

/* What was kept as `tensors` of a version, for the caller to free; "" for none, and for a version
 * that is not there. */
int catalog_version_tensors(struct catalog *c, const char *model, uint64_t version, char **ret,
	struct err *e);

struct catalog_model {
	char name[CATALOG_NAME_MAX + 1];
	uint64_t latest;   /* version number */
	uint64_t versions; /* how many */
	uint64_t bytes;    /* sum over its versions' files, shared blobs counted each time */
	uint64_t created_ms;
	uint64_t updated_ms;
};

int catalog_model(struct catalog *c, const char *name, struct catalog_model *ret, struct err *e);

/* Models in name order (bytewise) whose name starts with `prefix`, strictly behind `after` ("" for
 * the start): at most `limit` calls of `fn`, a negative answer stops and is returned. */
typedef int catalog_model_fn(void *cls, const struct catalog_model *m, struct err *e);
int catalog_list_models(struct catalog *c, const char *prefix, const char *after, size_t limit,
	catalog_model_fn *fn, void *cls, struct err *e);

struct catalog_version_row {
	uint64_t version;
	struct digest root;
	uint64_t created_ms;
	uint64_t bytes;
};

/* Versions of a model, newest first, numbers strictly below `below` (0: from the newest). */
typedef int catalog_version_fn(void *cls, const struct catalog_version_row *v, struct err *e);
int catalog_list_versions(struct catalog *c, const char *model, uint64_t below, size_t limit,
	catalog_version_fn *fn, void *cls, struct err *e);

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

/* ---- upkeep ---- */

/* Forget publishes that were refused before `before_ms`. */
int catalog_expire_rejections(struct catalog *c, uint64_t before_ms, struct err *e);

/* Intents that expired become trash, due now. */
int catalog_expire_intents(struct catalog *c, struct err *e);
/* Up to `max` keys of trash that is due; after unlinking each, catalog_trash_done(). */
int catalog_trash_due(struct catalog *c, struct blob_key *keys, size_t max, size_t *ret_n,
	struct err *e);
int catalog_trash_done(struct catalog *c, const struct blob_key *key, struct err *e);
