/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_openapi_write.h"
#include "common/json/json.h"
#include "common/json/json_write.h"
#include "server/api/api.h"
#include "server/api/api_openapi_errors.h"
#include "server/api/api_openapi_parts.h"
#include "server/api/api_openapi_route.h"

#include <stdio.h>

#define KEY_MAX 128
#define REF_MAX 256

/* Of one document. */
struct making {
	const struct api_openapi_parts *parts;
	struct json_write w;
	uint64_t headers_used[2]; /* bits of components.headers: always there, and not always */
	struct api_openapi_errors_used errors_used;
	size_t operations_n;
};

/* One operation. */
struct operation {
	const struct router_row *row;
	const struct handler *handler;
	unsigned method;
	const struct json *text; /* what operations.json says */
	struct api_openapi_errors errors;
};

/* ---- small things ---- */

static void write_ref(struct json_write *w, const char *key, const char *kind, const char *name)
{
	char ref[REF_MAX];

	(void)snprintf(ref, sizeof(ref), "#/components/%s/%s", kind, name);
	json_write_object(w, key);
	json_write_str(w, "$ref", ref);
	json_write_object_end(w);
}

static const struct json *trait_of(const struct making *m, const struct json *name)
{
	return json_get(m->parts->traits, json_str(name) ? json_str(name) : "");
}

/* Each trait of the operation in turn. */
#define FOR_TRAITS(m, op, trait, name) \
	for (const struct json *name = json_first(json_get((op)->text, "traits")), \
			*trait = trait_of(m, name); \
		name; name = json_next(name), trait = trait_of(m, name))

/* ---- parameters ---- */

/* An id is one of what stands before it: "jobs.id". An operation may give one another meaning. */
static void write_capture(struct making *m, const struct operation *op,
	const struct api_openapi_route_segment *s,
	const struct api_openapi_route_segment *before)
{
	const struct json *parameters = json_get(m->parts->components, "parameters");
	const char *other;
	char name[KEY_MAX];

	(void)snprintf(name, sizeof(name), STR_FMT "." STR_FMT, STR_ARG(before->literal),
		STR_ARG(s->capture));
	if (!json_get(parameters, name))
		(void)snprintf(name, sizeof(name), STR_FMT, STR_ARG(s->capture));
	other = json_str(json_get(json_get(op->text, "captures"), name));
	if (s->mark == '@') {
		write_ref(&m->w, NULL, "parameters", "name");
		(void)snprintf(name, sizeof(name), "revision");
	}
	write_ref(&m->w, NULL, "parameters", other ? other : name);
}

static void write_captures(struct making *m, const struct operation *op)
{
	struct str rest = str_of(op->row->pattern + 1);
	struct api_openapi_route_segment s, before = {.mark = '\0'};

	while (api_openapi_route_next(&rest, &s)) {
		if (s.capture.n > 0)
			write_capture(m, op, &s, &before);
		before = s;
	}
}

static void write_named(struct making *m, const struct json *names)
{
	for (const struct json *x = json_first(names); x; x = json_next(x))
		write_ref(&m->w, NULL, "parameters", json_str(x));
}

static void write_parameters(struct making *m, const struct operation *op)
{
	json_write_array(&m->w, "parameters");
	write_captures(m, op);
	write_named(m, json_get(op->text, "parameters"));
	FOR_TRAITS(m, op, trait, name)
		write_named(m, json_get(trait, "parameters"));
	json_write_array_end(&m->w);
}

/* ---- headers ---- */

/* The name without the mark of what is not always there. */
static struct str header_name(const struct json *x, bool *ret_optional)
{
	struct str name = str_of(json_str(x));

	*ret_optional = str_ends(name, "?");
	name.n -= *ret_optional;
	return name;
}

static int index_of(const struct json *object, struct str key)
{
	int i = 0;

	for (const struct json *x = json_first(object); x; x = json_next(x), i++)
		if (str_eq_c(key, json_key(x)))
			return i;
	return -1;
}

static void write_header(struct making *m, const struct json *x)
{
	bool optional;
	struct str name = header_name(x, &optional);
	int i = index_of(json_get(m->parts->components, "headers"), name);
	char key[KEY_MAX], component[KEY_MAX + sizeof("Optional-")];

	if (i < 0 || i >= 64) {
		m->w.out->failure = ERR_INTERNAL;
		return;
	}
	m->headers_used[optional] |= UINT64_C(1) << i;
	(void)snprintf(key, sizeof(key), STR_FMT, STR_ARG(name));
	(void)snprintf(component, sizeof(component), "%s%s", optional ? "Optional-" : "", key);
	write_ref(&m->w, key, "headers", component);
}

static bool names_header(const struct json *list, struct str name)
{
	bool ignored;

	for (const struct json *x = json_first(list); x; x = json_next(x))
		if (str_eq(header_name(x, &ignored), name))
			return true;
	return false;
}

static void write_headers(struct making *m, const struct json *own, const struct operation *op)
{
	bool ignored;

	for (const struct json *x = json_first(own); x; x = json_next(x))
		write_header(m, x);
	if (!op)
		return;
	FOR_TRAITS(m, op, trait, name)
		for (const struct json *x = json_first(json_get(trait, "headers")); x;
			x = json_next(x))
			if (!names_header(own, header_name(x, &ignored)))
				write_header(m, x);
}

/* ---- answers ---- */

static void write_content(struct making *m, const struct json *answer)
{
	const char *schema = json_str(json_get(answer, "schema"));

	if (!schema) {
		api_openapi_parts_copy(&m->w, "content", json_get(answer, "content"));
		return;
	}
	json_write_object(&m->w, "content");
	json_write_object(&m->w, "application/json");
	write_ref(&m->w, "schema", "schemas", schema);
	json_write_object_end(&m->w);
	json_write_object_end(&m->w);
}

/* `op`, or NULL: its traits add headers. */
static void write_answer(struct making *m, const struct json *answer, const struct operation *op)
{
	json_write_object(&m->w, json_key(answer));
	json_write_str(&m->w, "description", json_str(json_get(answer, "description")));
	json_write_object(&m->w, "headers");
	write_headers(m, json_get(answer, "headers"), op);
	json_write_object_end(&m->w);
	write_content(m, answer);
	json_write_object_end(&m->w);
}

static void write_answers(struct making *m, const struct operation *op)
{
	const struct json *own = json_get(op->text, "answers");

	for (const struct json *x = json_first(own); x; x = json_next(x))
		write_answer(m, x, strcmp(json_key(x), "200") == 0 ? op : NULL);
	FOR_TRAITS(m, op, trait, name)
		for (const struct json *x = json_first(json_get(trait, "answers")); x;
			x = json_next(x))
			if (!json_get(own, json_key(x)))
				write_answer(m, x, NULL);
}

static int read_errors(const struct making *m, struct operation *op, struct err *e)
{
	const char *pattern = op->row->pattern;
	bool quiet = op->method == METHOD_GET && api_routes_quiet(str_of(pattern));
	int result;

	api_openapi_errors_init(&op->errors, op->handler, quiet);
	result = api_openapi_errors_add(&op->errors, json_get(op->text, "errors"), e);
	FOR_TRAITS(m, op, trait, name) {
		if (result == 0)
			result = api_openapi_errors_add(&op->errors, json_get(trait, "errors"), e);
		if (result == 0)
			result = api_openapi_errors_add_empty(&op->errors,
				json_get(trait, "empty"), e);
	}
	return result;
}

static void write_responses(struct making *m, const struct operation *op)
{
	json_write_object(&m->w, "responses");
	write_answers(m, op);
	api_openapi_errors_write(&op->errors, &m->w, &m->errors_used);
	json_write_object_end(&m->w);
}

/* ---- operations ---- */

static void write_requirement(struct making *m, const char *scheme, const char *scope)
{
	json_write_object(&m->w, NULL);
	json_write_array(&m->w, scheme);
	json_write_str(&m->w, NULL, scope);
	json_write_array_end(&m->w);
	json_write_object_end(&m->w);
}

/* What everybody may do is the operator's choice, so nothing may be enough. */
static void write_security(struct making *m, const struct operation *op)
{
	json_write_array(&m->w, "security");
	if (op->handler->scope) {
		json_write_object(&m->w, NULL);
		json_write_object_end(&m->w);
	}
	for (unsigned bit = SCOPE_READ; bit <= SCOPE_ADMIN; bit <<= 1) {
		if (!(op->handler->scope & bit))
			continue;
		write_requirement(m, "bearer", grants_scope_name((enum scope)bit));
		if (op->method == METHOD_GET)
			write_requirement(m, "k", grants_scope_name((enum scope)bit));
	}
	json_write_array_end(&m->w);
}

static void write_body(struct making *m, const struct json *body)
{
	const char *name = json_str(body);

	if (!name)
		return;
	json_write_object(&m->w, "requestBody");
	if (*name == '#') {
		json_write_str(&m->w, "$ref", name);
	} else {
		json_write_bool(&m->w, "required", true);
		json_write_object(&m->w, "content");
		json_write_object(&m->w, "application/json");
		write_ref(&m->w, "schema", "schemas", name);
		json_write_object_end(&m->w);
		json_write_object_end(&m->w);
	}
	json_write_object_end(&m->w);
}

static bool is_short_hand(const char *key)
{
	static const char *const keys[] = {
		"traits", "captures", "parameters", "body", "answers", "errors"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

static void write_operation(struct making *m, const char *key, const struct operation *op)
{
	json_write_object(&m->w, key);
	for (const struct json *x = json_first(op->text); x; x = json_next(x))
		if (!is_short_hand(json_key(x)))
			api_openapi_parts_copy(&m->w, json_key(x), x);
	json_write_str(&m->w, "x-modeld-route", op->row->pattern);
	json_write_str(&m->w, "x-modeld-handler", op->handler->name);
	write_security(m, op);
	write_parameters(m, op);
	write_body(m, json_get(op->text, "body"));
	write_responses(m, op);
	api_openapi_errors_list(&op->errors, &m->w, "x-modeld-errors");
	json_write_object_end(&m->w);
}

static int write_methods(struct making *m, const struct router_row *row, struct err *e)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < API_OPENAPI_ROUTE_METHODS; i++) {
		const struct api_openapi_route_method *method = &api_openapi_route_methods[i];
		struct operation op = {row, row->target, method->bit, NULL, {.quiet = false}};

		if (!(row->methods & method->bit))
			continue;
		result = api_openapi_parts_operation(m->parts, method->name, row->pattern, &op.text,
			e);
		if (result == 0)
			result = read_errors(m, &op, e);
		if (result == 0)
			write_operation(m, method->key, &op);
		m->operations_n++;
	}
	return result;
}

static int write_paths(struct making *m, const struct router_row *rows, size_t n, struct err *e)
{
	CLEANUP_BUF struct buf path = BUF_INIT(REF_MAX);
	int result = 0;

	json_write_object(&m->w, "paths");
	for (size_t i = 0; result == 0 && i < n; i++) {
		bool is_first = i == 0 || strcmp(rows[i].pattern, rows[i - 1].pattern) != 0;
		bool is_last = i + 1 == n || strcmp(rows[i].pattern, rows[i + 1].pattern) != 0;
		if (is_first) {
			buf_clear(&path);
			api_openapi_route_template(rows[i].pattern, &path);
			json_write_object(&m->w, buf_str(&path));
		}
		result = write_methods(m, &rows[i], e);
		if (is_last)
			json_write_object_end(&m->w);
	}
	json_write_object_end(&m->w);
	if (result == 0 && m->operations_n != json_count(m->parts->operations))
		result = err_set(e, ERR_INTERNAL, "%zu operations are described, of %zu",
			json_count(m->parts->operations), m->operations_n);
	return result;
}

/* ---- components ---- */

static void write_header_component(struct making *m, const struct json *x, bool optional)
{
	char key[REF_MAX];

	(void)snprintf(key, sizeof(key), "%s%s", optional ? "Optional-" : "", json_key(x));
	json_write_object(&m->w, key);
	for (const struct json *y = json_first(x); y; y = json_next(y))
		api_openapi_parts_copy(&m->w, json_key(y), y);
	if (!optional)
		json_write_bool(&m->w, "required", true);
	json_write_object_end(&m->w);
}

/* Those that an answer has. */
static void write_header_components(struct making *m)
{
	size_t i = 0;

	json_write_object(&m->w, "headers");
	for (const struct json *x = json_first(json_get(m->parts->components, "headers")); x;
		x = json_next(x), i++) {
		uint64_t bit = UINT64_C(1) << i;
		if (json_get(x, "x-modeld-every-answer") || (m->headers_used[0] & bit))
			write_header_component(m, x, false);
		if (m->headers_used[1] & bit)
			write_header_component(m, x, true);
	}
	json_write_object_end(&m->w);
}

static void write_error_response(struct making *m, enum api_openapi_errors_kind kind, int status)
{
	const struct json *extra = json_get(m->parts->components, "error_headers");
	char key[API_OPENAPI_ERRORS_NAME], number[16];

	(void)snprintf(number, sizeof(number), "%d", status);
	json_write_object(&m->w, api_openapi_errors_name(kind, status, key));
	api_openapi_errors_describe(kind, status, &m->w);
	json_write_object(&m->w, "headers");
	write_headers(m, json_get(m->parts->components, "every_error_headers"), NULL);
	write_headers(m, json_get(extra, number), NULL);
	json_write_object_end(&m->w);
	if (kind != API_OPENAPI_ERRORS_EMPTY) {
		json_write_object(&m->w, "content");
		json_write_object(&m->w, "application/problem+json");
		write_ref(&m->w, "schema", "schemas", "Problem");
		json_write_object_end(&m->w);
		json_write_object_end(&m->w);
	}
	json_write_object_end(&m->w);
}

static void write_response_components(struct making *m)
{
	json_write_object(&m->w, "responses");
	for (const struct json *x = json_first(json_get(m->parts->components, "responses")); x;
		x = json_next(x))
		write_answer(m, x, NULL);
	for (int kind = 0; kind < API_OPENAPI_ERRORS_KINDS; kind++)
		for (int status = 400; status < 600; status++)
			if (m->errors_used.statuses[kind][status - 400])
				write_error_response(m, (enum api_openapi_errors_kind)kind, status);
	json_write_object_end(&m->w);
}

static void write_schemas(struct making *m)
{
	json_write_object(&m->w, "schemas");
	for (const struct json *x = json_first(json_get(m->parts->components, "schemas")); x;
		x = json_next(x))
		api_openapi_parts_copy(&m->w, json_key(x), x);
	api_openapi_errors_schema(&m->w, "ErrorCode");
	json_write_object_end(&m->w);
}

static void write_components(struct making *m)
{
	static const char *const as_they_are[] = {
		"securitySchemes", "parameters", "requestBodies"};

	json_write_object(&m->w, "components");
	for (size_t i = 0; i < ARRAY_SIZE(as_they_are); i++)
		api_openapi_parts_copy(&m->w, as_they_are[i],
			json_get(m->parts->components, as_they_are[i]));
	write_response_components(m);
	write_header_components(m);
	write_schemas(m);
	json_write_object_end(&m->w);
}

/* ---- all of it ---- */

static void write_about(struct making *m)
{
	for (const struct json *x = json_first(m->parts->about); x; x = json_next(x)) {
		if (strcmp(json_key(x), "info") != 0) {
			api_openapi_parts_copy(&m->w, json_key(x), x);
			continue;
		}
		json_write_object(&m->w, "info");
		for (const struct json *y = json_first(x); y; y = json_next(y))
			api_openapi_parts_copy(&m->w, json_key(y), y);
		json_write_str(&m->w, "version", PACKAGE_VERSION);
		json_write_object_end(&m->w);
	}
}

int api_openapi_write(const struct router_row *rows, size_t n, struct buf *out, struct err *e)
{
	CLEANUP(api_openapi_parts_done) struct api_openapi_parts parts;
	struct making m = {.parts = &parts};
	int result = api_openapi_parts_read(&parts, e);

	if (result < 0)
		return result;
	json_write_init(&m.w, out);
	json_write_object(&m.w, NULL);
	write_about(&m);
	result = write_paths(&m, rows, n, e);
	if (result < 0)
		return result;
	write_components(&m);
	json_write_object_end(&m.w);
	buf_add_char(out, '\n');
	return buf_check(out, "the description of the API", e);
}
