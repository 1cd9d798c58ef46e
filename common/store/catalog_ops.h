/* SPDX-License-Identifier: Apache-2.0 */
/* What an engine for the catalog does, as a struct of functions: each is one transaction with the
 * meaning that catalog.h gives the call of the same name. An engine answers ERR_BUSY when the whole
 * transaction may be tried again; the front (catalog.c) does that. Only engines and the front
 * include this header.
 */
#pragma once

#include "common/store/catalog_audit.h"
#include "common/store/catalog_job.h"
#include "common/store/catalog_tensors.h"
#include "common/store/catalog_token.h"
#include "common/store/catalog_variant.h"

#define CATALOG_OPS_VERSION 12

/* Names in bytewise order: one lower bound, so that an engine finds the start through its index. */
struct catalog_range {
	const char *from;   /* at or behind this */
	const char *except; /* but not this one */
	const char *end;    /* before this; "" for no end */
};

struct catalog_ops {
	unsigned version;

	int (*ping)(void *engine, struct err *e);

	/* Keys for those that are not in the store come in `blobs[i].key`, fresh; `exists` comes
	 * false. */
	int (*stage)(void *engine, struct catalog_blob *blobs, size_t n, uint64_t expires_ms,
		struct err *e);
	int (*unstage)(void *engine, const struct catalog_blob *blobs, size_t n, struct err *e);
	int (*publish)(void *engine, const struct catalog_publish *p, uint64_t *ret_version,
		bool *ret_deduplicated, uint64_t *ret_created_ms, struct err *e);
	int (*check_limits)(void *engine, const struct catalog_limits *l, const char *model,
		const struct digest *root, uint64_t bytes, struct err *e);
	int (*room)(void *engine, const struct catalog_limits *l, const char *model,
		uint64_t bytes, bool wait, uint64_t *ret_most, struct err *e);

	/* `root` NULL: by number. */
	int (*read_version)(void *engine, const char *model, uint64_t version,
		const struct digest *root, struct catalog_version *ret, struct err *e);
	int (*tensors_read)(void *engine, const char *model, uint64_t version, char **ret,
		bool *ret_due, struct err *e);
	int (*tensors_next)(void *engine, struct catalog_name *ret_model, uint64_t *ret_version,
		bool *ret_any, uint64_t *ret_wait_ms, struct err *e);
	int (*tensors_set)(void *engine, const char *model, uint64_t version, const char *tensors,
		struct err *e);
	int (*tensors_defer)(void *engine, const char *model, uint64_t version, uint64_t ms,
		struct err *e);
	int (*read_model)(void *engine, const char *name, struct catalog_model *ret, struct err *e);
	int (*read_models)(void *engine, const struct catalog_range *range,
		struct catalog_model *rows, size_t max, size_t *ret_n, struct err *e);
	int (*read_versions)(void *engine, const char *model, uint64_t below,
		struct catalog_version_row *rows, size_t max, size_t *ret_n, struct err *e);

	int (*move_label)(void *engine, const struct catalog_label_move *m,
		struct catalog_label *ret, bool *ret_created, struct err *e);
	int (*drop_label)(void *engine, const struct catalog_label_move *m, struct err *e);
	/* `ret` NULL: the label alone. */
	int (*read_labelled)(void *engine, const char *model, const char *label,
		struct catalog_label *ret_label, struct catalog_version *ret, struct err *e);
	int (*read_labels)(void *engine, const char *model, struct catalog_label *rows,
		size_t *ret_n, struct err *e);
	int (*read_label_history)(void *engine, const char *model, const char *label,
		uint64_t below, struct catalog_label_change *rows, size_t max, size_t *ret_n,
		struct err *e);

	int (*delete_version)(void *engine, const char *model, uint64_t version, struct err *e);
	int (*delete_model)(void *engine, const char *model, const char *who, struct err *e);

	int (*prune)(void *engine, struct catalog_prune_row *rows, size_t n, struct err *e);
	int (*read_deletions)(void *engine, struct catalog_feed *at, struct catalog_name *rows,
		size_t max, size_t *ret_n, struct err *e);

	int (*reject)(void *engine, const struct catalog_reject *x, struct err *e);
	int (*read_rejections)(void *engine, const char *model, struct catalog_rejections *ret,
		struct err *e);
	int (*expire_rejections)(void *engine, uint64_t before_ms, struct err *e);

	int (*upload_add)(void *engine, const char *id, const char *model, uint64_t age_ms,
		uint64_t max_open, struct err *e);
	int (*upload_read)(void *engine, const char *id, struct catalog_upload *ret,
		struct err *e);
	int (*upload_list)(void *engine, const char *after, struct catalog_upload_id *rows,
		size_t max, size_t *ret_n, struct err *e);
	int (*upload_put)(void *engine, const struct catalog_upload_change *x,
		const struct catalog_blob *blob, struct catalog_upload_changed *ret, struct err *e);
	int (*upload_mount)(void *engine, const struct catalog_upload_change *x,
		const struct digest *digest, struct catalog_upload_changed *ret, struct err *e);
	int (*upload_set_part)(void *engine, const struct catalog_upload_change *x,
		const char *name, uint64_t size, struct err *e);
	int (*upload_remove)(void *engine, const struct catalog_upload_change *x,
		struct catalog_upload_changed *ret, struct err *e);
	int (*upload_drop)(void *engine, const char *id, struct err *e);

	int (*expire_intents)(void *engine, bool all, struct err *e);
	int (*trash_due)(void *engine, bool early, struct blob_key *keys, size_t max,
		size_t *ret_n, struct err *e);
	int (*trash_done)(void *engine, const struct blob_key *keys, size_t n, struct err *e);
	int (*find_garbage)(void *engine, struct catalog_cursor *at, uint64_t grace_ms,
		struct catalog_garbage *rows, size_t *ret_n, struct err *e);
	int (*collect)(void *engine, const struct catalog_garbage *rows, size_t n,
		uint64_t grace_ms, uint64_t delay_ms, size_t *ret_n, uint64_t *ret_bytes,
		struct err *e);

	int (*verify)(void *engine, const atomic_bool *stop, struct err *e);
	int (*check)(void *engine, struct buf *faults, struct err *e);
	int (*read_blobs)(void *engine, struct catalog_cursor *at, struct catalog_blob *rows,
		size_t *ret_n, struct err *e);
	int (*read_key_state)(void *engine, const struct blob_key *key,
		enum catalog_key_state *ret, struct err *e);
	int (*read_holders)(void *engine, const struct digest *digest, struct buf *out,
		struct err *e);

	int (*damage_add)(void *engine, const struct blob_key *key, const char *what, bool *ret_new,
		struct err *e);
	int (*damage_clear)(void *engine, const struct blob_key *key, struct err *e);
	int (*scrub_read)(void *engine, struct catalog_scrub *ret, struct err *e);
	int (*scrub_save)(void *engine, const struct catalog_scrub *s, struct err *e);
	int (*scrub_finish)(void *engine, struct err *e);

	int (*variant_find)(void *engine, const struct digest *of, const char *coding,
		struct catalog_variant *ret, bool *ret_found, struct err *e);
	int (*variant_sizes)(void *engine, const struct catalog_version *v,
		struct catalog_variant_size *rows, size_t *ret_n, struct err *e);
	int (*variant_next)(void *engine, struct catalog_variant_job *ret, bool *ret_any,
		uint64_t *ret_wait_ms, struct err *e);
	int (*variant_defer)(void *engine, const struct digest *of, uint64_t ms,
		bool unless_held, struct err *e);
	int (*audit_read)(void *engine, uint64_t since, struct catalog_audit_event *rows,
		size_t max, size_t *ret_n, struct err *e);
	int (*audit_expire)(void *engine, uint64_t before_ms, struct err *e);
	int (*sizes)(void *engine, struct catalog_sizes *ret, struct err *e);
	int (*variant_count)(void *engine, uint64_t most, uint64_t *ret, struct err *e);
	int (*variant_set)(void *engine, const struct digest *of, const struct catalog_blob *blobs,
		const char *const *codings, size_t n, bool *ret_kept, struct err *e);
	int (*variant_drop)(void *engine, const struct blob_key *key, bool *ret_dropped,
		struct err *e);
	int (*variant_models)(void *engine, const struct digest *of, struct catalog_name *rows,
		size_t max, size_t *ret_n, struct err *e);
	int (*variant_list)(void *engine, struct catalog_variant_cursor *at,
		struct catalog_variant_row *rows, size_t *ret_n, struct err *e);

	int (*job_add)(void *engine, const struct catalog_job *j, uint64_t max_open, struct err *e);
	/* What it found before a failure the engine frees; so too below. */
	int (*job_read)(void *engine, const char *id, struct catalog_job *ret, struct err *e);
	int (*job_list)(void *engine, const struct catalog_job_filter *f, struct catalog_job *rows,
		size_t max, size_t *ret_n, struct err *e);
	int (*job_claim)(void *engine, uint64_t lease_ms, struct catalog_job *ret, bool *ret_any,
		struct err *e);
	int (*job_reclaim)(void *engine, struct err *e);
	int (*job_renew)(void *engine, const char *id, uint64_t attempt, uint64_t lease_ms,
		const struct catalog_job_progress *p, struct err *e);
	int (*job_set_upload)(void *engine, const char *id, uint64_t attempt, const char *upload,
		struct err *e);
	int (*job_end)(void *engine, const struct catalog_job *j, struct err *e);
	int (*job_cancel)(void *engine, const char *id, struct catalog_job *ret, struct err *e);
	int (*job_expire)(void *engine, uint64_t before_ms, size_t *ret_n, struct err *e);

	int (*fetched_find)(void *engine, const char *model, const struct digest *url,
		struct catalog_fetched *ret, bool *ret_found, struct err *e);
	int (*fetched_set)(void *engine, const struct catalog_fetched *rows, size_t n,
		struct err *e);
	int (*fetched_expire)(void *engine, uint64_t before_ms, struct err *e);

	int (*mirror_read)(void *engine, const char *name, struct catalog_mirror *ret,
		bool *ret_found, struct err *e);
	int (*mirror_save)(void *engine, const struct catalog_mirror *m, struct err *e);
	int (*mirror_keep)(void *engine, const char *const *names, size_t n, struct err *e);

	int (*token_add)(void *engine, const struct catalog_token *t, struct err *e);
	int (*token_remove)(void *engine, const char *id, struct err *e);
	int (*token_list)(void *engine, bool wait, struct catalog_tokens *ret, struct err *e);
	int (*token_use)(void *engine, const struct catalog_token_use *rows, size_t n,
		struct err *e);
	void (*token_watch)(void *engine);
	uint64_t (*token_mark)(void *engine);
	int (*token_key)(void *engine, const uint8_t fresh[SECRET_BYTES],
		uint8_t ret[SECRET_BYTES], bool *ret_found, struct err *e);

	int (*snapshot)(void *engine, const char *path, struct err *e);
	int (*strip)(void *engine, uint64_t *ret_versions, struct err *e);

	void (*close)(void *engine);
};

struct catalog {
	const struct catalog_ops *ops;
	void *engine;
};

/* On success the catalog owns `engine`, which catalog_close() closes. */
int catalog_new(const struct catalog_ops *ops, void *engine, struct catalog **ret, struct err *e);
/* Free what these point to, not the structs themselves. */
void catalog_version_clear(struct catalog_version *v);
void catalog_upload_clear(struct catalog_upload *u);
void catalog_rejections_clear(struct catalog_rejections *r);
