/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_openapi_parts.h"
#include "common/base/num.h"
#include "server/api/openapi_text.inc"

#include <stdio.h>

#define KEY_MAX 256

static const struct json_limits limits = {1u << 20, 50000, JSON_WRITE_DEPTH, false};

int api_openapi_parts_read(struct api_openapi_parts *ret, struct err *e)
{
	const struct {
		const unsigned char *text;
		size_t n;
	} texts[] = {
		{about_json, sizeof(about_json)},
		{operations_json, sizeof(operations_json)},
		{components_json, sizeof(components_json)},
	};
	int result = 0;

	*ret = (struct api_openapi_parts){.docs = {NULL}};
	for (size_t i = 0; result == 0 && i < ARRAY_SIZE(texts); i++)
		result = json_parse((const char *)texts[i].text, texts[i].n, &limits, &ret->docs[i],
			e);
	if (result < 0)
		return result;
	ret->about = json_root(ret->docs[0]);
	ret->traits = json_get(json_root(ret->docs[1]), "traits");
	ret->operations = json_get(json_root(ret->docs[1]), "operations");
	ret->components = json_root(ret->docs[2]);
	return 0;
}

void api_openapi_parts_done(struct api_openapi_parts *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(p->docs); i++)
		json_doc_free(p->docs[i]);
}

int api_openapi_parts_operation(const struct api_openapi_parts *p, const char *method,
	const char *pattern, const struct json **ret, struct err *e)
{
	char key[KEY_MAX];

	(void)snprintf(key, sizeof(key), "%s %s", method, pattern);
	*ret = json_get(p->operations, key);
	return *ret ? 0 : err_set(e, ERR_INTERNAL, "no operation describes %s", key);
}

static void copy_members(struct json_write *w, const struct json *v)
{
	for (const struct json *x = json_first(v); x; x = json_next(x))
		api_openapi_parts_copy(w, json_key(x), x);
}

static void copy_number(struct json_write *w, const char *key, const struct json *v)
{
	uint64_t whole;
	double d = 0;

	if (json_uint(v, NUM_SAFE_INTEGER_MAX, &whole)) {
		json_write_uint(w, key, whole);
		return;
	}
	(void)json_double(v, &d);
	json_write_double(w, key, d);
}

void api_openapi_parts_copy(struct json_write *w, const char *key, const struct json *v)
{
	if (!v)
		return;
	switch (json_type(v)) {
	case JSON_OBJECT:
		json_write_object(w, key);
		copy_members(w, v);
		json_write_object_end(w);
		break;
	case JSON_ARRAY:
		json_write_array(w, key);
		copy_members(w, v);
		json_write_array_end(w);
		break;
	case JSON_STRING:
		json_write_str(w, key, json_str(v));
		break;
	case JSON_NUMBER:
		copy_number(w, key, v);
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		json_write_bool(w, key, json_type(v) == JSON_TRUE);
		break;
	default:
		json_write_null(w, key);
	}
}
