/* SPDX-License-Identifier: Apache-2.0 */
#include "server/import/import_source.h"
#include "common/model/filepath.h"
#include "common/model/modeljson.h"
#include "server/import/import_kind.h"
#include "server/import/import_modeld.h"
#include "server/metrics/metrics.h"

#include <stdio.h>

#define ARCHIVE_PATH "archive" /* in the upload, as long as it is one */

#define WHAT "the model"

/* What came of one URL. */
struct source {
	struct url url;
	bool unconditional; /* whatever is known of it */
	bool is_again;      /* only to compare: `known` is what it was */
	enum { SOURCE_TEXT, SOURCE_ARCHIVE, SOURCE_KNOWN } is;
	struct buf text;              /* SOURCE_TEXT: all of it */
	struct catalog_fetched known; /* SOURCE_KNOWN: what it still is */
	struct fetch_head head;
};

static bool is_archive(const void *bytes, size_t n)
{
	enum archive_kind ignored;

	return archive_sniff(bytes, n, &ignored);
}

/* ---- one try at the URL ---- */

static int read_more(struct fetch *x, struct source *s, const char **ret, size_t *ret_n,
	struct import_again *again, struct err *e)
{
	int r = fetch_read(x, ret, ret_n, e);

	if (r < 0) {
		again->worth_it = fetch_may_retry(x, &again->after_ms);
		return r;
	}
	metrics_add(METRICS_IMPORT_BYTES, *ret_n);
	buf_add(&s->text, *ret, *ret_n);
	return buf_check(&s->text, WHAT, e);
}

/* As many bytes as tell what it is, or all there are. */
static int read_start(struct fetch *x, struct source *s, bool *ret_all, struct import_again *again,
	struct err *e)
{
	const char *bytes;
	size_t n = 1;
	int r = 0;

	while (r == 0 && n > 0 && s->text.len < ARCHIVE_SNIFF)
		r = read_more(x, s, &bytes, &n, again, e);
	*ret_all = n == 0;
	return r;
}

static int read_rest(struct fetch *x, struct source *s, struct import_again *again, struct err *e)
{
	const char *bytes;
	size_t n = 1;
	int r = 0;

	while (r == 0 && n > 0)
		r = read_more(x, s, &bytes, &n, again, e);
	return r;
}

static int check_digest(const struct source *s, struct import_again *again, struct err *e)
{
	struct digest found;
	int r;

	if (!s->head.has_digest)
		return 0;
	r = digest_of(buf_str(&s->text), s->text.len, &found, e);
	if (r < 0 || memcmp(found.bytes, s->head.sha256, sizeof(found.bytes)) == 0)
		return r;
	again->worth_it = true;
	return err_set(e, ERR_FETCH_FAILED, WHAT " does not have the digest that its host gives "
		"for it");
}

static int take_archive(struct import_job *j, struct fetch *x, struct source *s,
	struct import_plan *p, struct import_again *again, struct err *e)
{
	struct import_file *f;
	struct import_at at;
	int r = import_plan_add(p, str_of(ARCHIVE_PATH), &f, e);

	s->is = SOURCE_ARCHIVE;
	p->is_archive = true;
	p->model = s->url;
	if (r < 0)
		return r;
	import_job_set_total(j, s->head.size != UINT64_MAX ? s->head.size : 0, 1);
	import_job_begin(j, &at, f->path);
	r = import_attempt_adopt(j, &s->url, f, x, &s->head,
		(struct str){buf_str(&s->text), s->text.len}, again, e);
	import_job_end(j, &at);
	return r;
}

static int take_body(struct import_job *j, struct fetch *x, struct source *s,
	struct import_plan *p, struct import_again *again, struct err *e)
{
	bool all;
	int r;

	buf_clear(&s->text);
	s->is = SOURCE_TEXT;
	r = read_start(x, s, &all, again, e);
	if (r < 0)
		return r;
	if (!s->is_again && is_archive(buf_str(&s->text), s->text.len))
		return take_archive(j, x, s, p, again, e);
	if (!all)
		r = read_rest(x, s, again, e);
	return r < 0 ? r : check_digest(s, again, e);
}

static int try_source(struct import_job *j, struct source *s, struct import_plan *p,
	struct import_again *again, struct err *e)
{
	CLEANUP(fetch_free_p) struct fetch *x = NULL;
	const struct fetch_head *head;
	struct fetch_request q;
	bool known = s->is_again;
	int r = known || s->unconditional ? 0 : import_attempt_known(j, &s->url, &s->known, &known,
						      e);

	if (r < 0)
		return r;
	import_attempt_request(j, &s->url, WHAT, &q);
	q.coded = true;
	q.max_bytes = j->settings->limits_version;
	q.if_none_match = known ? s->known.etag : NULL;
	r = fetch_start(j->settings->fetcher, &q, &x, e);
	if (r == 0)
		r = fetch_head(x, &head, e);
	if (r < 0) {
		again->worth_it = x && fetch_may_retry(x, &again->after_ms);
		again->status = x ? fetch_status(x) : 0;
		return r;
	}
	s->head = *head;
	again->status = head->status;
	if (head->status == 304) {
		s->is = SOURCE_KNOWN;
		return 0;
	}
	return take_body(j, x, s, p, again, e);
}

/* An archive that came in part is one from then on, and is gone on with as such. */
static int fetch_source(struct import_job *j, struct source *s, struct import_plan *p,
	struct err *e)
{
	struct import_again again;
	int r;

	for (unsigned failures = 1;; failures++) {
		again = (struct import_again){.worth_it = false};
		r = try_source(j, s, p, &again, e);
		if (r == 0)
			return 0;
		if (p->is_archive && p->n > 0)
			import_attempt_settle(j, &p->files[0], again.anew);
		if (!import_files_pause(j, failures, &again))
			break;
		if (p->is_archive && p->n > 0)
			return import_files_fetch_one(j, p, &p->files[0], e);
	}
	import_job_fail(j, e, s->url.text, again.status);
	return r;
}

/* ---- model.json ---- */

static int stage_text(struct import_job *j, const struct buf *text, struct staging_file *ret,
	struct err *e)
{
	CLEANUP(staging_writer_free_p) struct staging_writer *w = NULL;
	uint64_t ignored;
	int r = staging_write_begin(j->importer->registry,
		&(struct staging_write){
			.id = j->row.upload,
			.path = STR_LIT(FILEPATH_MODEL),
			.complete = true,
			.length = text->len,
		},
		&w, &ignored, e);

	if (r == 0)
		r = staging_write(w, buf_str(text), text->len, e);
	if (r == 0)
		r = staging_write_end(w, ret, e);
	return r;
}

static int keep_model(struct import_job *j, const struct source *s, struct import_plan *p,
	struct err *e)
{
	struct staging_file there;
	int r = stage_text(j, &s->text, &there, e);

	if (r < 0)
		return r;
	p->model = s->url;
	p->digest = there.digest;
	(void)snprintf(p->etag, sizeof(p->etag), "%s", s->head.etag);
	p->total = there.offset;
	atomic_fetch_add(&j->bytes, there.offset);
	atomic_fetch_add(&j->files, 1);
	atomic_fetch_add(&j->fetched, 1);
	return import_attempt_learn(j, &s->url, s->head.etag, &there.digest, there.offset, e);
}

static bool staged_is_archive(struct import_job *j)
{
	CLEANUP(blob_unref_p) struct blob *bytes = NULL;
	struct err e;
	int r = staging_load(j->importer->registry, j->row.upload, STR_LIT(FILEPATH_MODEL), &bytes,
		&e);

	if (r < 0)
		return r == -(int)ERR_TOO_LARGE;
	return is_archive(blob_data(bytes), (size_t)blob_size(bytes));
}

static int keep_known_archive(struct import_job *j, const struct source *s, struct import_plan *p,
	bool *ret_there, struct err *e)
{
	struct import_file *f;
	int r = import_plan_add(p, str_of(ARCHIVE_PATH), &f, e);

	p->is_archive = true;
	import_job_restart(j); /* it was counted as a model.json */
	import_job_set_total(j, s->known.size, 1);
	return r < 0 ? r : import_attempt_mount(j, f, &s->known.digest, ret_there, e);
}

/* The host says that it is what it was. Whether that was an archive, its bytes tell. */
static int keep_known(struct import_job *j, struct source *s, struct import_plan *p, struct err *e)
{
	struct import_file f = {.path = (char[]){FILEPATH_MODEL}};
	bool there = false;
	int r = import_attempt_mount(j, &f, &s->known.digest, &there, e);

	if (r == 0 && there && staged_is_archive(j))
		r = keep_known_archive(j, s, p, &there, e);
	s->unconditional = !there;
	if (r < 0 || !there)
		return r;
	p->model = s->url;
	p->digest = s->known.digest;
	(void)snprintf(p->etag, sizeof(p->etag), "%s", s->known.etag);
	p->total = s->known.size;
	import_job_learn(j, &s->known);
	return 0;
}

/* Another modeld's version, described: model.json comes from there like the other files. */
static int take_description(struct import_job *j, const struct source *s, struct import_plan *p,
	bool *ret_is, struct err *e)
{
	struct import_file model = {.path = (char[]){FILEPATH_MODEL}, .is_companion = true};
	int r = import_modeld_read((struct str){buf_str(&s->text), s->text.len}, &s->url,
		j->settings->limits_files, p, &model, ret_is, e);

	if (r < 0)
		import_job_fail(j, e, s->url.text, 0);
	if (r == 0 && *ret_is)
		r = import_files_fetch_one(j, p, &model, e);
	free(model.seen);
	return r;
}

/* Under a name that moves, another modeld answers with model.json as it is for that moment only,
 * and says where the version itself is. */
static bool leads_on(const struct source *s)
{
	const struct fetch_head *h = &s->head;

	return s->is == SOURCE_TEXT && h->has_content_location &&
		url_same_origin(&h->url, &h->content_location) &&
		import_kind_pinned(&h->content_location) && !import_kind_pinned(&s->url);
}

static int follow(struct source *s, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(2 * URL_MAX);
	const char *query = strchr(s->url.text, '?');

	buf_add_str(&text, s->head.content_location.text);
	if (query && !strchr(buf_str(&text), '?'))
		buf_add_str(&text, query);
	s->unconditional = false;
	return url_parse((struct str){buf_str(&text), text.len}, &s->url, e);
}

/* fromTFHub, as TensorFlow.js does it (tfjs-converter/src/executor/graph_model.ts). */
static int first_url(const struct import_job *j, struct url *ret, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(2 * URL_MAX);
	const struct url *url = &j->request.url;

	if (!j->request.from_tf_hub) {
		*ret = *url;
		return 0;
	}
	buf_add_str(&text, url->text);
	if (!str_ends(str_of(url->text), "/"))
		buf_add_char(&text, '/');
	buf_add_str(&text, FILEPATH_MODEL "?tfjs-format=file");
	return url_parse((struct str){buf_str(&text), text.len}, ret, e);
}

static int take_source(struct import_job *j, struct source *s, struct import_plan *p,
	bool *ret_described, struct err *e)
{
	struct str text = {buf_str(&s->text), s->text.len};
	int r = 0;

	*ret_described = false;
	if (s->is == SOURCE_TEXT && !modeljson_recognise(text.p, text.n))
		r = take_description(j, s, p, ret_described, e);
	if (r < 0 || *ret_described || s->is != SOURCE_TEXT)
		return r;
	return keep_model(j, s, p, e);
}

static int read_source(struct import_job *j, struct source *s, struct import_plan *p,
	bool *ret_described, struct err *e)
{
	int r = fetch_source(j, s, p, e);

	if (r == 0 && s->is == SOURCE_KNOWN) {
		r = keep_known(j, s, p, e);
		if (r == 0 && s->unconditional)
			r = fetch_source(j, s, p, e);
	}
	if (r == 0 && leads_on(s)) {
		r = follow(s, e);
		return r < 0 ? r : read_source(j, s, p, ret_described, e);
	}
	return r < 0 ? r : take_source(j, s, p, ret_described, e);
}

/* ---- the plan ---- */

/* A description has them already, unless it is none of a whole model: what is missing then is said
 * as of any model. */
static int add_shards(struct import_job *j, struct import_plan *p, bool described,
	struct findings *f, struct err *e)
{
	CLEANUP(staging_plan_free_p) struct staging_plan *plan = NULL;
	int r = staging_plan(j->importer->registry, j->row.upload, &plan, f, e);

	if (r < 0 || !plan || described)
		return r;
	for (size_t i = 0; r == 0 && i < plan->paths_n; i++)
		r = import_plan_add(p, str_of(plan->paths[i]), NULL, e);
	if (r == 0 && !num_add(p->total, plan->weight_bytes, &p->total))
		return err_set(e, ERR_TOO_LARGE, "the weights are too large");
	return r;
}

static int add_companions(struct import_job *j, struct import_plan *p, struct err *e)
{
	const struct import_request *q = &j->request;
	int r = 0;

	for (size_t i = 0; r == 0 && i < q->include_n; i++) {
		struct import_file *f;

		if (import_plan_find(p, q->include[i]))
			continue;
		r = import_plan_add(p, str_of(q->include[i]), &f, e);
		if (r == 0)
			f->is_companion = f->is_extra = true;
	}
	return r;
}

int import_source_read(struct import_job *j, struct import_plan *ret, struct findings *f,
	struct err *e)
{
	struct source s = {.text = BUF_INIT(j->settings->limits_model_json)};
	bool described;
	int r = first_url(j, &s.url, e);

	ret->prefix = j->request.weight_prefix;
	if (r == 0)
		r = read_source(j, &s, ret, &described, e);
	buf_done(&s.text);
	if (r < 0 || ret->is_archive)
		return r;
	r = add_shards(j, ret, described, f, e);
	if (r == 0)
		r = add_companions(j, ret, e);
	return r < 0 ? r : import_plan_sort(ret, e);
}

/* ---- at the end ---- */

static int compare(const struct source *s, const struct import_plan *p, bool *ret, struct err *e)
{
	struct digest found;
	int r;

	*ret = s->is == SOURCE_KNOWN;
	if (s->is != SOURCE_TEXT)
		return 0;
	r = digest_of(buf_str(&s->text), s->text.len, &found, e);
	*ret = r == 0 && digest_eq(&found, &p->digest);
	return r;
}

/* Without an ETag it would have to come whole once more; then its host is taken at its word. */
int import_source_same(struct import_job *j, const struct import_plan *p, bool *ret, struct err *e)
{
	struct source s = {
		.text = BUF_INIT(j->settings->limits_model_json),
		.url = p->model,
		.is_again = true,
	};
	struct import_plan none = {.n = 0};
	int r;

	*ret = true;
	if (p->is_archive || p->is_pinned || p->etag[0] == '\0')
		return 0;
	(void)snprintf(s.known.etag, sizeof(s.known.etag), "%s", p->etag);
	r = fetch_source(j, &s, &none, e);
	if (r == 0)
		r = compare(&s, p, ret, e);
	buf_done(&s.text);
	return r;
}
