/* SPDX-License-Identifier: Apache-2.0 */
/* The data plane: a file of a version, byte for byte, or model.json under a name that moves. */
#include "common/model/filepath.h"
#include "common/model/modeljson.h"
#include "server/api/api_files.h"
#include "server/api/api.h"
#include "server/api/api_near.h"

#include <stdio.h>

#define CACHE_KEY_MAX (REF_TEXT_MAX + 1 + FILEPATH_MAX)
#define CC_IMMUTABLE  "public, max-age=31536000, immutable"
#define CC_MUTABLE    "no-cache"
#define RESOLVE_TRIES 3

/* A rewritten model.json grows by at most this much for each shard. */
#define REWRITE_GROWTH (4u * REF_NAME_MAX)

struct get {
	struct ref ref;
	struct api_cache_epoch epoch;
	struct buf key;   /* of the cache: canonical ref "/" path */
	const char *path; /* into `key` */
};

static void get_free(void *p)
{
	struct get *g = p;

	buf_done(&g->key);
	free(g);
}

/* A name that cannot exist is as absent as one that does not. */
static int parse_target(struct req *r, struct ref *ret, struct err *e)
{
	int result = ref_parse(req_capture(r, 0), ret, e);

	if (result < 0 && e->code != ERR_OUT_OF_MEMORY) {
		e->code = ERR_MODEL_NOT_FOUND;
		result = -(int)e->code;
	}
	return result;
}

static int get_new(struct req *r, struct get **ret, struct err *e)
{
	struct str path = req_capture(r, 1);
	struct get *g = calloc(1, sizeof(*g));

	if (!g)
		return err_nomem(e);
	buf_init(&g->key, CACHE_KEY_MAX);
	req_set_state(r, g, get_free);
	int result = parse_target(r, &g->ref, e);
	if (result < 0)
		return result;
	if (path.n > FILEPATH_MAX)
		return err_set(e, ERR_FILE_NOT_FOUND, "no file has a path of more than %d bytes",
			FILEPATH_MAX);
	ref_format(&g->ref, &g->key);
	buf_add_char(&g->key, '/');
	size_t path_at = g->key.len;
	if (path.n > 0)
		buf_add(&g->key, path.p, path.n);
	else
		buf_add_str(&g->key, FILEPATH_MODEL);
	result = buf_check(&g->key, "the path", e);
	if (result < 0)
		return result;
	g->path = g->key.data + path_at;
	*ret = g;
	return 0;
}

static struct str key_of(const struct get *g)
{
	return (struct str){g->key.data, g->key.len};
}

static int files_head(struct req *r, struct err *e)
{
	struct app *app = req_app(r);
	struct get *g;
	int result = get_new(r, &g, e);

	if (result < 0)
		return result;
	g->epoch = api_cache_epoch(app->cache, g->ref.name);
	CLEANUP(api_cache_release_p)
	struct api_cache_entry *hit = api_cache_find(app->cache, key_of(g));
	if (hit)
		req_entity(r, api_cache_entity(hit));
	return 0;
}

struct headers {
	struct entity_header items[2];
	size_t n;
	char etag[DIGEST_HEX + 16];
	char repr_digest[DIGEST_FIELD];
	char location[32 + REF_TEXT_MAX + 3 * FILEPATH_MAX];
};

/* Validators, and the pinned URL of what a mutable one showed. */
static void fill_headers(struct headers *h, const struct digest *digest, const struct get *g,
	const struct catalog_version *v)
{
	char hex[DIGEST_HEX + 1];
	CLEANUP_BUF struct buf path = BUF_INIT(3 * FILEPATH_MAX);

	(void)snprintf(h->etag, sizeof(h->etag), "\"sha256-%s\"", digest_hex(digest, hex));
	h->items[h->n++] = (struct entity_header){
		"Repr-Digest", digest_field(digest, h->repr_digest)};
	if (ref_is_pinned(&g->ref))
		return;
	str_percent_encode_path(str_of(g->path), &path);
	(void)snprintf(h->location, sizeof(h->location), "/models/%s@%llu/%s", v->model,
		(unsigned long long)v->version, buf_str(&path));
	h->items[h->n++] = (struct entity_header){"Content-Location", h->location};
}

static void release_blob(void *blob)
{
	blob_unref(blob);
}

static struct entity_options describe(const struct get *g, const struct catalog_version *v,
	const struct catalog_version_file *file, const struct headers *h)
{
	return (struct entity_options){
		.content_type = filepath_media_type(str_of(file->path)),
		.etag = h->etag,
		.modified_ms = v->created_ms,
		.cache_control = ref_is_pinned(&g->ref) ? CC_IMMUTABLE : CC_MUTABLE,
		.headers = h->items,
		.headers_n = h->n,
	};
}

static struct entity *stored_entity(const struct get *g, const struct catalog_version *v,
	const struct catalog_version_file *file, struct blob *blob)
{
	struct headers h = {.n = 0};

	fill_headers(&h, &file->key.digest, g, v);
	struct entity_options o = describe(g, v, file, &h);
	o.bytes = blob_data(blob);
	o.size = blob_size(blob);
	o.release = release_blob;
	o.cls = blob_ref(blob);
	return entity_new(&o);
}

/* model.json with its shards' paths leading to the pinned version, so that a page that loads it
 * while the name moves on still gets one consistent version. */
static int rewritten_entity(const struct get *g, const struct catalog_version *v,
	const struct catalog_version_file *file, struct blob *blob, struct entity **ret,
	struct err *e)
{
	char prefix[REF_NAME_MAX + 32];
	CLEANUP_BUF struct buf json = BUF_INIT(blob_size(blob) +
		MANIFEST_PATHS_MAX * (uint64_t)REWRITE_GROWTH);
	struct headers h = {.n = 0};
	struct digest digest;

	(void)snprintf(prefix, sizeof(prefix), "../%s@%llu/", ref_last_segment(v->model),
		(unsigned long long)v->version);
	int result = modeljson_rewrite_paths((const char *)blob_data(blob), blob_size(blob), prefix,
		&json, e);
	if (result == 0)
		result = digest_of(json.data, json.len, &digest, e);
	if (result < 0)
		return result;
	fill_headers(&h, &digest, g, v);
	struct entity_options o = describe(g, v, file, &h);
	o.size = json.len;
	o.cls = buf_take(&json, NULL);
	o.bytes = o.cls;
	o.release = free;
	*ret = entity_new(&o);
	return *ret ? 0 : err_nomem(e);
}

static int resolve_entity(struct app *app, const struct get *g, struct entity **ret,
	uint64_t *ret_heap, struct err *e)
{
	const struct catalog_version_file *file;
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	CLEANUP(blob_unref_p) struct blob *blob = NULL;
	int result = registry_resolve(app->registry, &g->ref, &v, e);

	if (result == 0)
		result = registry_open_file(app->registry, v, g->path, &file, &blob, e);
	if (result < 0)
		return result;
	*ret_heap = 0;
	if (!ref_is_pinned(&g->ref) && strcmp(file->path, FILEPATH_MODEL) == 0) {
		result = rewritten_entity(g, v, file, blob, ret, e);
		if (result == 0)
			*ret_heap = entity_size(*ret);
		return result;
	}
	*ret = stored_entity(g, v, file, blob);
	return *ret ? 0 : err_nomem(e);
}

/* *ret_heap is what the entity owns beside mapped files. Between the look into the catalog and the
 * opening of the file a version may be deleted and collected: a name that moves has moved on. */
static int make_entity(struct app *app, const struct get *g, struct entity **ret,
	uint64_t *ret_heap, struct err *e)
{
	int result = -(int)ERR_DELETED;

	for (int i = 0; i < RESOLVE_TRIES && result == -(int)ERR_DELETED; i++) {
		result = resolve_entity(app, g, ret, ret_heap, e);
		if (ref_is_pinned(&g->ref))
			break;
	}
	return result;
}

static int files_work(struct req *r, struct err *e)
{
	struct app *app = req_app(r);
	struct get *g = req_state(r);
	CLEANUP(entity_unref_p) struct entity *entity = NULL;
	uint64_t heap_bytes;
	int result = make_entity(app, g, &entity, &heap_bytes, e);

	if (result < 0)
		return result;
	api_cache_put(app->cache, key_of(g), entity, heap_bytes, &g->epoch,
		ref_is_pinned(&g->ref));
	req_entity(r, entity);
	return 0;
}

/* A path in canonical spelling, which most are, is a key as it stands: what needs decoding, or is
 * refused, matches none. */
struct entity *api_files_peek(void *cls, unsigned loop, struct str path)
{
	static const char root[] = "/models/";
	size_t n = sizeof(root) - 1;
	const struct app *app = cls;

	if (!str_starts(path, root))
		return NULL;
	return api_near_find(app->near, loop, (struct str){path.p + n, path.n - n});
}

void api_files_tick(void *cls, unsigned loop)
{
	const struct app *app = cls;

	api_near_tidy(app->near, loop);
}

const struct handler api_files = {
	.name = "file",
	.head = files_head,
	.work = files_work,
};

int api_files_newest(struct req *r, const char *model, const char *path, struct err *e)
{
	struct get g = {.ref = {.kind = REF_LATEST}, .path = path};
	CLEANUP(entity_unref_p) struct entity *entity = NULL;
	uint64_t heap_bytes;

	(void)snprintf(g.ref.name, sizeof(g.ref.name), "%s", model);
	int result = make_entity(req_app(r), &g, &entity, &heap_bytes, e);
	if (result == 0)
		req_entity(r, entity);
	return result;
}
