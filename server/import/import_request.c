/* SPDX-License-Identifier: Apache-2.0 */
#include "server/import/import_request.h"
#include "common/base/text.h"
#include "common/json/json.h"
#include "common/json/json_write.h"
#include "common/model/filepath.h"
#include "common/net/fetch.h"
#include "common/store/requestfile.h"

#include <stdio.h>

#define SHA256 "sha256:"

/* ---- values ---- */

static int not_a(const char *what, const char *type, struct err *e)
{
	return err_set(e, ERR_BAD_REQUEST, "%s is %s", what, type);
}

static int read_text(const struct json *v, const char *what, const char **ret, struct err *e)
{
	*ret = json_str(v);
	return *ret ? 0 : not_a(what, "a string", e);
}

static int read_copy(const struct json *v, const char *what, size_t max, char *ret, struct err *e)
{
	const char *text;
	int r = read_text(v, what, &text, e);

	if (r < 0)
		return r;
	if (strlen(text) > max)
		return err_set(e, ERR_BAD_REQUEST, "%s has at most %zu bytes", what, max);
	(void)snprintf(ret, max + 1, "%s", text);
	return 0;
}

static int read_digest(const struct json *v, const char *what, struct digest *ret, struct err *e)
{
	const char *text = json_str(v);
	struct str hex = str_of(text ? text : "");

	if (str_starts(hex, SHA256) && digest_parse_hex(str_of(text + strlen(SHA256)), ret))
		return 0;
	return not_a(what, SHA256 " and 64 lower-case hex digits", e);
}

/* A path without leading "./", for the caller to free. */
static int read_path(const char *text, const char *what, char **ret, struct err *e)
{
	struct str path = filepath_strip(str_of(text));
	int r = filepath_check(path, e);

	if (r < 0)
		return err_prefix(e, "%s", what);
	*ret = str_dup(path);
	return *ret ? 0 : err_nomem(e);
}

/* An array of so many elements, for what a container of `v` becomes; none for an empty one. */
static int make_room(const struct json *v, const char *what, size_t max, size_t size, void *ret,
	struct err *e)
{
	size_t n = json_count(v);
	void *items;

	if (n > max)
		return err_set(e, ERR_BAD_REQUEST, "%s has at most %zu members, not %zu", what, max,
			n);
	items = calloc(n + 1, size);
	if (!items)
		return err_nomem(e);
	memcpy(ret, &items, sizeof(items));
	return 0;
}

/* ---- fields ---- */

static int read_url(const struct json *v, struct import_request *q, struct err *e)
{
	const char *text;
	int r = read_text(v, "\"url\"", &text, e);

	if (r == 0)
		r = url_parse(str_of(text), &q->url, e);
	return r;
}

static int read_label(const struct json *v, struct import_request *q, struct err *e)
{
	const char *text;
	int r = read_text(v, "\"label\"", &text, e);

	if (r == 0)
		r = ref_check_label(str_of(text), e);
	if (r == 0)
		(void)snprintf(q->label, sizeof(q->label), "%s", text);
	return r;
}

static int read_from_tf_hub(const struct json *v, struct import_request *q, struct err *e)
{
	return json_bool(v, &q->from_tf_hub) ? 0 : not_a("\"fromTFHub\"", "true or false", e);
}

/* Whatever a file is called, it comes from the host that the prefix names. */
static bool ends_host(const char *prefix)
{
	const char *authority = strstr(prefix, "://");

	return authority && strpbrk(authority + 3, "/?");
}

static int read_weight_prefix(const struct json *v, struct import_request *q, struct err *e)
{
	const char *text;
	struct url ignored;
	int r = read_text(v, "\"weightPathPrefix\"", &text, e);

	if (r < 0)
		return r;
	r = url_parse(str_of(text), &ignored, e);
	if (r < 0)
		return err_prefix(e, "\"weightPathPrefix\"");
	if (!ends_host(text) || strchr(text, '#'))
		return err_set(e, ERR_BAD_URL,
			"\"weightPathPrefix\" is put before the names of files as it is, so it "
			"needs a '/' behind the host, and no fragment");
	q->weight_prefix = strdup(text);
	return q->weight_prefix ? 0 : err_nomem(e);
}

static bool has_header(const struct import_request *q, const char *name)
{
	for (size_t i = 0; i < q->headers_n; i++) {
		struct str line = str_of(q->headers[i]), other;

		if (str_split(&line, ':', &other) && str_eq_nocase(other, name))
			return true;
	}
	return false;
}

static int read_header(const struct json *member, struct import_request *q, struct err *e)
{
	const char *name = json_key(member), *value = json_str(member);
	CLEANUP_BUF struct buf line = BUF_INIT(JSON_LIMITS_SMALL.max_bytes);
	int r;

	if (!value)
		return not_a("each of \"headers\"", "a name with a string", e);
	r = fetch_check_header(str_of(name), str_of(value), e);
	if (r < 0)
		return r;
	if (has_header(q, name))
		return err_set(e, ERR_BAD_REQUEST, "\"headers\" has %s twice", name);
	buf_addf(&line, "%s: %s", name, value);
	r = buf_check(&line, "a header", e);
	if (r == 0)
		q->headers[q->headers_n++] = buf_take(&line, NULL);
	return r;
}

static int read_headers(const struct json *v, struct import_request *q, struct err *e)
{
	int r = 0;

	if (!json_is(v, JSON_OBJECT))
		return not_a("\"headers\"", "an object of names and strings", e);
	r = make_room(v, "\"headers\"", IMPORT_REQUEST_HEADERS, sizeof(*q->headers), &q->headers,
		e);
	for (const struct json *m = json_first(v); r == 0 && m; m = json_next(m))
		r = read_header(m, q, e);
	return r;
}

static bool includes(const struct import_request *q, const char *path)
{
	for (size_t i = 0; i < q->include_n; i++)
		if (strcmp(q->include[i], path) == 0)
			return true;
	return false;
}

/* Said twice is meant once, and model.json comes in any case. */
static int read_one_include(const struct json *v, struct import_request *q, struct err *e)
{
	CLEANUP_FREE char *path = NULL;
	const char *text;
	int r = read_text(v, "each of \"include\"", &text, e);

	if (r == 0)
		r = read_path(text, "\"include\"", &path, e);
	if (r < 0 || !path || strcmp(path, FILEPATH_MODEL) == 0 || includes(q, path))
		return r;
	q->include[q->include_n++] = take_ptr(path);
	return 0;
}

static int read_include(const struct json *v, struct import_request *q, struct err *e)
{
	int r;

	if (!json_is(v, JSON_ARRAY))
		return not_a("\"include\"", "an array of paths", e);
	r = make_room(v, "\"include\"", IMPORT_REQUEST_INCLUDE, sizeof(*q->include), &q->include,
		e);
	for (const struct json *x = json_first(v); r == 0 && x; x = json_next(x))
		r = read_one_include(x, q, e);
	return r;
}

static int read_expected_files(const struct json *v, struct import_request *q, struct err *e)
{
	int r;

	if (!json_is(v, JSON_OBJECT))
		return not_a("\"expect\".\"files\"", "an object of paths and digests", e);
	r = make_room(v, "\"expect\".\"files\"", IMPORT_REQUEST_EXPECT, sizeof(*q->files),
		&q->files, e);
	for (const struct json *m = json_first(v); r == 0 && m; m = json_next(m)) {
		struct import_expect *x = &q->files[q->files_n];

		r = read_path(json_key(m), "\"expect\".\"files\"", &x->path, e);
		q->files_n += x->path != NULL;
		if (r == 0)
			r = read_digest(m, "each of \"expect\".\"files\"", &x->digest, e);
	}
	return r;
}

static int read_root(const struct json *v, struct import_request *q, struct err *e)
{
	q->has_root = true;
	return read_digest(v, "\"expect\".\"root\"", &q->root, e);
}

/* ---- objects ---- */

struct field {
	const char *name;
	int (*read)(const struct json *v, struct import_request *q, struct err *e);
	bool ours; /* in the request file alone */
};

static int unknown(const char *key, const struct field *fields, size_t n, bool ours,
	struct err *e)
{
	const char *nearest = NULL;
	size_t least = text_distance_allowed(str_of(key)) + 1;

	for (size_t i = 0; i < n; i++) {
		size_t distance = text_distance(str_of(key), str_of(fields[i].name));
		if (distance < least && (ours || !fields[i].ours)) {
			nearest = fields[i].name;
			least = distance;
		}
	}
	if (nearest)
		return err_set(e, ERR_BAD_REQUEST,
			"there is no field \"%s\"; did you mean \"%s\"?", key, nearest);
	return err_set(e, ERR_BAD_REQUEST, "there is no field \"%s\"", key);
}

/* A field that is null is one that is not there. */
static int read_fields(const struct json *object, const struct field *fields, size_t n, bool ours,
	struct import_request *q, struct err *e)
{
	int r = 0;

	for (const struct json *m = json_first(object); r == 0 && m; m = json_next(m)) {
		const struct field *f = fields;

		while (f < fields + n && (strcmp(f->name, json_key(m)) != 0 || (f->ours && !ours)))
			f++;
		if (f == fields + n)
			return unknown(json_key(m), fields, n, ours, e);
		if (!json_is(m, JSON_NULL))
			r = f->read(m, q, e);
	}
	return r;
}

static int read_expect(const struct json *v, struct import_request *q, struct err *e)
{
	static const struct field fields[] = {
		{"root", read_root, false},
		{"files", read_expected_files, false},
	};

	if (!json_is(v, JSON_OBJECT))
		return not_a("\"expect\"", "an object with \"root\" or \"files\"", e);
	return read_fields(v, fields, ARRAY_SIZE(fields), false, q, e);
}

static int read_parts(const struct json *v, struct import_request *q, struct err *e)
{
	for (const struct json *m = json_first(v); m; m = json_next(m)) {
		if (!json_str(m))
			return not_a("each of \"parts\"", "a path with an ETag", e);
		(void)import_request_set_part(q, json_key(m), json_str(m));
	}
	return 0;
}

static int read_model(const struct json *v, struct import_request *q, struct err *e)
{
	return read_copy(v, "\"model\"", REF_NAME_MAX, q->model, e);
}

static int read_mirror(const struct json *v, struct import_request *q, struct err *e)
{
	return read_copy(v, "\"mirror\"", CATALOG_MIRROR_MAX, q->mirror, e);
}

static int read_who(const struct json *v, struct import_request *q, struct err *e)
{
	return read_copy(v, "\"who\"", CATALOG_WHO_MAX, q->who, e);
}

static int read_models(const struct json *v, struct import_request *q, struct err *e)
{
	const char *text;
	int r = read_text(v, "\"models\"", &text, e);

	if (r < 0)
		return r;
	free(q->models);
	q->models = strdup(text);
	return q->models ? 0 : err_nomem(e);
}

static int read_request(struct str json, const struct json_limits *limits, bool ours,
	struct import_request *q, struct err *e)
{
	static const struct field fields[] = {
		{"url", read_url, false},
		{"label", read_label, false},
		{"fromTFHub", read_from_tf_hub, false},
		{"weightPathPrefix", read_weight_prefix, false},
		{"headers", read_headers, false},
		{"include", read_include, false},
		{"expect", read_expect, false},
		{"model", read_model, true},
		{"mirror", read_mirror, true},
		{"who", read_who, true},
		{"models", read_models, true},
		{"parts", read_parts, true},
	};
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	int r = json_parse(json.p, json.n, limits, &doc, e);

	if (r < 0)
		return r;
	if (!json_is(json_root(doc), JSON_OBJECT))
		return not_a("the body", "a JSON object with \"url\"", e);
	r = read_fields(json_root(doc), fields, ARRAY_SIZE(fields), ours, q, e);
	if (r == 0 && q->url.text[0] == '\0')
		return err_set(e, ERR_BAD_REQUEST, "\"url\" is missing: where to import from");
	return r;
}

static int read_or_clear(struct str json, const struct json_limits *limits, bool ours,
	struct import_request *ret, struct err *e)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	r = read_request(json, limits, ours, ret, e);
	if (r < 0)
		import_request_clear(ret);
	return r;
}

int import_request_parse(struct str json, struct import_request *ret, struct err *e)
{
	return read_or_clear(json, &JSON_LIMITS_SMALL, false, ret, e);
}

int import_request_read(struct str json, struct import_request *ret, struct err *e)
{
	struct json_limits limits = JSON_LIMITS_SMALL;

	limits.max_bytes = REQUESTFILE_MAX;
	return read_or_clear(json, &limits, true, ret, e);
}

/* ---- parts ---- */

static void part_done(struct import_part *p)
{
	free(p->path);
	free(p->etag);
	*p = (struct import_part){.path = NULL};
}

static struct import_part *find_part(const struct import_request *q, const char *path)
{
	for (size_t i = 0; i < q->parts_n; i++)
		if (strcmp(q->parts[i].path, path) == 0)
			return &q->parts[i];
	return NULL;
}

static bool add_part(struct import_request *q, const char *path, const char *etag)
{
	struct import_part p = {strdup(path), strdup(etag)};

	if (!q->parts)
		q->parts = calloc(IMPORT_REQUEST_PARTS, sizeof(*q->parts));
	if (!p.path || !p.etag || !q->parts || q->parts_n == IMPORT_REQUEST_PARTS) {
		part_done(&p);
		return false;
	}
	q->parts[q->parts_n++] = p;
	return true;
}

bool import_request_set_part(struct import_request *q, const char *path, const char *etag)
{
	struct import_part *p = find_part(q, path);

	if (p && etag && strcmp(p->etag, etag) == 0)
		return false;
	if (p) {
		part_done(p);
		*p = q->parts[--q->parts_n];
	}
	return etag ? add_part(q, path, etag) : p != NULL;
}

const char *import_request_part(const struct import_request *q, const char *path)
{
	const struct import_part *p = find_part(q, path);

	return p ? p->etag : NULL;
}

/* Headers may be credentials: what is freed does not keep them. */
void import_request_clear(struct import_request *q)
{
	for (size_t i = 0; i < q->headers_n; i++) {
		explicit_bzero(q->headers[i], strlen(q->headers[i]));
		free(q->headers[i]);
	}
	for (size_t i = 0; i < q->include_n; i++)
		free(q->include[i]);
	for (size_t i = 0; i < q->files_n; i++)
		free(q->files[i].path);
	for (size_t i = 0; i < q->parts_n; i++)
		part_done(&q->parts[i]);
	free(q->models);
	free(q->parts);
	free(q->weight_prefix);
	free(q->headers);
	free(q->include);
	free(q->files);
	memset(q, 0, sizeof(*q));
}

/* ---- writing ---- */

static void write_digest(struct json_write *w, const char *key, const struct digest *d)
{
	char text[sizeof(SHA256) + DIGEST_HEX] = SHA256;

	(void)digest_hex(d, text + strlen(SHA256));
	json_write_str(w, key, text);
}

static void write_include(struct json_write *w, const struct import_request *q)
{
	if (q->include_n == 0)
		return;
	json_write_array(w, "include");
	for (size_t i = 0; i < q->include_n; i++)
		json_write_str(w, NULL, q->include[i]);
	json_write_array_end(w);
}

static void write_expect(struct json_write *w, const struct import_request *q)
{
	if (!q->has_root && q->files_n == 0)
		return;
	json_write_object(w, "expect");
	if (q->has_root)
		write_digest(w, "root", &q->root);
	if (q->files_n > 0)
		json_write_object(w, "files");
	for (size_t i = 0; i < q->files_n; i++)
		write_digest(w, q->files[i].path, &q->files[i].digest);
	if (q->files_n > 0)
		json_write_object_end(w);
	json_write_object_end(w);
}

/* What is the same in both. */
static void write_common(struct json_write *w, const struct import_request *q)
{
	if (q->label[0])
		json_write_str(w, "label", q->label);
	if (q->from_tf_hub)
		json_write_bool(w, "fromTFHub", true);
	write_include(w, q);
	write_expect(w, q);
}

/* A header's name and its value; `line` is "Name: value". */
static struct str split_header(const char *line, char **ret_name)
{
	struct str value = str_of(line), name;

	(void)str_split(&value, ':', &name);
	*ret_name = str_dup(name);
	return str_trim(value);
}

static void write_headers(struct json_write *w, const struct import_request *q)
{
	if (q->headers_n == 0)
		return;
	json_write_object(w, "headers");
	for (size_t i = 0; i < q->headers_n; i++) {
		CLEANUP_FREE char *name = NULL;
		struct str value = split_header(q->headers[i], &name);

		if (!name)
			w->out->failure = ERR_OUT_OF_MEMORY;
		else
			json_write_str(w, name, value.p);
	}
	json_write_object_end(w);
}

static void write_parts(struct json_write *w, const struct import_request *q)
{
	json_write_object(w, "parts");
	for (size_t i = 0; i < q->parts_n; i++)
		json_write_str(w, q->parts[i].path, q->parts[i].etag);
	json_write_object_end(w);
}

void import_request_write(const struct import_request *q, struct buf *out)
{
	struct json_write w;

	json_write_init(&w, out);
	json_write_object(&w, NULL);
	json_write_str(&w, "model", q->model);
	json_write_str(&w, "mirror", q->mirror);
	json_write_str(&w, "who", q->who);
	if (q->models)
		json_write_str(&w, "models", q->models);
	json_write_str(&w, "url", q->url.text);
	if (q->weight_prefix)
		json_write_str(&w, "weightPathPrefix", q->weight_prefix);
	write_common(&w, q);
	write_headers(&w, q);
	write_parts(&w, q);
	json_write_object_end(&w);
}

static void show_url(struct json_write *w, const char *key, const char *url)
{
	CLEANUP_BUF struct buf text = BUF_INIT(4 * URL_MAX);

	url_redact(str_of(url), &text);
	json_write_str(w, key, buf_str(&text));
}

static void show_headers(struct json_write *w, const struct import_request *q)
{
	if (q->headers_n == 0)
		return;
	json_write_array(w, "headers");
	for (size_t i = 0; i < q->headers_n; i++) {
		CLEANUP_FREE char *name = NULL;

		(void)split_header(q->headers[i], &name);
		json_write_str(w, NULL, name ? name : "");
	}
	json_write_array_end(w);
}

void import_request_show(const struct import_request *q, struct buf *out)
{
	struct json_write w;

	json_write_init(&w, out);
	json_write_object(&w, NULL);
	show_url(&w, "url", q->url.text);
	if (q->weight_prefix)
		show_url(&w, "weightPathPrefix", q->weight_prefix);
	write_common(&w, q);
	show_headers(&w, q);
	json_write_object_end(&w);
}
