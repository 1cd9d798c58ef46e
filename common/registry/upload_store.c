/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/upload_store.h"
#include "common/base/clock.h"
#include "common/base/num.h"
#include "common/model/rootdigest.h"
#include "common/registry/registry_encode.h"
#include "common/registry/staging_internal.h"

#include <string.h>

/* From the intent to the commit; syncing tens of gigabytes to a slow disk takes minutes. */
#define INTENT_MS UINT64_C(3600000)
#define ATTEMPTS  2 /* when a collection takes a blob between staging and commit */

/* The files as the catalog wants them: distinct blobs, and for each the writer that holds its
 * bytes, or NULL when they are stored. */
struct batch {
	struct catalog_blob *blobs;
	struct blob_writer **writers; /* by blob */
	size_t blobs_n;
	struct catalog_file *files;
	size_t files_n;
};

static void batch_done(struct batch *b)
{
	free(b->blobs);
	free(b->writers);
	free(b->files);
}

static int compare_digest(const void *a, const void *b)
{
	const struct upload_file *x = *(const struct upload_file *const *)a;
	const struct upload_file *y = *(const struct upload_file *const *)b;

	return memcmp(x->digest.bytes, y->digest.bytes, DIGEST_BYTES);
}

static size_t blob_for(struct batch *b, const struct upload_file *file)
{
	size_t last = b->blobs_n - 1;

	if (b->blobs_n > 0 && digest_eq(&b->blobs[last].digest, &file->digest)) {
		if (!b->writers[last])
			b->writers[last] = file->writer;
		return last;
	}
	b->blobs[b->blobs_n] = (struct catalog_blob){.digest = file->digest, .size = file->size};
	b->writers[b->blobs_n] = file->writer;
	return b->blobs_n++;
}

static int gather(const struct upload *u, struct batch *b, struct err *e)
{
	CLEANUP_FREE const struct upload_file **sorted = calloc(u->files_n, sizeof(*sorted));

	b->blobs = calloc(u->files_n, sizeof(*b->blobs));
	b->writers = calloc(u->files_n, sizeof(*b->writers));
	b->files = calloc(u->files_n, sizeof(*b->files));
	if (!sorted || !b->blobs || !b->writers || !b->files)
		return err_nomem(e);
	b->files_n = u->files_n;
	for (size_t i = 0; i < u->files_n; i++)
		sorted[i] = &u->files[i];
	qsort(sorted, u->files_n, sizeof(*sorted), compare_digest);
	for (size_t i = 0; i < u->files_n; i++)
		b->files[i] = (struct catalog_file){
			.path = sorted[i]->path, .blob = blob_for(b, sorted[i])};
	return 0;
}

int upload_store_root(const struct upload *u, struct digest *ret, struct err *e)
{
	CLEANUP_FREE struct rootdigest_file *lines = calloc(u->files_n, sizeof(*lines));

	if (!lines)
		return err_nomem(e);
	for (size_t i = 0; i < u->files_n; i++)
		lines[i] = (struct rootdigest_file){
			.path = u->files[i].path,
			.digest = u->files[i].digest,
			.size = u->files[i].size,
		};
	return rootdigest_of(lines, u->files_n, ret, e);
}

int upload_store_require_room(const struct upload *u, struct err *e)
{
	struct registry *reg = u->registry;
	const struct catalog_limits *limits = &u->limits->o.models;
	struct digest root;
	uint64_t bytes = 0;
	int r;

	if (limits->quotas_n == 0 && limits->max_versions == 0)
		return 0;
	r = upload_store_root(u, &root, e);
	for (size_t i = 0; i < u->files_n; i++)
		if (!num_add(bytes, u->files[i].size, &bytes))
			bytes = UINT64_MAX;
	return r < 0 ? r :
		catalog_check_limits(reg->catalog, limits, u->name, &root, bytes, e);
}

/* Does the catalog still name this key? When it cannot say so, yes. */
static bool is_live(struct registry *reg, const struct catalog_blob *blob)
{
	struct catalog_blob now = {.digest = blob->digest, .size = blob->size};
	struct err ignored;

	if (catalog_stage(reg->catalog, &now, 1, clock_now_ms() + INTENT_MS, &ignored) < 0)
		return true;
	if (now.exists)
		return strcmp(now.key.gen, blob->key.gen) == 0;
	(void)REGISTRY_WITH_BALLAST(reg, catalog_unstage(reg->catalog, &now, 1, &ignored));
	return false;
}

/* A blob that the catalog knows is trusted only with its file behind it. One that a collection
 * without grace took after the staging is not damaged but gone. */
static int require_file(struct registry *reg, const struct catalog_blob *blob, struct err *e)
{
	CLEANUP(blob_unref_p) struct blob *there = NULL;
	char key[BLOB_KEY_TEXT];
	int r = blobs_open(reg->blobs, &blob->key, blob->size, &there, e);

	if (r != -(int)ERR_CORRUPT || is_live(reg, blob))
		return r;
	return err_set(e, ERR_BLOB_GONE, "blob %s was collected meanwhile",
		blob_key_text(&blob->key, key));
}

/* What was stored when the publish began is not sent with it. */
static int link_one(const struct catalog_blob *blob, struct blob_writer *writer, struct err *e)
{
	char hex[DIGEST_HEX + 1];

	if (writer)
		return blob_writer_link(writer, &blob->key, e);
	return err_set(e, ERR_BLOB_GONE,
		"the file with SHA-256 %s was collected meanwhile; send it again",
		digest_hex(&blob->digest, hex));
}

/* The bytes of all before the name of any. */
static int seal_new(struct registry *reg, const struct batch *b, struct err *e)
{
	CLEANUP_FREE struct blob_writer **writers = calloc(b->blobs_n + 1, sizeof(*writers));
	size_t n = 0;

	if (!writers)
		return err_nomem(e);
	for (size_t i = 0; i < b->blobs_n; i++)
		if (!b->blobs[i].exists && b->writers[i])
			writers[n++] = b->writers[i];
	return blobs_seal(reg->blobs, writers, n, e);
}

static int link_new(struct registry *reg, const struct batch *b, struct err *e)
{
	int r = seal_new(reg, b, e);

	for (size_t i = 0; r == 0 && i < b->blobs_n; i++)
		r = b->blobs[i].exists ? require_file(reg, &b->blobs[i], e) :
			link_one(&b->blobs[i], b->writers[i], e);
	return r;
}

static int sync_new(struct registry *reg, const struct batch *b, struct err *e)
{
	CLEANUP_FREE struct blob_key *keys = calloc(b->blobs_n, sizeof(*keys));
	size_t n = 0;

	if (!keys)
		return err_nomem(e);
	for (size_t i = 0; i < b->blobs_n; i++)
		if (!b->blobs[i].exists)
			keys[n++] = b->blobs[i].key;
	return blobs_sync(reg->blobs, keys, n, e);
}

/* What was staged or linked is trash from now on; it is removed at once where that works, else by
 * the sweeper, after the intents have expired at the latest. */
static void give_up(struct registry *reg, const struct batch *b)
{
	struct err ignored;
	size_t removed;
	int r = REGISTRY_WITH_BALLAST(reg,
		catalog_unstage(reg->catalog, b->blobs, b->blobs_n, &ignored));

	if (r == 0)
		(void)registry_sweep(reg, &removed, &ignored);
}

static int try_once(struct upload *u, const struct batch *b, const struct catalog_publish *p,
	struct upload_stored *out, struct err *e)
{
	struct registry *reg = u->registry;
	int r = catalog_stage(reg->catalog, b->blobs, b->blobs_n, clock_now_ms() + INTENT_MS, e);

	if (r < 0)
		return r;
	r = link_new(reg, b, e);
	if (r == 0)
		r = sync_new(reg, b, e);
	if (r == 0)
		r = catalog_publish(reg->catalog, p, &out->version, &out->deduplicated,
			&out->created_ms, e);
	if (r < 0)
		give_up(reg, b);
	return r;
}

/* With keys of its own the next attempt depends on no blob that a collection can take. */
static void need_keys(struct batch *b)
{
	for (size_t i = 0; i < b->blobs_n; i++)
		b->blobs[i].needs_key = b->writers[i] != NULL;
}

/* Of one that was there before. It is durable: failing to read it is no reason to say that it is
 * not. */
static uint64_t created_of(struct upload *u, uint64_t version)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct err ignored;

	if (catalog_version(u->registry->catalog, u->name, version, &v, &ignored) < 0)
		return clock_now_ms();
	return v->created_ms;
}

int upload_store_version(struct upload *u, const struct upload_store_texts *texts,
	struct upload_stored *ret, struct err *e)
{
	CLEANUP(batch_done) struct batch b = {0};
	struct upload_stored out = {0};
	struct catalog_publish p = {
		.model = u->name,
		.info = texts->info,
		.provenance = texts->provenance,
		.tensors = texts->tensors,
		.tensors_due = texts->tensors_due,
		.coded_least = REGISTRY_ENCODE_LEAST,
		.limits = &u->limits->o.models,
		.label = u->label[0] ? u->label : NULL,
		.who = u->who,
		.upload = u->staged[0] ? u->staged : NULL,
		.upload_revision = u->staged_revision,
	};
	int r = gather(u, &b, e);

	if (r == 0)
		r = upload_store_root(u, &out.root, e);
	if (r < 0)
		return r;
	p.root = out.root;
	p.blobs = b.blobs;
	p.blobs_n = b.blobs_n;
	p.files = b.files;
	p.files_n = b.files_n;
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		r = try_once(u, &b, &p, &out, e);
		if (r != -(int)ERR_BLOB_GONE)
			break;
		need_keys(&b);
	}
	if (r < 0)
		return r;
	bell_ring(&u->registry->work);
	if (p.upload)
		staging_published(u->registry, p.upload, out.version);
	if (out.created_ms == 0)
		out.created_ms = created_of(u, out.version);
	*ret = out;
	return 0;
}

int upload_store_compare(struct upload *u, struct upload_stored *ret, struct err *e)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *newest = NULL;
	struct upload_stored out = {.created_ms = clock_now_ms()};
	int r = upload_store_root(u, &out.root, e);

	if (r == 0)
		r = catalog_version(u->registry->catalog, u->name, 0, &newest, e);
	if (r < 0 && r != -(int)ERR_MODEL_NOT_FOUND && r != -(int)ERR_VERSION_NOT_FOUND)
		return r;
	if (newest && digest_eq(&newest->root, &out.root)) {
		out.deduplicated = true;
		out.version = newest->version;
	}
	*ret = out;
	return 0;
}
