/* SPDX-License-Identifier: Apache-2.0 */
#include "client/side.h"
#include "client/local.h"
#include "client/say.h"
#include "common/model/filepath.h"

#include <inttypes.h>
#include <stdio.h>

#define TARGET_MAX  512
#define TENSORS_MAX (256u << 20)

static const struct json_limits limits = {TENSORS_MAX, 4000000, 32, false};

void side_done(struct side *s)
{
	json_doc_free(s->files);
	json_doc_free(s->tensors);
	json_doc_free(s->model);
	*s = (struct side){.files = NULL};
}

static int parse_model(struct side *s, const char *text, size_t n, struct fault *f)
{
	int r = json_parse(text, n, &JSON_LIMITS_MODEL, &s->model, &f->e);

	return r < 0 ? err_prefix(&f->e, "%s: " FILEPATH_MODEL, s->name) : 0;
}

/* ---- on the server ---- */

static int load_tensors(struct api *a, const struct api_version *v, struct side *s, struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer answer = {.doc = NULL};
	char target[TARGET_MAX];
	int r;

	(void)snprintf(target, sizeof(target), "/v1/models/%s/versions/%" PRIu64 "/tensors",
		v->ref.name, v->number);
	r = api_get(a, target, s->name, &answer, f);
	if (r < 0)
		return r;
	s->tensors = take_ptr(answer.doc);
	s->tensors_v = json_get(json_root(s->tensors), "tensors");
	return 0;
}

static int load_model(struct api *a, const struct api_version *v, struct side *s, struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer answer = {.doc = NULL};
	char target[TARGET_MAX];
	const struct api_request q = {
		.method = "GET",
		.target = target,
		.what = s->name,
		.http = {.coded = true},
		.raw = true,
	};
	int r;

	(void)snprintf(target, sizeof(target), "/models/%s@%" PRIu64 "/" FILEPATH_MODEL,
		v->ref.name, v->number);
	r = api_send(a, &q, &answer, f);
	return r < 0 ? r : parse_model(s, buf_str(&answer.http.body), answer.http.body.len, f);
}

static int load_version(struct api *a, const char *ref, struct side *s, struct fault *f)
{
	CLEANUP_API_VERSION struct api_version v = {.number = 0};
	int r = api_version(a, ref, &v, f);

	if (r < 0)
		return r;
	(void)snprintf(s->name, sizeof(s->name), "%s@%" PRIu64, v.ref.name, v.number);
	s->files = take_ptr(v.answer.doc);
	s->files_v = json_get(json_root(s->files), "files");
	r = load_tensors(a, &v, s, f);
	return r < 0 ? r : load_model(a, &v, s, f);
}

/* ---- on disk ---- */

static int write_files(const struct lint_files *l, struct side *s, struct fault *f)
{
	CLEANUP_BUF struct buf text = BUF_INIT(SAY_MAX);
	char hex[DIGEST_HEX + 1];
	struct json_write w;

	json_write_init(&w, &text);
	json_write_array(&w, NULL);
	for (size_t i = 0; i < l->n; i++) {
		json_write_object(&w, NULL);
		json_write_str(&w, "path", l->files[i].path);
		json_write_uint(&w, "bytes", l->files[i].size);
		json_write_str(&w, "sha256", digest_hex(&l->files[i].digest, hex));
		json_write_object_end(&w);
	}
	json_write_array_end(&w);
	if (json_parse(buf_str(&text), text.len, &limits, &s->files, &f->e) < 0)
		return -(int)f->e.code;
	s->files_v = json_root(s->files);
	return 0;
}

static int write_tensors(const struct lint_verdict *v, struct side *s, struct fault *f)
{
	CLEANUP_BUF struct buf text = BUF_INIT(TENSORS_MAX);
	struct json_write w;

	json_write_init(&w, &text);
	if (v->scan)
		weightscan_write(v->scan, &w, NULL);
	else
		json_write_raw(&w, NULL, "[]", 2);
	if (buf_check(&text, "what was measured of the weights", &f->e) < 0 ||
		json_parse(buf_str(&text), text.len, &limits, &s->tensors, &f->e) < 0)
		return -(int)f->e.code;
	s->tensors_v = json_root(s->tensors);
	return 0;
}

static int load_local(const struct run *run, const char *path, struct side *s, struct fault *f)
{
	CLEANUP(local_close_p) struct local *l = NULL;
	CLEANUP_FINDINGS struct findings findings;
	CLEANUP_LINT_VERDICT struct lint_verdict v = {.json = NULL};
	int r = local_open(run, path, &l, f);

	findings_init(&findings);
	(void)snprintf(s->name, sizeof(s->name), "%s", path);
	if (r < 0)
		return r;
	r = local_lint(l, &v, &findings, f);
	if (r < 0) {
		(void)err_prefix(&f->e, "%s", path);
		return fault_next(f, "`modelctl lint %s` says more.", path);
	}
	r = write_files(local_files(l), s, f);
	if (r == 0)
		r = write_tensors(&v, s, f);
	return r < 0 ? r : parse_model(s, v.bytes.data, v.bytes.n, f);
}

int side_load(const struct run *run, struct api *a, const char *what, struct side *ret,
	struct fault *f)
{
	bool is_local;
	int r = local_is(what, &is_local, f);

	if (r < 0)
		return r;
	return is_local ? load_local(run, what, ret, f) : load_version(a, what, ret, f);
}
