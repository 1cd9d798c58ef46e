/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json/json.h"
#include "common/base/num.h"
#include "common/json/json_arena.h"
#include "common/json/json_mistake.h"
#include "common/json/json_scan.h"

#include <cjson/cJSON.h>
#include <pthread.h>
#include <string.h>

struct json_doc {
	cJSON *root;
	struct json_arena arena; /* all of the tree */
};

/* A `struct json` is a cJSON under another name, so that nobody else sees the library. */
static const cJSON *inner(const struct json *v)
{
	return (const cJSON *)v;
}

static const struct json *outer(const cJSON *v)
{
	return (const struct json *)v;
}

static bool is_space(const char *from, const char *to)
{
	while (from < to && *from != '\0' && strchr(" \t\r\n", *from))
		from++;
	return from == to;
}

/* The library has one allocator for the process. */
static void take_from_arenas(void)
{
	cJSON_Hooks hooks = {.malloc_fn = json_arena_alloc, .free_fn = json_arena_keep};

	cJSON_InitHooks(&hooks);
}

/* The scan has accepted the text, so what the library refuses now is for want of memory; that it
 * read all of it is checked for the sake of both. */
static int build_tree(const char *bytes, size_t n, struct json_doc *doc, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	size_t bom = json_mistake_bom((struct str){bytes, n});
	const char *end = NULL;

	(void)pthread_once(&once, take_from_arenas);
	json_arena_use(&doc->arena);
	doc->root = cJSON_ParseWithLengthOpts(bytes + bom, n - bom, &end, 0);
	json_arena_use(NULL);
	if (!doc->root)
		return err_nomem(e);
	if (!is_space(end, bytes + n))
		return json_mistake_at((struct str){bytes, n}, (size_t)(end - bytes), e,
			"cannot read on from here");
	return 0;
}

int json_parse(const char *bytes, size_t n, const struct json_limits *limits,
	struct json_doc **ret, struct err *e)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	struct json_limits own = *limits;
	int r;

	if (own.max_depth > CJSON_NESTING_LIMIT)
		own.max_depth = CJSON_NESTING_LIMIT;
	r = json_scan(bytes, n, &own, NULL, NULL, e);
	if (r < 0)
		return r;
	doc = calloc(1, sizeof(*doc));
	if (!doc)
		return err_nomem(e);
	r = build_tree(bytes, n, doc, e);
	if (r < 0)
		return r;
	*ret = take_ptr(doc);
	return 0;
}

void json_doc_free(struct json_doc *doc)
{
	if (!doc)
		return;
	json_arena_done(&doc->arena);
	free(doc);
}

const struct json *json_root(const struct json_doc *doc)
{
	return outer(doc->root);
}

enum json_type json_type(const struct json *v)
{
	static const struct {
		int theirs;
		enum json_type ours;
	} types[] = {
		{cJSON_False, JSON_FALSE},   {cJSON_True, JSON_TRUE},   {cJSON_Number, JSON_NUMBER},
		{cJSON_String, JSON_STRING}, {cJSON_Array, JSON_ARRAY}, {cJSON_Object, JSON_OBJECT},
	};

	for (size_t i = 0; v && i < ARRAY_SIZE(types); i++)
		if (inner(v)->type & types[i].theirs)
			return types[i].ours;
	return JSON_NULL;
}

const char *json_type_name(enum json_type type)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",
		[JSON_FALSE] = "false",
		[JSON_TRUE] = "true",
		[JSON_NUMBER] = "number",
		[JSON_STRING] = "string",
		[JSON_ARRAY] = "array",
		[JSON_OBJECT] = "object",
	};

	return names[type];
}

const struct json *json_get(const struct json *object, const char *key)
{
	if (!json_is(object, JSON_OBJECT))
		return NULL;
	return outer(cJSON_GetObjectItemCaseSensitive(inner(object), key));
}

const struct json *json_get_set(const struct json *object, const char *key)
{
	const struct json *v = json_get(object, key);

	return json_type(v) == JSON_NULL ? NULL : v;
}

const struct json *json_first(const struct json *container)
{
	if (!json_is(container, JSON_OBJECT) && !json_is(container, JSON_ARRAY))
		return NULL;
	return outer(inner(container)->child);
}

const struct json *json_next(const struct json *v)
{
	return v ? outer(inner(v)->next) : NULL;
}

size_t json_count(const struct json *container)
{
	size_t n = 0;

	for (const struct json *v = json_first(container); v; v = json_next(v))
		n++;
	return n;
}

const char *json_key(const struct json *member)
{
	return member ? inner(member)->string : NULL;
}

const char *json_str(const struct json *v)
{
	return json_is(v, JSON_STRING) ? inner(v)->valuestring : NULL;
}

bool json_bool(const struct json *v, bool *ret)
{
	if (!json_is(v, JSON_TRUE) && !json_is(v, JSON_FALSE))
		return false;
	*ret = json_type(v) == JSON_TRUE;
	return true;
}

bool json_double(const struct json *v, double *ret)
{
	if (!json_is(v, JSON_NUMBER))
		return false;
	*ret = inner(v)->valuedouble;
	return true;
}

bool json_uint(const struct json *v, uint64_t max, uint64_t *ret)
{
	double d;

	if (max > NUM_SAFE_INTEGER_MAX)
		max = NUM_SAFE_INTEGER_MAX;
	if (!json_double(v, &d) || !(d >= 0) || d > (double)max || (double)(uint64_t)d != d)
		return false;
	*ret = (uint64_t)d;
	return true;
}
