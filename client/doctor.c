/* SPDX-License-Identifier: Apache-2.0 */
#include "client/doctor.h"
#include "client/doctor_folder.h"
#include "common/base/num.h"
#include "common/lint/lint_weights.h"
#include "common/model/filepath.h"

#include <inttypes.h>

#define MANIFEST "/weightsManifest"
#define TYPE_MAX 100

void doctor_done(struct doctor *d)
{
	weightscan_free(d->scan);
	artifact_free(d->artifact);
	modeljson_free(d->json);
	buf_done(&d->text);
	doctor_report_done(&d->report);
	free(d->folder);
	free(d->shards);
}

/* ---- the URL ---- */

static void judge_url(struct doctor *d)
{
	const char *url = d->model.text, *query = strchr(url, '?'), *slash = strrchr(url, '/');

	if (query && slash > query)
		doctor_report_add(&d->report, DOCTOR_QUERY_SLASH, url,
			"the query has a /: TensorFlow.js cuts the URL there and asks for shards "
			"at places that do not exist");
	else if (query && strrchr(url, '?') != query)
		doctor_report_add(&d->report, DOCTOR_QUERY_TWICE, url,
			"there are two ? in the URL: shards are asked for with what is behind the "
			"last one alone");
}

static bool has_slash_in_query(const struct doctor *d)
{
	const char *query = strchr(d->model.text, '?');

	return query && strrchr(d->model.text, '/') > query;
}

/* ---- what an answer is instead ---- */

static void judge_accident(struct doctor *d, const char *looks_like, bool coded, const char *url)
{
	enum doctor_rule rule = DOCTOR_FORMAT;

	if (strcmp(looks_like, "an HTML page") == 0)
		rule = DOCTOR_PAGE;
	else if (strcmp(looks_like, "a Git LFS pointer") == 0)
		rule = DOCTOR_LFS;
	else if (strcmp(looks_like, "a gzip stream") == 0)
		rule = coded ? DOCTOR_CODING_TWICE : DOCTOR_CODING_UNDECLARED;
	doctor_report_add(&d->report, rule, url, "the answer is %s%s", looks_like,
		coded ? ", once its Content-Encoding is off" : "");
}

static bool is_coded(const struct doctor_fetch *x)
{
	struct str ignored;

	return http_answer_header(&x->answer, "Content-Encoding", &ignored);
}

/* ---- model.json ---- */

static int keep_text(void *cls, const void *bytes, size_t n, struct err *e)
{
	struct doctor *d = cls;

	buf_add(&d->text, bytes, n);
	return buf_check(&d->text, "model.json", e);
}

static int parse(struct doctor *d, struct findings *findings, struct fault *f)
{
	int r = lint_model_parse(buf_str(&d->text), d->text.len, &d->json, &d->artifact, findings,
		&f->e);

	if (r != -(int)ERR_NOT_LOADABLE)
		return r;
	f->e = (struct err){.code = ERR_NONE};
	return 0;
}

/* Once more, with paths as they are within the folder. False in *ret when there is none, or it is
 * not that of all shards. */
static int parse_aside(struct doctor *d, struct findings *findings, bool *ret, struct fault *f)
{
	struct buf text = BUF_INIT(DOCTOR_JSON_MAX);
	size_t n;
	int r = doctor_folder_aside(&d->text, &text, &d->folder, &n, &f->e);

	*ret = false;
	buf_done(&d->text);
	d->text = text;
	if (r < 0 || !d->folder)
		return r;
	r = parse(d, findings, f);
	*ret = r == 0 && (!d->json || (d->json->manifest && d->json->manifest->paths_n == n));
	return r;
}

static int read_model(struct doctor *d, struct fault *f)
{
	CLEANUP_FINDINGS struct findings findings, aside;
	bool is_aside = false;
	int r;

	findings_init(&findings);
	findings_init(&aside);
	r = parse(d, &findings, f);
	if (r == 0 && !d->json)
		r = parse_aside(d, &aside, &is_aside, f);
	if (r == 0 && d->folder && !is_aside) {
		artifact_free(take_ptr(d->artifact));
		modeljson_free(take_ptr(d->json));
	}
	doctor_report_lint(&d->report, is_aside ? &aside : &findings, d->model.text);
	return r;
}

/* response.json() asks for no type (tfjs-core/src/io/http.ts). */
static void judge_type(struct doctor *d, const struct http_answer *a)
{
	struct str type, rest;

	if (!http_answer_header(a, "Content-Type", &type))
		return;
	rest = type;
	(void)str_split(&rest, ';', &type);
	type = str_trim(type);
	if (!str_eq_nocase(type, "application/json") && !str_eq_nocase(type, "text/json") &&
		!str_ends(type, "+json") && !str_eq_nocase(type, "text/html"))
		doctor_report_add(&d->report, DOCTOR_MODEL_TYPE, d->model.text,
			"Content-Type is " STR_FMT ", which is harmless",
			type.n < TYPE_MAX ? (int)type.n : TYPE_MAX, type.p);
}

static int fetch_model(struct doctor *d, struct fault *f)
{
	CLEANUP_DOCTOR_FETCH struct doctor_fetch x = {.host = &d->host,
		.url = d->model,
		.is_model = true,
		.max = DOCTOR_JSON_MAX,
		.take = keep_text,
		.cls = d};
	const char *looks_like;
	int r;

	d->text = (struct buf)BUF_INIT(DOCTOR_JSON_MAX);
	r = doctor_fetch(&x, f);
	if (r < 0 || !x.arrived)
		return r;
	if (x.stopped) {
		doctor_report_add(&d->report, DOCTOR_MODEL_SIZE, d->model.text,
			"the answer has more than %u MiB", DOCTOR_JSON_MAX >> 20);
		return 0;
	}
	d->cache = doctor_cache_of(&x.answer);
	doctor_cache_validator(&x.answer, d->model.text, &d->report);
	looks_like = x.start_n > 0 ? modeljson_sniff(x.start, x.start_n, NULL) : NULL;
	if (looks_like && strcmp(looks_like, "JSON") != 0) {
		judge_accident(d, looks_like, is_coded(&x), d->model.text);
		return 0;
	}
	judge_type(d, &x.answer);
	return read_model(d, f);
}

/* ---- shards ---- */

static int shard_url(struct doctor *d, size_t i, struct url *ret, struct err *e)
{
	CLEANUP_BUF struct buf path = BUF_INIT(URL_MAX);
	int r;

	buf_add_str(&path, d->folder ? d->folder : "");
	buf_add_str(&path, d->json->manifest->paths[i]);
	r = buf_check(&path, "the path of a shard", e);
	return r < 0 ? r : url_of_shard(&d->model, NULL, buf_str(&path), ret, e);
}

static int feed(void *cls, const void *bytes, size_t n, struct err *e)
{
	struct doctor *d = cls;
	int r = weightscan_feed(d->scan, bytes, n, e);

	if (r == 0 && weightscan_walk(d->scan)->surplus > DOCTOR_SURPLUS_MAX) {
		d->too_much = true;
		return err_set(e, ERR_CANCELLED, "more than the manifest describes");
	}
	return r;
}

static void judge_size(struct doctor *d, const struct doctor_fetch *x, struct doctor_shard *s,
	bool *known)
{
	uint64_t size = x->bytes;

	*known = true;
	if (d->only_heads)
		*known = doctor_fetch_size(x, &size);
	else if (x->stopped && !doctor_fetch_size(x, &size))
		size = x->bytes;
	s->size = size;
	if (!*known)
		doctor_report_add(&d->report, DOCTOR_SIZE_UNKNOWN, x->url.text,
			"no header tells the size of the shard");
	else if (size > DOCTOR_SHARD_MAX)
		doctor_report_add(&d->report, DOCTOR_TOO_LARGE, x->url.text,
			"the shard has 2 GiB or more, which browsers do not fetch");
}

/* A query goes along from model.json to shards, and may be what tells versions apart. */
static bool is_own(const struct doctor *d, size_t i)
{
	return strchr(d->model.text, '?') ||
		doctor_cache_is_own(d->folder, d->json->manifest->paths[i]);
}

static int fetch_shard(struct doctor *d, size_t i, bool *there, struct fault *f)
{
	CLEANUP_DOCTOR_FETCH struct doctor_fetch x = {.host = &d->host,
		.only_start = d->only_heads,
		.max = DOCTOR_SHARD_MAX,
		.take = d->only_heads ? NULL : feed,
		.cls = d};
	struct doctor_shard *s = &d->shards[i];
	int r = shard_url(d, i, &x.url, &f->e);

	*there = false;
	if (r == -(int)ERR_BAD_URL || r == -(int)ERR_TOO_LARGE) {
		doctor_report_add(&d->report, DOCTOR_SHARD_URL, d->model.text, "shard %zu: %s", i,
			f->e.text);
		f->e = (struct err){.code = ERR_NONE};
		return 0;
	}
	if (r == 0)
		r = doctor_fetch(&x, f);
	if (r < 0 && d->too_much) {
		f->e = (struct err){.code = ERR_NONE};
		return 0;
	}
	if (r < 0 || !x.arrived)
		return r;
	doctor_cache_judge(d->cache, doctor_cache_of(&x.answer), is_own(d, i), x.url.text,
		&d->report);
	doctor_cache_validator(&x.answer, x.url.text, &d->report);
	/* The beginning alone is not decoded. */
	if (x.start_n > 0 && !(d->only_heads && is_coded(&x)))
		s->looks_like = modeljson_sniff(x.start, x.start_n, &s->certain);
	s->coded = is_coded(&x);
	judge_size(d, &x, s, there);
	*there = *there && (d->only_heads || !x.stopped);
	return 0;
}

/* All of them, also behind one that is not there, for what else is to be said. */
static int fetch_shards(struct doctor *d, struct fault *f)
{
	size_t n = d->json->manifest->paths_n;
	bool there;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n && !d->too_much; i++) {
		r = fetch_shard(d, i, &there, f);
		if (r < 0 || !there)
			continue;
		d->complete++;
		if (!num_add(d->bytes, d->shards[i].size, &d->bytes))
			return err_set(&f->e, ERR_TOO_LARGE, "the shards are too large to count");
	}
	return r;
}

/* ---- all of them ---- */

/* The same as in lint_weights_judge(): what merely looks like something else explains a wrong
 * length, and is chance otherwise. */
static int judge_accidents(struct doctor *d, bool right_length, struct fault *f)
{
	const struct manifest *m = d->json->manifest;
	struct url url;
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->paths_n; i++) {
		const struct doctor_shard *s = &d->shards[i];
		if (!s->looks_like || (right_length && (!s->certain || m->has_strings)))
			continue;
		r = shard_url(d, i, &url, &f->e);
		if (r == 0)
			judge_accident(d, s->looks_like, s->coded, url.text);
	}
	return r;
}

/* Where nothing but headers was read. */
static void judge_sum(const struct doctor *d, struct findings *findings)
{
	const struct manifest *m = d->json->manifest;
	bool is_short = d->bytes < m->fixed_bytes;

	if (is_short || (!m->has_strings && d->bytes > m->fixed_bytes))
		findings_add(findings, is_short ? RULE_WEIGHTS_TOO_SHORT : RULE_WEIGHTS_TOO_LONG,
			FILEPATH_MODEL, MANIFEST,
			"the shards have %" PRIu64 " bytes, the manifest describes %" PRIu64,
			d->bytes, m->fixed_bytes);
}

static void judge_stream(const struct doctor *d, struct findings *findings)
{
	char size[NUM_SIZE_TEXT];

	if (d->too_much)
		findings_add(findings, RULE_WEIGHTS_TOO_LONG, FILEPATH_MODEL, MANIFEST,
			"the shards have more than %s behind what the manifest describes",
			num_format_size(DOCTOR_SURPLUS_MAX, size));
	else if (d->only_heads)
		judge_sum(d, findings);
	else
		manifest_walk_finish(weightscan_walk(d->scan), findings);
}

static uint64_t last_slice(const struct doctor *d)
{
	const struct manifest *m = d->json->manifest;
	uint64_t at = 0, last = 0;

	if (!d->only_heads)
		return weightscan_walk(d->scan)->slice;
	for (size_t i = 0; i < m->weights_n; i++) {
		if (m->weights[i].bytes > 0)
			last = at;
		at += m->weights[i].bytes;
	}
	return last;
}

static int judge_layout(const struct doctor *d, struct findings *findings, struct fault *f)
{
	size_t n = d->json->manifest->paths_n;
	CLEANUP_FREE uint64_t *sizes = calloc(n + 1, sizeof(*sizes));
	enum sharding_fault fault;

	if (!sizes)
		return err_nomem(&f->e);
	for (size_t i = 0; i < n; i++)
		sizes[i] = d->shards[i].size;
	fault = sharding_judge(sizes, n, last_slice(d));
	if (fault != SHARDING_FINE)
		lint_weights_refuse(fault, findings);
	return 0;
}

static int judge_weights(struct doctor *d, struct fault *f)
{
	bool all = d->complete == d->json->manifest->paths_n, right;
	CLEANUP_FINDINGS struct findings findings;
	int r = 0;

	findings_init(&findings);
	if (!d->only_heads)
		r = weightscan_finish(d->scan, &f->e);
	if (r == 0 && (all || d->too_much))
		judge_stream(d, &findings);
	right = !findings_refuse(&findings);
	if (r == 0)
		r = judge_accidents(d, right, f);
	if (r == 0 && all && right && !d->only_heads)
		weightscan_findings(d->scan, &findings);
	if (r == 0 && all)
		r = judge_layout(d, &findings, f);
	doctor_report_lint(&d->report, &findings, d->model.text);
	return r;
}

static int fetch_with_progress(struct doctor *d, struct fault *f)
{
	struct progress progress;
	int r;

	progress_begin(&progress, d->run, "reading", d->json->manifest->fixed_bytes);
	if (!d->only_heads)
		d->host.progress = &progress;
	r = fetch_shards(d, f);
	d->host.progress = NULL;
	progress_end_drawn(&progress);
	return r;
}

int doctor_look(struct doctor *d, struct fault *f)
{
	int r;

	d->host.report = &d->report;
	judge_url(d);
	r = fetch_model(d, f);
	if (r < 0 || !d->json || !d->json->manifest || has_slash_in_query(d))
		return r;
	d->shards = calloc(d->json->manifest->paths_n + 1, sizeof(*d->shards));
	if (!d->shards)
		return err_nomem(&f->e);
	if (!d->only_heads)
		r = weightscan_new(d->json->manifest, &d->scan, &f->e);
	if (r == 0)
		r = fetch_with_progress(d, f);
	return r < 0 ? r : judge_weights(d, f);
}
