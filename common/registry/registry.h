/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of the domain: the only place that joins models and store.
 *
 * All calls block unless they say otherwise, and may come from any thread.
 */
#pragma once

#include "common/ingest/archive.h"
#include "common/ingest/encode.h"
#include "common/ingest/ingest.h"
#include "common/model/finding.h"
#include "common/model/ref.h"
#include "common/registry/retention.h"
#include "common/store/catalog.h"

#include <stdatomic.h>

/* All but `dir` can change later: registry_limits.h. What it points to is copied. */
struct registry_options {
	const char *dir;              /* the store; made when it does not exist */
	uint64_t max_model_json_bytes;
	uint64_t max_file_bytes;
	uint64_t max_version_bytes;
	uint64_t max_version_files;
	unsigned max_expansion;       /* of archives; see ingest_check_expansion() */
	uint64_t upload_age_ms;    /* of a staged upload, from its last change to its end */
	uint64_t max_uploads;      /* staged uploads that are open */
	uint64_t max_upload_bytes; /* theirs, all together */
	/* Of what is published. */
	struct catalog_limits models;
	uint64_t min_free_bytes;      /* publishing stops (507) while the disk has less */
	bool repair; /* cut shards anew that TensorFlow.js reads wrongly, else refuse them */
};

struct registry;

/* Open or make a store: take its lock (ERR_CONFIG when another daemon has it, or it is a backup),
 * run migrations, throw away temporaries and what publishes of an earlier process had begun. Takes
 * the same time however many versions there are. */
int registry_open(const struct registry_options *o, struct registry **ret, struct err *e);
/* Open a store that a daemon may be using: no lock, nothing thrown away, no migration. For
 * registry_collect(), registry_prune(), registry_fsck(), registry_scrub() and registry_copy.h
 * alone. ERR_CONFIG when there is no store, or not one of this release. */
int registry_open_beside(const struct registry_options *o, struct registry **ret, struct err *e);
void registry_close(struct registry *r);
DEFINE_CLEANUP(struct registry, registry_close)

/* As many bytes as a version of this model may have for the limits on what is published, now. */
int registry_room(struct registry *r, const char *name, uint64_t *ret_most, struct err *e);

/* Store writable, catalog answering, space left. */
int registry_check(struct registry *r, struct err *e);

/* What opening left undone where the catalog is large: read all of it, and say whether the engine
 * finds it in order (ERR_CORRUPT). Ends early, with success, once *stop is true. */
int registry_verify_catalog(struct registry *r, const atomic_bool *stop, struct err *e);

/* Remove trash that is due and staged uploads that have expired, and forget refusals of more than a
 * day ago. Called by a timer of the daemon. */
int registry_sweep(struct registry *r, size_t *ret_removed, struct err *e);

struct registry_collect {
	uint64_t grace_ms; /* what a publish wanted so recently stays; with 0 the delay is 0 too */
	uint64_t delay_ms; /* between a blob's end in the catalog and that of its file */
	bool dry_run;      /* only count */
	const atomic_bool *stop; /* NULL, or: end early once it is true */
};

struct registry_collected {
	uint64_t blobs; /* that no version holds: gone from the catalog, or with dry_run would be */
	uint64_t bytes; /* theirs */
	uint64_t files; /* that are gone from the disk, of earlier collections too */
};

/* Take from the catalog what no version holds, and from the disk what is due; safe beside
 * publishes, reads and other collections, also of other processes. In many small transactions.
 * Without grace what nothing holds is gone at the return: only what somebody has open or mapped
 * keeps its bytes until that ends, and keys of publishes in flight stay. */
int registry_collect(struct registry *r, const struct registry_collect *o,
	struct registry_collected *ret, struct err *e);

/* A version that is deleted, or with dry_run would be, and why no rule keeps it. A negative answer
 * stops the pruning and is returned. */
typedef int registry_prune_fn(void *cls, const char *model, uint64_t version, const char *why,
	struct err *e);

struct registry_prune {
	const struct retention *rules;
	bool dry_run;            /* only tell */
	const atomic_bool *stop; /* NULL, or: end early once it is true */
	registry_prune_fn *tell; /* may be NULL */
	void *cls;
};

struct registry_pruned {
	uint64_t versions;
	uint64_t bytes; /* theirs; files that others share included */
};

/* Delete every version that the rules do not keep; safe beside all that a daemon does, also in
 * other processes: what a label names by then, or what deletions of others made one of the newest,
 * stays. In many small transactions. *ret counts what was done, also on failure. */
int registry_prune(struct registry *r, const struct registry_prune *how,
	struct registry_pruned *ret, struct err *e);
/* Of which models versions were deleted, here or by other processes; see catalog_deletions(). */
int registry_deletions(struct registry *r, struct catalog_feed *at, struct catalog_name *rows,
	size_t max, size_t *ret_n, struct err *e);

/* A line about what is wrong: `damage` is something lost; otherwise it is a left-over that only
 * takes room. A negative answer stops the check and is returned. */
typedef int registry_fsck_fn(void *cls, bool damage, const char *text, struct err *e);

struct registry_fsck {
	bool quick; /* names and sizes; the bytes are not read */
	registry_fsck_fn *tell; /* may be NULL */
	void *cls;
};

struct registry_fsck_result {
	uint64_t versions;
	uint64_t blobs;
	uint64_t bytes; /* theirs */
	uint64_t damaged;
	uint64_t left_over;
};

/* Prove the store: the catalog in itself, every blob that it names against its file's bytes, every
 * file against the catalog, every coded form against what it is a form of, every version against
 * its root digest, every part of a file of an open upload against its size, every request file
 * against its job. Writes nothing; safe beside all that a daemon does. Takes as long as reading the
 * store. */
int registry_fsck(struct registry *r, const struct registry_fsck *how,
	struct registry_fsck_result *ret, struct err *e);

#define REGISTRY_UNCODED_MAX 100000u /* that are counted */

/* What an operator wants to watch. */
struct registry_state {
	uint64_t free_bytes;   /* of the store's disk */
	uint64_t damaged;      /* files that are known to be */
	uint64_t damage_found; /* how many were ever found; grows with each */
	uint64_t scrubbed_ms;  /* when a whole pass of scrubbing last ended; 0: never */
	uint64_t uncoded;      /* files that wait for coded forms, up to REGISTRY_UNCODED_MAX */
};
int registry_state(struct registry *r, struct registry_state *ret, struct err *e);

/* ---- uploads: files on their way to become a version ---- */

struct upload;

/* Does not block. `name` has passed ref_check_name(). */
int upload_new(struct registry *r, const char *name, struct upload **ret, struct err *e);
const char *upload_name(const struct upload *u); /* of its model; lives as long as it */
/* Before the first file: so many bytes of files will come at least. ERR_QUOTA_FULL when they are
 * more than the limits leave to the model; otherwise that is asked again while they come, and once
 * more in the moment in which the version is made. Does not block. */
int upload_expect(struct upload *u, uint64_t bytes, struct err *e);
/* A file begins. `part_name` and `filename` are what the client called it; either may be empty, not
 * both. Which of the two is its path is decided at publish, when the manifest is known. These three
 * may run on a thread that polls sockets. */
int upload_file_begin(struct upload *u, struct str part_name, struct str filename, struct err *e);
int upload_file_write(struct upload *u, const void *bytes, size_t n, struct err *e);
int upload_file_end(struct upload *u, struct err *e);
/* Or all files come in one archive. Its bytes are kept as they arrive, in a temporary file, and
 * unpacked by upload_publish(), which blocks: so a slow client holds no thread, and a zip can be
 * read by the directory at its end. Their names are those of the entries; each has to be a path
 * that a version may have. These two may run on a thread that polls sockets. */
int upload_archive_begin(struct upload *u, enum archive_kind kind, struct err *e);
int upload_archive_write(struct upload *u, const void *bytes, size_t n, struct err *e);
/* Move this label to the version in the same moment. ERR_BAD_NAME; `who` has at most
 * CATALOG_WHO_MAX bytes. */
int upload_set_label(struct upload *u, struct str label, const char *who, struct err *e);
/* Where it was fetched, as it may be shown, and the mirror that did, "" for none: for the version's
 * provenance. */
int upload_set_source(struct upload *u, const char *url, const char *mirror, struct err *e);
/* Publish nothing else than files with this root digest; or than one with these bytes, under this
 * path of the version or the name that it came under, in an archive without the folders that all
 * files lie in. Both are judged before anything is visible: ERR_EXPECTED_OTHER. Where the registry
 * cuts shards anew, the root may be that of the files as they came or as they are stored.
 * ERR_BAD_PATH. */
void upload_expect_root(struct upload *u, const struct digest *root);
int upload_expect_file(struct upload *u, struct str path, const struct digest *digest,
	struct err *e);
/* Asked once by upload_publish(), when all but making the version is done; what it refuses with
 * ends that. */
typedef int upload_gate_fn(void *cls, struct err *e);
void upload_set_gate(struct upload *u, upload_gate_fn *gate, void *cls);
/* Throws away everything that was not published. */
void upload_free(struct upload *u);
DEFINE_CLEANUP(struct upload, upload_free)

struct published {
	char name[REF_NAME_MAX + 1];
	uint64_t version;
	struct digest root;
	bool deduplicated; /* the newest version had these very files: nothing was added */
	/* modelArtifactsInfo as tf.io writes it */
	uint64_t saved_ms;
	uint64_t topology_bytes;
	uint64_t weight_specs_bytes;
	uint64_t weight_data_bytes;
};

/* Unpack the archive, if they came in one (ERR_BAD_ARCHIVE, ERR_BAD_GZIP, and what the files' own
 * calls answer). Folders that all files lie in are dropped. Then validate the files and make them
 * the next version, durably, in the order the store promises.
 * ERR_NOT_LOADABLE: see `f`. `f` is filled in any case (warnings of an accepted model too). */
int upload_publish(struct upload *u, struct published *ret, struct findings *f, struct err *e);

/* The same without storing anything, the catalog included: what upload_publish() would answer now.
 * `ret->version` is the one that has these very files, or 0; `saved_ms` is now. */
int upload_publish_dry_run(struct upload *u, struct published *ret, struct findings *f,
	struct err *e);

/* ---- labels and deletion: as in catalog.h, names checked ---- */

/* ERR_BAD_NAME besides. */
int registry_move_label(struct registry *r, const struct catalog_label_move *m,
	struct catalog_label *ret, bool *ret_created, struct err *e);
int registry_drop_label(struct registry *r, const struct catalog_label_move *m, struct err *e);
/* Files stay until they are collected. */
int registry_delete_version(struct registry *r, const char *model, uint64_t version,
	struct err *e);
int registry_delete_model(struct registry *r, const char *model, const char *who, struct err *e);

/* ---- refused publishes ---- */

#define REGISTRY_REJECTION_MS UINT64_C(86400000) /* how long one is kept */

/* Keep for a day why publishing `name` was refused, with as many of the findings as fit. The caller
 * has its answer already: what goes wrong here is at most a line in the log. */
int registry_reject(struct registry *r, const char *name, const struct err *why,
	const struct findings *f, const char *request_id, struct err *e);

/* ---- reading ---- */

/* The version that a ref names now. ERR_MODEL_NOT_FOUND, ERR_VERSION_NOT_FOUND,
 * ERR_LABEL_NOT_FOUND, ERR_DELETED. */
int registry_resolve(struct registry *r, const struct ref *ref, struct catalog_version **ret,
	struct err *e);

/* A file of it by path; the name that model.json had before it was stored under that name works
 * too. ERR_FILE_NOT_FOUND; ERR_DELETED when the version was deleted and collected since;
 * ERR_CORRUPT when the file is not there, or a scrub has found that its bytes are wrong. */
int registry_open_file(struct registry *r, const struct catalog_version *v, const char *path,
	const struct catalog_version_file **ret_file, struct blob **ret, struct err *e);
/* The same, read into memory (blobs_load()) instead of mapped: for who looks at the bytes. */
int registry_load_file(struct registry *r, const struct catalog_version *v, const char *path,
	const struct catalog_version_file **ret_file, struct blob **ret, struct err *e);

/* The coded form of a file of a version. *ret is NULL when the store has none: not yet made, not
 * worth having, or lost; the identity bytes then are the answer. *ret_digest: of the coded bytes.
 * Such forms are made in the background, and one whose file is gone is made again
 * (registry_encode.h). */
int registry_open_coded(struct registry *r, const struct catalog_version_file *file,
	enum encode_coding coding, struct blob **ret, struct digest *ret_digest, struct err *e);

/* Whole catalogue reads, straight through (catalog.h). */
struct catalog *registry_catalog(struct registry *r);
