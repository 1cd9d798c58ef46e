/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json/json.h"
#include "common/base/num.h"
#include "common/json/json_arena.h"
#include "common/json/json_mistake.h"
#include "common/json/json_number.h"
#include "common/json/json_scan.h"
#include "common/json/json_string.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

/* In cJSON.type, above the bits of the library. */
enum mark {
	UNREADABLE_KEY = 1 << 16,
	UNREADABLE_VALUE = 1 << 17,
	KEY_WAS_READ = 1 << 18,
	VALUE_WAS_READ = 1 << 19,
};

struct json_doc {
	cJSON *root;
	struct json_arena arena; /* all of the tree */
	struct json_limits limits;
	bool has_unreadable;
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

/* Somebody asks what a key or a value says. The tree is the document's own and no constant; only
 * the readers' view of it is. */
static void note_reading(const struct json *v, int unreadable, int was_read)
{
	cJSON *own = (cJSON *)(uintptr_t)v;

	if (own->type & unreadable)
		own->type |= was_read;
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

/* ---- unreadable values ---- */

/* A copy of the text with the escapes masked that the library would refuse, or cut a string at. */
struct masked {
	const char *bytes;
	size_t n;
	char *copy; /* NULL: there is nothing to mask */
};

static void masked_done(struct masked *m)
{
	free(m->copy);
}

static int mask_token(void *cls, const struct json_token *t, struct err *e)
{
	struct masked *m = cls;

	if (!t->unreadable)
		return 0;
	if (!m->copy) {
		m->copy = malloc(m->n);
		if (!m->copy)
			return err_nomem(e);
		memcpy(m->copy, m->bytes, m->n);
	}
	if (t->event != JSON_EVENT_NUMBER)
		json_string_mask(m->copy + t->offset, t->n);
	return 0;
}

static bool is_masked(const char *text)
{
	return text && strchr(text, JSON_STRING_MASK);
}

/* As deep as the text is nested. */
static void mark_unreadable(cJSON *v)
{
	for (; v; v = v->next) {
		if (is_masked(v->string))
			v->type |= UNREADABLE_KEY;
		if (cJSON_IsString(v) ? is_masked(v->valuestring) :
			cJSON_IsNumber(v) && isinf(v->valuedouble))
			v->type |= UNREADABLE_VALUE;
		mark_unreadable(v->child);
	}
}

/* Counts unreadable keys and values in the order of the text up to the first that was read. */
static bool find_read(const cJSON *v, size_t *before)
{
	for (; v; v = v->next) {
		if (v->type & KEY_WAS_READ)
			return true;
		*before += (v->type & UNREADABLE_KEY) != 0;
		if (v->type & VALUE_WAS_READ)
			return true;
		*before += (v->type & UNREADABLE_VALUE) != 0;
		if (find_read(v->child, before))
			return true;
	}
	return false;
}

struct refusal {
	struct str text;
	size_t before; /* unreadable tokens to let pass */
};

/* A scan that keeps nothing says what is wrong, and where. */
static int refuse_token(void *cls, const struct json_token *t, struct err *e)
{
	struct refusal *x = cls;
	struct json_string_seen seen;
	size_t end;
	bool infinite;

	if (!t->unreadable || x->before-- > 0)
		return 0;
	if (t->event == JSON_EVENT_NUMBER)
		return json_number_scan(x->text, t->offset, false, &end, &infinite, e);
	return json_string_scan(x->text, t->offset, false, &seen, e);
}

int json_check_read(const struct json_doc *doc, const char *bytes, size_t n, struct err *e)
{
	struct refusal x = {.text = {bytes, n}};

	if (!doc->has_unreadable || !find_read(doc->root, &x.before))
		return 0;
	return json_scan(bytes, n, &doc->limits, refuse_token, &x, e);
}

/* ---- documents ---- */

static int read_text(const char *bytes, size_t n, struct json_doc *doc, struct err *e)
{
	CLEANUP(masked_done) struct masked masked = {.bytes = bytes, .n = n};
	int r = json_scan(bytes, n, &doc->limits, mask_token, &masked, e);

	if (r < 0)
		return r;
	r = build_tree(masked.copy ? masked.copy : bytes, n, doc, e);
	if (r < 0)
		return r;
	doc->has_unreadable = masked.copy;
	if (doc->has_unreadable)
		mark_unreadable(doc->root);
	return 0;
}

int json_parse(const char *bytes, size_t n, const struct json_limits *limits,
	struct json_doc **ret, struct err *e)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc = calloc(1, sizeof(*doc));
	int r;

	if (!doc)
		return err_nomem(e);
	doc->limits = *limits;
	if (doc->limits.max_depth > CJSON_NESTING_LIMIT)
		doc->limits.max_depth = CJSON_NESTING_LIMIT;
	r = read_text(bytes, n, doc, e);
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

const char *json_key_to_compare(const struct json *member)
{
	return member ? inner(member)->string : NULL;
}

const char *json_key(const struct json *member)
{
	if (member)
		note_reading(member, UNREADABLE_KEY, KEY_WAS_READ);
	return json_key_to_compare(member);
}

const char *json_str_if_readable(const struct json *v)
{
	if (!json_is(v, JSON_STRING) || inner(v)->type & UNREADABLE_VALUE)
		return NULL;
	return inner(v)->valuestring;
}

bool json_str_is(const struct json *v, const char *text)
{
	return json_is(v, JSON_STRING) && strcmp(inner(v)->valuestring, text) == 0;
}

const char *json_str(const struct json *v)
{
	if (!json_is(v, JSON_STRING))
		return NULL;
	note_reading(v, UNREADABLE_VALUE, VALUE_WAS_READ);
	return inner(v)->valuestring;
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
	note_reading(v, UNREADABLE_VALUE, VALUE_WAS_READ);
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
