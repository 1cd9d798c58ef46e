/* SPDX-License-Identifier: Apache-2.0 */
/* One version in words: GET /models/{ref} and GET /v1/models/{name}/versions/{version}. */
#include "common/base/clock.h"
#include "common/model/filepath.h"
#include "common/store/catalog_variant.h"
#include "server/api/api_describe.h"
#include "server/api/api.h"
#include "server/api/api_json.h"

#define ANSWER_MAX (64u << 20) /* a version of 20,000 files with long paths, and its findings */

/* What a version is described with besides its own row; `sizes` by file. */
struct describe {
	struct catalog_variant_size *sizes;
	size_t sizes_n;
};

static void describe_done(struct describe *d)
{
	free(d->sizes);
}

static int read_sizes(struct req *r, const struct catalog_version *v, struct describe *d,
	struct err *e)
{
	struct app *app = req_app(r);

	d->sizes = calloc(v->files_n + 1, CATALOG_VARIANT_CODINGS * sizeof(*d->sizes));
	if (!d->sizes)
		return err_nomem(e);
	return catalog_variant_sizes(registry_catalog(app->registry), v, d->sizes, &d->sizes_n, e);
}

/* Those of the file, which begin at `*at`; it is moved on behind them. */
static void write_codings(struct json_write *w, const struct describe *d, size_t file, size_t *at)
{
	if (*at == d->sizes_n || d->sizes[*at].file != file)
		return;
	json_write_object(w, "codings");
	for (; *at < d->sizes_n && d->sizes[*at].file == file; ++*at)
		json_write_uint(w, d->sizes[*at].coding, d->sizes[*at].size);
	json_write_object_end(w);
}

static void write_files(struct json_write *w, const struct catalog_version *v,
	const struct describe *d)
{
	char hex[DIGEST_HEX + 1];
	size_t at = 0;

	json_write_array(w, "files");
	for (size_t i = 0; i < v->files_n; i++) {
		const struct catalog_version_file *file = &v->files[i];

		json_write_object(w, NULL);
		json_write_str(w, "path", file->path);
		json_write_uint(w, "bytes", file->size);
		json_write_str(w, "sha256", digest_hex(&file->key.digest, hex));
		json_write_str(w, "media_type", filepath_media_type(str_of(file->path)));
		write_codings(w, d, i, &at);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void write_label(struct json_write *w, const struct catalog_label *label)
{
	char moved[CLOCK_TEXT];

	json_write_str(w, "label", label->label);
	json_write_uint(w, "revision", label->revision);
	json_write_str(w, "moved", clock_rfc3339(label->moved_ms, moved));
}

/* Addresses of an inner network and names of people are for those who publish, not for all who
 * read. */
static void write_provenance(struct json_write *w, const struct req *r,
	const struct catalog_version *v)
{
	if (*v->provenance && req_may(r, SCOPE_PUBLISH, v->model))
		json_write_raw(w, "provenance", v->provenance, strlen(v->provenance));
}

static void write_version(struct json_write *w, struct req *r, const struct catalog_version *v,
	const struct catalog_label *label, const struct describe *d)
{
	char created[CLOCK_TEXT];

	json_write_object(w, NULL);
	json_write_str(w, "name", v->model);
	json_write_uint(w, "version", v->version);
	api_json_ref(w, "ref", v->model, v->version);
	api_json_url(w, "url", req_base_url(r), v->model, v->version);
	if (label)
		write_label(w, label);
	api_json_root(w, "root_digest", &v->root);
	json_write_str(w, "created", clock_rfc3339(v->created_ms, created));
	json_write_uint(w, "bytes", v->bytes);
	json_write_members(w, v->info, strlen(v->info));
	write_provenance(w, r, v);
	write_files(w, v, d);
	json_write_array(w, "model_version_status");
	api_json_status(w, v->version);
	json_write_array_end(w);
	json_write_object_end(w);
}

int api_describe_ref(struct req *r, struct ref *ret, struct err *e)
{
	struct str name = req_capture(r, 0), version = req_capture(r, 1);
	CLEANUP_BUF struct buf text = BUF_INIT(REF_TEXT_MAX);
	uint64_t number;

	if (version.n == 0)
		return ref_parse(name, ret, e);
	if (!num_parse(version.p, version.n, REF_VERSION_MAX, &number) || number == 0)
		return err_set(e, ERR_VERSION_NOT_FOUND,
			"a version is a number from 1, not \"" STR_FMT "\"", STR_ARG(version));
	buf_addf(&text, STR_FMT "@" STR_FMT, STR_ARG(name), STR_ARG(version));
	if (buf_failed(&text))
		return err_set(e, ERR_MODEL_NOT_FOUND, "no model has so long a name");
	return ref_parse((struct str){text.data, text.len}, ret, e);
}

int api_describe_reply(struct req *r, const struct catalog_version *v,
	const struct catalog_label *label, struct err *e)
{
	CLEANUP_BUF struct buf json = BUF_INIT(ANSWER_MAX);
	CLEANUP(describe_done) struct describe d = {.sizes_n = 0};
	char etag[API_JSON_REVISION_TEXT];
	struct json_write w;
	/* They come and go, and the ETag of a label is its revision. */
	int result = label ? 0 : read_sizes(r, v, &d, e);

	if (result < 0)
		return result;
	json_write_init(&w, &json);
	write_version(&w, r, v, label, &d);
	return label ? api_json_reply_tagged(r, &json, api_json_revision(label->revision, etag), e)
		     : api_json_reply(r, &json, e);
}

int api_describe_work(struct req *r, struct err *e)
{
	struct app *app = req_app(r);
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct ref ref;
	int result = api_describe_ref(r, &ref, e);

	if (result < 0)
		return api_json_absent(e);
	result = registry_resolve(app->registry, &ref, &v, e);
	return result < 0 ? result : api_describe_reply(r, v, NULL, e);
}

const struct handler api_describe = {
	.name = "describe",
	.scope = SCOPE_READ,
	.target = HANDLER_VERSION,
	.work = api_describe_work,
};
