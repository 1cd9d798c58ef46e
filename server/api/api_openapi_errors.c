/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_openapi_errors.h"

#include <stdio.h>

#define DESCRIPTION_MAX 4096

/* ---- which there may be ---- */

static void set(struct api_openapi_errors *x, const enum err_code *codes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x->there[codes[i]] = true;
}

#define SET(x, ...) \
	set(x, (const enum err_code[]){__VA_ARGS__}, \
		sizeof((const enum err_code[]){__VA_ARGS__}) / sizeof(enum err_code))

void api_openapi_errors_init(struct api_openapi_errors *x, const struct handler *h, bool quiet)
{
	*x = (struct api_openapi_errors){.quiet = quiet};
	SET(x, ERR_BAD_REQUEST, ERR_BAD_TARGET, ERR_TIMED_OUT, ERR_TOO_LARGE, ERR_TARGET_TOO_LONG,
		ERR_EXPECTATION_FAILED, ERR_WRONG_HOST, ERR_TOO_MANY, ERR_HEADERS_TOO_LARGE,
		ERR_INTERNAL, ERR_OUT_OF_MEMORY, ERR_SHUTTING_DOWN);
	if (h->work)
		SET(x, ERR_IO_FAILED, ERR_CORRUPT, ERR_BUSY);
	if (h->scope)
		SET(x, ERR_TOKEN_REQUIRED, ERR_BAD_TOKEN, ERR_NOT_ALLOWED, ERR_TOO_MANY_FAILURES);
	if (h->writes)
		SET(x, ERR_CROSS_SITE, ERR_STORAGE_FULL);
	if (h->body != HANDLER_BODY_NONE)
		SET(x, ERR_UNSUPPORTED_MEDIA_TYPE, ERR_BAD_GZIP);
	if (h->body == HANDLER_BODY_SMALL)
		SET(x, ERR_BAD_JSON);
}

static enum err_code code_of(const char *name)
{
	for (int code = 1; code <= API_OPENAPI_ERRORS_N; code++)
		if (name && strcmp(name, err_name((enum err_code)code)) == 0)
			return (enum err_code)code;
	return ERR_NONE;
}

int api_openapi_errors_add(struct api_openapi_errors *x, const struct json *codes, struct err *e)
{
	for (const struct json *v = json_first(codes); v; v = json_next(v)) {
		enum err_code code = code_of(json_str(v));
		if (code == ERR_NONE)
			return err_set(e, ERR_INTERNAL, "there is no error %s", json_str(v));
		x->there[code] = true;
	}
	return 0;
}

int api_openapi_errors_add_empty(struct api_openapi_errors *x, const struct json *codes,
	struct err *e)
{
	int result = api_openapi_errors_add(x, codes, e);

	for (const struct json *v = json_first(codes); result == 0 && v; v = json_next(v))
		x->empty[code_of(json_str(v))] = true;
	return result;
}

/* ---- how they are told ---- */

const char *api_openapi_errors_name(enum api_openapi_errors_kind kind, int status,
	char buf[API_OPENAPI_ERRORS_NAME])
{
	static const char *const kinds[] = {"Problem", "Quiet", "Empty"};

	(void)snprintf(buf, API_OPENAPI_ERRORS_NAME, "%s%d", kinds[kind], status);
	return buf;
}

/* All codes with this status are told in the same way. */
static enum api_openapi_errors_kind kind_of(const struct api_openapi_errors *x, int status)
{
	for (int code = 1; code <= API_OPENAPI_ERRORS_N; code++)
		if (x->empty[code] && err_status((enum err_code)code) == status)
			return API_OPENAPI_ERRORS_EMPTY;
	return x->quiet ? API_OPENAPI_ERRORS_QUIET : API_OPENAPI_ERRORS_PROBLEM;
}

static void add_codes(const struct api_openapi_errors *x, int status, struct buf *out)
{
	for (int i = 1; i <= API_OPENAPI_ERRORS_N; i++)
		if (x->there[i] && err_status((enum err_code)i) == status)
			buf_addf(out, "%s%s", out->len ? ", " : "", err_name((enum err_code)i));
}

void api_openapi_errors_write(const struct api_openapi_errors *x, struct json_write *w,
	struct api_openapi_errors_used *used)
{
	for (int status = 400; status < 600; status++) {
		CLEANUP_BUF struct buf codes = BUF_INIT(DESCRIPTION_MAX);
		char name[API_OPENAPI_ERRORS_NAME], ref[64], key[16];
		enum api_openapi_errors_kind kind = kind_of(x, status);

		add_codes(x, status, &codes);
		if (codes.len == 0)
			continue;
		(void)snprintf(key, sizeof(key), "%d", status);
		(void)snprintf(ref, sizeof(ref), "#/components/responses/%s",
			api_openapi_errors_name(kind, status, name));
		json_write_object(w, key);
		json_write_str(w, "$ref", ref);
		json_write_str(w, "description", buf_str(&codes));
		json_write_object_end(w);
		used->statuses[kind][status - 400] = true;
	}
}

void api_openapi_errors_list(const struct api_openapi_errors *x, struct json_write *w,
	const char *key)
{
	json_write_array(w, key);
	for (int i = 1; i <= API_OPENAPI_ERRORS_N; i++)
		if (x->there[i])
			json_write_str(w, NULL, err_name((enum err_code)i));
	json_write_array_end(w);
}

void api_openapi_errors_describe(enum api_openapi_errors_kind kind, int status,
	struct json_write *w)
{
	static const char *const bodies[] = {
		"",
		" Without a body, unless the path ends in /model.json.",
		" Without a body.",
	};
	CLEANUP_BUF struct buf text = BUF_INIT(DESCRIPTION_MAX);

	for (int i = 1; i <= API_OPENAPI_ERRORS_N; i++)
		if (err_status((enum err_code)i) == status)
			buf_addf(&text, "%s%s: %s.", text.len ? " " : "",
				err_name((enum err_code)i), err_title((enum err_code)i));
	buf_add_str(&text, bodies[kind]);
	json_write_str(w, "description", buf_str(&text));
}

void api_openapi_errors_schema(struct json_write *w, const char *key)
{
	json_write_object(w, key);
	json_write_str(w, "description", "What is wrong.");
	json_write_array(w, "enum");
	for (int i = 1; i <= API_OPENAPI_ERRORS_N; i++)
		json_write_str(w, NULL, err_name((enum err_code)i));
	json_write_array_end(w);
	json_write_object_end(w);
}
