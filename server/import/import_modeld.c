/* SPDX-License-Identifier: Apache-2.0 */
#include "server/import/import_modeld.h"
#include "common/json/json.h"
#include "common/model/filepath.h"
#include "common/model/ref.h"

#define JSON_MAX    (64u << 20) /* as long as such an answer may be */
#define JSON_VALUES 2000000
#define JSON_DEPTH  64

struct description {
	const char *name;
	uint64_t version;
	const struct json *files;
};

static bool recognise(const struct json *root, struct description *ret)
{
	ret->name = json_str(json_get(root, "name"));
	ret->files = json_get(root, "files");
	return ret->name && json_is(ret->files, JSON_ARRAY) &&
		json_str(json_get(root, "root_digest")) &&
		json_uint(json_get(root, "version"), REF_VERSION_MAX, &ret->version);
}

/* What is in front of "/models/" in the URL that was asked, for a modeld behind another's path. */
static size_t prefix_of(struct str path)
{
	static const char models[] = "/models/", api[] = "/v1/models/";
	size_t found = 0;

	for (size_t i = 0; i + strlen(models) <= path.n; i++) {
		struct str rest = {path.p + i, path.n - i};
		if (str_starts(rest, api) || str_starts(rest, models)) {
			found = i;
			break;
		}
	}
	return found;
}

/* The query goes with it, as it goes to shards: it may be what lets one in. */
static int pinned_url(const struct url *asked, const struct description *d, struct url *ret,
	struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(2 * URL_MAX);
	struct str path = url_path(asked);
	const char *query = strchr(asked->text, '?');

	buf_add(&text, path.p, prefix_of(path));
	buf_addf(&text, "/models/%s@%llu/" FILEPATH_MODEL "%s", d->name,
		(unsigned long long)d->version, query ? query : "");
	if (buf_failed(&text))
		return buf_check(&text, "the URL", e);
	return url_resolve(asked, buf_str(&text), ret, e);
}

static int read_file(const struct json *v, struct str *ret_path, struct import_file *ret,
	uint64_t *ret_bytes, struct err *e)
{
	const char *path = json_str(json_get(v, "path")), *hex = json_str(json_get(v, "sha256"));

	if (!path || !hex || !digest_parse_hex(str_of(hex), &ret->digest) ||
		!json_uint(json_get(v, "bytes"), NUM_SAFE_INTEGER_MAX, ret_bytes))
		return err_set(e, ERR_FETCH_FAILED,
			"the other modeld describes a file without path, bytes or sha256");
	ret->has_digest = true;
	*ret_path = str_of(path);
	return filepath_check(str_of(path), e);
}

static int add_file(struct import_plan *p, const struct json *v, struct import_file *model,
	struct err *e)
{
	struct import_file said = {.path = NULL}, *f;
	struct str path = {"", 0};
	uint64_t bytes = 0;
	int r = read_file(v, &path, &said, &bytes, e);

	if (r < 0)
		return r;
	if (!num_add(p->total, bytes, &p->total))
		return err_set(e, ERR_TOO_LARGE, "the files of the other version are too large");
	if (str_eq_c(path, FILEPATH_MODEL)) {
		model->has_digest = true;
		model->digest = said.digest;
		return 0;
	}
	/* As they come from a catalog; so none comes twice. */
	if (p->n > 0 && strcmp(p->files[p->n - 1].path, path.p) >= 0)
		return err_set(e, ERR_FETCH_FAILED,
			"the other modeld does not describe its files in order");
	r = import_plan_add(p, path, &f, e);
	if (r < 0)
		return r;
	f->has_digest = true;
	f->digest = said.digest;
	f->is_companion = true;
	return 0;
}

static int fill(const struct description *d, uint64_t max_files, struct import_plan *p,
	struct import_file *model, struct err *e)
{
	int r = 0;

	if (json_count(d->files) > max_files)
		return err_set(e, ERR_TOO_LARGE, "it has %zu files, more than %llu, the limit",
			json_count(d->files), (unsigned long long)max_files);
	for (const struct json *v = json_first(d->files); r == 0 && v; v = json_next(v))
		r = add_file(p, v, model, e);
	return r;
}

int import_modeld_read(struct str json, const struct url *asked, uint64_t max_files,
	struct import_plan *ret, struct import_file *model, bool *ret_is, struct err *e)
{
	const struct json_limits limits = {JSON_MAX, JSON_VALUES, JSON_DEPTH, false};
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	struct description d;
	struct err ignored;
	int r;

	*ret_is = json_parse(json.p, json.n, &limits, &doc, &ignored) == 0 &&
		recognise(json_root(doc), &d);
	if (!*ret_is)
		return 0;
	r = ref_check_name(str_of(d.name), e);
	if (r == 0)
		r = pinned_url(asked, &d, &ret->model, e);
	if (r == 0)
		r = fill(&d, max_files, ret, model, e);
	ret->is_pinned = true;
	return r;
}
