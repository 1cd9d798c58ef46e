/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_publish.h"
#include "common/base/num.h"
#include "common/store/catalog_sqlite_change.h"
#include "common/store/catalog_sqlite_label.h"
#include "common/store/catalog_sqlite_scrub.h"
#include "common/store/catalog_sqlite_tensors.h"
#include "common/store/catalog_sqlite_upload.h"
#include "common/store/catalog_sqlite_usage.h"
#include "common/store/catalog_sqlite_variant.h"

#include <stdio.h>

#define ITEM_TEXT 24

/* ---- staging ---- */

/* Find the live blob, unless it is damaged, and mark it as wanted just now. */
static int touch(struct catalog_sqlite_conn *c, struct catalog_blob *blob, struct err *e)
{
	static const char sql[] =
		"UPDATE blobs SET touched = now_ms() WHERE digest = $1"
		" AND NOT EXISTS (SELECT 1 FROM damage d WHERE d.digest = $1)"
		" RETURNING gen, size";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	char hex[DIGEST_HEX + 1];
	uint64_t size;
	int r;

	catalog_sqlite_conn_digest(&q, "$1", &blob->digest);
	r = catalog_sqlite_conn_row(&q, &blob->exists, e);
	if (r < 0 || !blob->exists)
		return r;
	size = catalog_sqlite_conn_col_uint(&q, 1);
	if (size != blob->size)
		return err_set(e, ERR_CORRUPT,
			"the catalog says that blob %s has %llu bytes, not %llu",
			digest_hex(&blob->digest, hex), (unsigned long long)size,
			(unsigned long long)blob->size);
	r = catalog_sqlite_conn_col_gen(&q, 0, &blob->key, e);
	return r < 0 ? r : catalog_sqlite_conn_run(&q, e);
}

static int add_intent(struct catalog_sqlite_conn *c, const struct blob_key *key,
	uint64_t expires_ms, struct err *e)
{
	static const char sql[] = "INSERT INTO intents (digest, gen, expires) VALUES ($1, $2, $3)";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_digest(&q, "$1", &key->digest);
	catalog_sqlite_conn_text(&q, "$2", key->gen);
	catalog_sqlite_conn_uint(&q, "$3", expires_ms);
	return catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_publish_stage(struct catalog_sqlite_conn *c, struct catalog_blob *blobs,
	size_t n, uint64_t expires_ms, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (!blobs[i].needs_key)
			r = touch(c, &blobs[i], e);
		if (r == 0 && !blobs[i].exists)
			r = add_intent(c, &blobs[i].key, expires_ms, e);
	}
	return r;
}

static int drop_intent(struct catalog_sqlite_conn *c, const struct blob_key *key, bool *ret_dropped,
	struct err *e)
{
	static const char sql[] =
		"DELETE FROM intents WHERE digest = $1 AND gen = $2 RETURNING gen";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_digest(&q, "$1", &key->digest);
	catalog_sqlite_conn_text(&q, "$2", key->gen);
	return catalog_sqlite_conn_any(&q, ret_dropped, e);
}

/* A key that is live stays; any other becomes trash, also when its intent expired long ago: the
 * file may have been linked after that. */
int catalog_sqlite_publish_trash(struct catalog_sqlite_conn *c, const struct blob_key *key,
	struct err *e)
{
	static const char sql[] =
		"INSERT INTO trash (digest, gen, due) SELECT $1, $2, now_ms()"
		" WHERE NOT EXISTS (SELECT 1 FROM blobs WHERE digest = $1 AND gen = $2)"
		" ON CONFLICT (digest, gen) DO NOTHING";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_digest(&q, "$1", &key->digest);
	catalog_sqlite_conn_text(&q, "$2", key->gen);
	return catalog_sqlite_conn_run(&q, e);
}

static int unstage(struct catalog_sqlite_conn *c, const struct catalog_blob *blob, struct err *e)
{
	bool dropped;
	int r = blob->exists ? 0 : drop_intent(c, &blob->key, &dropped, e);

	return r < 0 || blob->exists ? r : catalog_sqlite_publish_trash(c, &blob->key, e);
}

int catalog_sqlite_publish_unstage(struct catalog_sqlite_conn *c, const struct catalog_blob *blobs,
	size_t n, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = unstage(c, &blobs[i], e);
	return r;
}

/* ---- publishing ---- */

static int newest_has_root(struct catalog_sqlite_conn *c, const struct catalog_publish *p,
	uint64_t *ret_version, bool *ret_same, struct err *e)
{
	static const char sql[] =
		"SELECT v.version FROM models m"
		" JOIN versions v ON v.model = m.name AND v.version = m.latest"
		" WHERE m.name = $1 AND v.root = $2";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	int r;

	catalog_sqlite_conn_text(&q, "$1", p->model);
	catalog_sqlite_conn_digest(&q, "$2", &p->root);
	r = catalog_sqlite_conn_row(&q, ret_same, e);
	if (r == 0 && *ret_same)
		*ret_version = catalog_sqlite_conn_col_uint(&q, 0);
	return r;
}

static int blob_gone(const struct digest *digest, struct err *e)
{
	char hex[DIGEST_HEX + 1];

	return err_set(e, ERR_BLOB_GONE,
		"the file with SHA-256 %s was collected meanwhile; send it again",
		digest_hex(digest, hex));
}

static int require_blob(struct catalog_sqlite_conn *c, const struct digest *digest, struct err *e)
{
	static const char sql[] = "SELECT 1 FROM blobs WHERE digest = $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool any;
	int r;

	catalog_sqlite_conn_digest(&q, "$1", digest);
	r = catalog_sqlite_conn_any(&q, &any, e);
	if (r < 0)
		return r;
	return any ? 0 : blob_gone(digest, e);
}

/* False when another key for the same digest is live already. */
static int insert_blob(struct catalog_sqlite_conn *c, const struct catalog_blob *blob,
	bool *ret_won, struct err *e)
{
	static const char sql[] =
		"INSERT INTO blobs (digest, gen, size, touched) VALUES ($1, $2, $3, now_ms())"
		" ON CONFLICT (digest) DO NOTHING RETURNING gen";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_digest(&q, "$1", &blob->digest);
	catalog_sqlite_conn_text(&q, "$2", blob->key.gen);
	catalog_sqlite_conn_uint(&q, "$3", blob->size);
	return catalog_sqlite_conn_any(&q, ret_won, e);
}

/* The staged key takes the place of one whose bytes are lost, which becomes trash. */
static int replace_blob(struct catalog_sqlite_conn *c, const struct catalog_blob *blob,
	const struct blob_key *damaged, struct err *e)
{
	static const char sql[] =
		"UPDATE blobs SET gen = $2, size = $3, touched = now_ms() WHERE digest = $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	int r;

	catalog_sqlite_conn_digest(&q, "$1", &blob->digest);
	catalog_sqlite_conn_text(&q, "$2", blob->key.gen);
	catalog_sqlite_conn_uint(&q, "$3", blob->size);
	r = catalog_sqlite_conn_run(&q, e);
	if (r == 0)
		r = catalog_sqlite_scrub_sound(c, &blob->digest, e);
	return r < 0 ? r : catalog_sqlite_publish_trash(c, damaged, e);
}

/* Another key is live: it stays, unless its bytes are lost. */
static int contend(struct catalog_sqlite_conn *c, const struct catalog_blob *blob, struct err *e)
{
	struct blob_key live;
	bool damaged;
	int r = catalog_sqlite_scrub_find(c, &blob->digest, &live, &damaged, e);

	if (r < 0)
		return r;
	return damaged ? replace_blob(c, blob, &live, e) :
		catalog_sqlite_publish_trash(c, &blob->key, e);
}

/* An intent that expired gave its key up: the file may be gone at any moment. */
int catalog_sqlite_publish_claim(struct catalog_sqlite_conn *c, const struct catalog_blob *blob,
	struct err *e)
{
	bool ours;
	bool won;
	int r;

	if (blob->exists)
		return require_blob(c, &blob->digest, e);
	r = drop_intent(c, &blob->key, &ours, e);
	if (r < 0)
		return r;
	if (!ours)
		return blob_gone(&blob->digest, e);
	r = insert_blob(c, blob, &won, e);
	return r < 0 || won ? r : contend(c, blob, e);
}

/* Nothing is added, but what was sent anew may be what the store has lost. */
static int claim_damaged(struct catalog_sqlite_conn *c, const struct catalog_publish *p,
	struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->blobs_n; i++) {
		const struct catalog_blob *blob = &p->blobs[i];
		struct blob_key live;
		bool damaged = false;
		if (!blob->exists)
			r = catalog_sqlite_scrub_find(c, &blob->digest, &live, &damaged, e);
		if (r == 0)
			r = damaged ? catalog_sqlite_publish_claim(c, blob, e) :
				unstage(c, blob, e);
	}
	return r;
}

/* Make the model when it is new, and take the next number. */
static int take_number(struct catalog_sqlite_conn *c, const char *model, uint64_t *ret_version,
	uint64_t *ret_now, struct err *e)
{
	static const char sql[] =
		"INSERT INTO models (name, next_version, latest, created, updated)"
		" VALUES ($1, 2, 1, now_ms(), now_ms())"
		" ON CONFLICT (name) DO UPDATE SET next_version = models.next_version + 1,"
		" latest = models.next_version, updated = excluded.updated"
		" RETURNING latest, updated";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r;

	catalog_sqlite_conn_text(&q, "$1", model);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r < 0)
		return r;
	*ret_version = catalog_sqlite_conn_col_uint(&q, 0);
	*ret_now = catalog_sqlite_conn_col_uint(&q, 1);
	return catalog_sqlite_conn_run(&q, e);
}

static int total_bytes(const struct catalog_publish *p, uint64_t *ret, struct err *e)
{
	uint64_t total = 0;

	for (size_t i = 0; i < p->files_n; i++)
		if (!num_add(total, p->blobs[p->files[i].blob].size, &total))
			return err_set(e, ERR_TOO_LARGE,
				"the files have more bytes than can be counted");
	*ret = total;
	return 0;
}

static int insert_version(struct catalog_sqlite_conn *c, const struct catalog_publish *p,
	uint64_t version, uint64_t bytes, uint64_t now_ms, struct err *e)
{
	static const char sql[] =
		"INSERT INTO versions (model, version, root, created, bytes, info, provenance)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7)";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", p->model);
	catalog_sqlite_conn_uint(&q, "$2", version);
	catalog_sqlite_conn_digest(&q, "$3", &p->root);
	catalog_sqlite_conn_uint(&q, "$4", now_ms);
	catalog_sqlite_conn_uint(&q, "$5", bytes);
	catalog_sqlite_conn_text(&q, "$6", p->info);
	catalog_sqlite_conn_text(&q, "$7", p->provenance ? p->provenance : "");
	return catalog_sqlite_conn_run(&q, e);
}

static int insert_file(struct catalog_sqlite_conn *c, const struct catalog_publish *p,
	uint64_t version, const struct catalog_file *file, struct err *e)
{
	static const char sql[] =
		"INSERT INTO version_files (model, version, path, digest) VALUES ($1, $2, $3, $4)";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", p->model);
	catalog_sqlite_conn_uint(&q, "$2", version);
	catalog_sqlite_conn_text(&q, "$3", file->path);
	catalog_sqlite_conn_digest(&q, "$4", &p->blobs[file->blob].digest);
	return catalog_sqlite_conn_run(&q, e);
}

static int record_changes(struct catalog_sqlite_conn *c, const char *model, uint64_t version,
	struct err *e)
{
	char item[ITEM_TEXT];
	int r = 0;

	(void)snprintf(item, sizeof(item), "%llu", (unsigned long long)version);
	if (version == 1)
		r = catalog_sqlite_change_add(c, "model-created", model, "", e);
	return r < 0 ? r : catalog_sqlite_change_add(c, "version-published", model, item, e);
}

static int add_version(struct catalog_sqlite_conn *c, const struct catalog_publish *p,
	uint64_t *ret_version, uint64_t *ret_created_ms, struct err *e)
{
	uint64_t version = 0;
	uint64_t bytes = 0;
	uint64_t now_ms = 0;
	int r = total_bytes(p, &bytes, e);

	if (r == 0)
		r = catalog_sqlite_usage_require(c, p->limits, p->model, bytes, e);
	for (size_t i = 0; r == 0 && i < p->blobs_n; i++)
		r = catalog_sqlite_publish_claim(c, &p->blobs[i], e);
	if (r == 0)
		r = take_number(c, p->model, &version, &now_ms, e);
	if (r == 0)
		r = insert_version(c, p, version, bytes, now_ms, e);
	if (r == 0)
		r = catalog_sqlite_usage_add(c, p->model, bytes, e);
	if (r == 0)
		r = catalog_sqlite_tensors_insert(c, p, version, e);
	for (size_t i = 0; r == 0 && i < p->files_n; i++)
		r = insert_file(c, p, version, &p->files[i], e);
	for (size_t i = 0; r == 0 && i < p->blobs_n; i++)
		if (p->blobs[i].size >= p->coded_least)
			r = catalog_sqlite_variant_want(c, &p->blobs[i].digest, e);
	if (r == 0)
		r = record_changes(c, p->model, version, e);
	if (r < 0)
		return r;
	*ret_version = version;
	*ret_created_ms = now_ms;
	return 0;
}

static int move_label(struct catalog_sqlite_conn *c, const struct catalog_publish *p,
	uint64_t version, struct err *e)
{
	const struct catalog_label_move m = {
		.model = p->model,
		.label = p->label,
		.version = version,
		.who = p->who,
	};
	struct catalog_label label;
	bool created;

	return catalog_sqlite_label_move(c, &m, &label, &created, e);
}

int catalog_sqlite_publish_check(struct catalog_sqlite_conn *c, const struct catalog_limits *l,
	const char *model, const struct digest *root, uint64_t bytes, struct err *e)
{
	const struct catalog_publish p = {.model = model, .root = *root};
	uint64_t version;
	bool same = false;
	int r = newest_has_root(c, &p, &version, &same, e);

	return r < 0 || same ? r : catalog_sqlite_usage_require(c, l, model, bytes, e);
}

static int newest_bytes(struct catalog_sqlite_conn *c, const char *model, uint64_t *ret,
	struct err *e)
{
	static const char sql[] =
		"SELECT v.bytes FROM models m"
		" JOIN versions v ON v.model = m.name AND v.version = m.latest WHERE m.name = $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r;

	catalog_sqlite_conn_text(&q, "$1", model);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r == 0)
		*ret = row ? catalog_sqlite_conn_col_uint(&q, 0) : 0;
	return r;
}

int catalog_sqlite_publish_room(struct catalog_sqlite_conn *c, const struct catalog_limits *l,
	const char *model, uint64_t bytes, uint64_t *ret_most, struct err *e)
{
	uint64_t newest = 0;
	int r = catalog_sqlite_usage_left(c, l, model, ret_most, e);

	if (r == 0)
		r = newest_bytes(c, model, &newest, e);
	if (r == 0 && newest > *ret_most)
		*ret_most = newest;
	return r < 0 || bytes <= *ret_most ? r :
		catalog_sqlite_usage_require(c, l, model, bytes, e);
}

/* A version of the model, or the newest one when that has these very files. */
static int make_version(struct catalog_sqlite_conn *c, const struct catalog_publish *p,
	uint64_t *ret_version, bool *ret_deduplicated, uint64_t *ret_created_ms, struct err *e)
{
	int r = newest_has_root(c, p, ret_version, ret_deduplicated, e);

	if (r == 0 && *ret_deduplicated)
		r = claim_damaged(c, p, e);
	else if (r == 0)
		r = add_version(c, p, ret_version, ret_created_ms, e);
	if (r == 0 && p->label)
		r = move_label(c, p, *ret_version, e);
	if (r == 0 && p->upload)
		r = catalog_sqlite_upload_end_publish(c, p->upload, *ret_version, e);
	return r;
}

int catalog_sqlite_publish_version(struct catalog_sqlite_conn *c, const struct catalog_publish *p,
	uint64_t *ret_version, bool *ret_deduplicated, uint64_t *ret_created_ms, struct err *e)
{
	uint64_t before = 0;
	int r = 0;

	if (p->upload)
		r = catalog_sqlite_upload_begin_publish(c, p->upload, p->upload_revision, &before,
			e);
	if (r < 0)
		return r;
	if (before == 0)
		return make_version(c, p, ret_version, ret_deduplicated, ret_created_ms, e);
	*ret_version = before;
	*ret_deduplicated = true;
	return catalog_sqlite_publish_unstage(c, p->blobs, p->blobs_n, e);
}
