/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_represent.h"
#include "common/ingest/encode.h"
#include "common/model/filepath.h"
#include "common/model/modeljson.h"
#include "server/auth/authority.h"

#include <stdio.h>

#define RESOLVE_TRIES 3
#define MAPPED_HEAP   4096 /* of a mapped blob the last page is a copy */

/* What an entity takes beside bodies that are its own: in each coding two answers with their
 * headers, which libmicrohttpd keeps one by one, and a page at the end of a mapping. */
#define FORM_BYTES  (12u << 10)
#define OTHER_BYTES (8u << 10)

/* A rewritten model.json grows by at most this much for each shard. */
#define REWRITE_GROWTH (4u * REF_NAME_MAX)

/* One representation while it is made. */
struct making {
	struct app *app;
	const struct ref *ref;
	const char *path;
	const struct catalog_version *version;
	const struct catalog_version_file *file;
	struct blob *blob; /* the file's bytes */
	struct entity_options o;
	uint64_t heap_bytes;
	char etags[CODINGS_N][DIGEST_HEX + 16];
	char digests[CODINGS_N][DIGEST_FIELD];
	struct entity_header headers[2];
	char location_text[32 + REF_TEXT_MAX + 3 * FILEPATH_MAX];
};

static const struct {
	enum coding coding;
	enum encode_coding made_by;
} codings[] = {
	{CODING_BR,   ENCODE_BROTLI},
	{CODING_GZIP, ENCODE_GZIP  },
};

/* ---- forms ---- */

static void release_blob(void *blob)
{
	blob_unref(blob);
}

/* Without bytes so far. */
static struct entity_form *add_form(struct making *m, enum coding coding,
	const struct digest *digest)
{
	struct entity_form *form = &m->o.forms[coding];
	char hex[DIGEST_HEX + 1];

	(void)snprintf(m->etags[coding], sizeof(m->etags[coding]), "\"sha256-%s\"",
		digest_hex(digest, hex));
	form->etag = m->etags[coding];
	form->repr_digest = digest_field(digest, m->digests[coding]);
	m->heap_bytes += FORM_BYTES;
	return form;
}

/* Takes the reference over. */
static void add_blob(struct making *m, enum coding coding, const struct digest *digest,
	struct blob *blob)
{
	struct entity_form *form = add_form(m, coding, digest);

	form->bytes = blob_data(blob);
	form->size = blob_size(blob);
	form->release = release_blob;
	form->cls = blob;
	m->heap_bytes += MAPPED_HEAP;
}

/* Takes the content over. */
static int add_bytes(struct making *m, enum coding coding, struct buf *bytes, struct err *e)
{
	struct digest digest;
	int r = digest_of(bytes->data, bytes->len, &digest, e);

	if (r < 0)
		return r;
	struct entity_form *form = add_form(m, coding, &digest);
	form->size = bytes->len;
	form->cls = buf_take(bytes, NULL);
	form->bytes = form->cls;
	form->release = free;
	m->heap_bytes += form->size;
	return 0;
}

static void drop_forms(struct making *m)
{
	for (size_t i = 0; i < CODINGS_N; i++)
		if (m->o.forms[i].release)
			m->o.forms[i].release(m->o.forms[i].cls);
}

/* ---- the file as it was published ---- */

static int add_stored(struct making *m, struct err *e)
{
	add_blob(m, CODING_IDENTITY, &m->file->key.digest, blob_ref(m->blob));
	for (size_t i = 0; i < ARRAY_SIZE(codings); i++) {
		struct blob *coded = NULL;
		struct digest digest;
		int r = registry_open_coded(m->app->registry, m->file, codings[i].made_by, &coded,
			&digest, e);

		if (r < 0)
			return r;
		if (coded)
			add_blob(m, codings[i].coding, &digest, coded);
	}
	return 0;
}

/* ---- model.json under a name that moves ---- */

static int add_coded(struct making *m, const struct entity_form *identity, struct err *e)
{
	const struct str json = {identity->bytes, (size_t)identity->size};

	for (size_t i = 0; i < ARRAY_SIZE(codings); i++) {
		CLEANUP_BUF struct buf coded = BUF_INIT(json.n);
		bool pays = false;
		int r = encode_buf(codings[i].made_by, json, &coded, &pays, e);

		if (r == 0 && pays)
			r = add_bytes(m, codings[i].coding, &coded, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* With its shards' paths leading to the pinned version, so that a page that loads it while the name
 * moves on still gets one consistent version. */
static int add_rewritten(struct making *m, struct err *e)
{
	char prefix[REF_NAME_MAX + 32];
	CLEANUP(blob_unref_p) struct blob *whole = NULL;
	CLEANUP_BUF struct buf json = BUF_INIT(m->file->size +
		MANIFEST_PATHS_MAX * (uint64_t)REWRITE_GROWTH);
	int r = registry_load_file(m->app->registry, m->version, m->file->path, &m->file, &whole,
		e);

	if (r < 0)
		return r;
	(void)snprintf(prefix, sizeof(prefix), "../%s@%llu/", ref_last_segment(m->version->model),
		(unsigned long long)m->version->version);
	r = modeljson_rewrite_paths((const char *)blob_data(whole), (size_t)blob_size(whole),
		prefix, &json, e);
	if (r == 0)
		r = add_bytes(m, CODING_IDENTITY, &json, e);
	return r < 0 ? r : add_coded(m, &m->o.forms[CODING_IDENTITY], e);
}

/* ---- all of it ---- */

const char *api_represent_caching(bool is_pinned, bool is_private)
{
	if (is_private)
		return is_pinned ? "private, max-age=31536000, immutable" : "private, no-cache";
	return is_pinned ? "public, max-age=31536000, immutable" : "no-cache";
}

/* The pinned URL of what a mutable one showed. */
static void add_location(struct making *m)
{
	CLEANUP_BUF struct buf path = BUF_INIT(3 * FILEPATH_MAX);

	str_percent_encode_path(str_of(m->path), &path);
	(void)snprintf(m->location_text, sizeof(m->location_text), "/models/%s@%llu/%s",
		m->version->model, (unsigned long long)m->version->version, buf_str(&path));
	m->headers[m->o.headers_n++] = (struct entity_header){
		"Content-Location", m->location_text};
}

/* Text gets coded forms soon after it was published, when they are not there yet. */
static bool is_text(const char *media_type)
{
	return strncmp(media_type, "text/", 5) == 0 || strcmp(media_type, "application/json") == 0;
}

static int make(struct making *m, struct entity **ret, struct err *e)
{
	bool is_pinned = ref_is_pinned(m->ref);
	int r;

	m->o.content_type = filepath_media_type(str_of(m->file->path));
	m->o.is_negotiated = is_text(m->o.content_type);
	/* Of a name that moves the ETag is the only validator: it may go back to what was made
	 * earlier, or move twice in a second, and a date would say that nothing has changed
	 * (RFC 9110 8.8.2.2). */
	m->o.modified_ms = is_pinned ? m->version->created_ms : 0;
	m->o.cache_control = api_represent_caching(is_pinned,
		!authority_is_public(m->app->authority, m->version->model));
	m->o.headers = m->headers;
	/* Whoever publishes chooses the bytes: should a browser show them as a page, it is one
	 * without scripts and of no origin. */
	m->headers[m->o.headers_n++] = (struct entity_header){
		"Content-Security-Policy", "sandbox"};
	if (!is_pinned)
		add_location(m);
	r = is_pinned || strcmp(m->file->path, FILEPATH_MODEL) != 0 ? add_stored(m, e)
								   : add_rewritten(m, e);
	if (r < 0) {
		drop_forms(m);
		return r;
	}
	*ret = entity_new(&m->o);
	return *ret ? 0 : err_nomem(e);
}

static int represent_now(struct app *app, const struct ref *ref, const char *path,
	struct entity **ret, uint64_t *ret_heap, struct err *e)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	CLEANUP(blob_unref_p) struct blob *blob = NULL;
	struct making m = {.app = app, .ref = ref, .path = path, .heap_bytes = OTHER_BYTES};
	int r = registry_resolve(app->registry, ref, &v, e);

	if (r == 0)
		r = registry_open_file(app->registry, v, path, &m.file, &blob, e);
	if (r < 0)
		return r;
	m.version = v;
	m.blob = blob;
	r = make(&m, ret, e);
	*ret_heap = m.heap_bytes;
	return r;
}

/* Between the look into the catalog and the opening of the file a version may be deleted and
 * collected: a name that moves has moved on. */
int api_represent(struct app *app, const struct ref *ref, const char *path, struct entity **ret,
	uint64_t *ret_heap, struct err *e)
{
	int r = -(int)ERR_DELETED;

	for (int i = 0; i < RESOLVE_TRIES && r == -(int)ERR_DELETED; i++) {
		r = represent_now(app, ref, path, ret, ret_heap, e);
		if (ref_is_pinned(ref))
			break;
	}
	return r;
}
