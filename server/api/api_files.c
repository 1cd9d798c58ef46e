/* SPDX-License-Identifier: Apache-2.0 */
/* The data plane: a file of a version, byte for byte, or model.json under a name that moves. */
#include "common/model/filepath.h"
#include "server/api/api_files.h"
#include "server/api/api.h"
#include "server/api/api_near.h"
#include "server/api/api_represent.h"

#include <pthread.h>
#include <stdio.h>

#define CACHE_KEY_MAX (REF_TEXT_MAX + 1 + FILEPATH_MAX)

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

static bool answer_from_cache(struct req *r, struct app *app, const struct get *g)
{
	CLEANUP(api_cache_release_p)
	struct api_cache_entry *hit = api_cache_find(app->cache, key_of(g));

	if (hit)
		req_entity(r, api_cache_entity(hit));
	return hit;
}

static int files_head(struct req *r, struct err *e)
{
	struct app *app = req_app(r);
	struct get *g;
	int result = get_new(r, &g, e);

	if (result < 0)
		return result;
	g->epoch = api_cache_epoch(app->cache, g->ref.name);
	(void)answer_from_cache(r, app, g);
	return 0;
}

/* Rewriting a large model.json takes long and much memory: of several who ask for it at once, one
 * makes it. Keys share locks. */
static pthread_mutex_t making[8] = {[0 ... 7] = PTHREAD_MUTEX_INITIALIZER};

static unsigned kind_of(const struct app *app, const struct get *g)
{
	return (ref_is_pinned(&g->ref) ? API_CACHE_PINNED : 0u) |
		(authority_is_public(app->authority, g->ref.name) ? API_CACHE_PUBLIC : 0u);
}

static int make_and_keep(struct req *r, struct app *app, const struct get *g, struct err *e)
{
	CLEANUP(entity_unref_p) struct entity *entity = NULL;
	uint64_t heap_bytes;
	int result = api_represent(app, &g->ref, g->path, &entity, &heap_bytes, e);

	if (result < 0)
		return result;
	api_cache_put(app->cache, key_of(g), entity, heap_bytes, &g->epoch, kind_of(app, g));
	req_entity(r, entity);
	return 0;
}

static int files_work(struct req *r, struct err *e)
{
	struct app *app = req_app(r);
	const struct get *g = req_state(r);
	pthread_mutex_t *lock = &making[api_cache_hash(key_of(g)) % ARRAY_SIZE(making)];
	int result = 0;

	pthread_mutex_lock(lock);
	if (!answer_from_cache(r, app, g))
		result = make_and_keep(r, app, g, e);
	pthread_mutex_unlock(lock);
	return result;
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
	.scope = SCOPE_READ,
	.target = HANDLER_REF,
	.head = files_head,
	.work = files_work,
};

int api_files_newest(struct req *r, const char *model, const char *path, struct err *e)
{
	struct ref ref = {.kind = REF_LATEST};
	CLEANUP(entity_unref_p) struct entity *entity = NULL;
	uint64_t heap_bytes;

	(void)snprintf(ref.name, sizeof(ref.name), "%s", model);
	int result = api_represent(req_app(r), &ref, path, &entity, &heap_bytes, e);
	if (result == 0)
		req_entity(r, entity);
	return result;
}
