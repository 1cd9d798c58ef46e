/* SPDX-License-Identifier: Apache-2.0 */
#include "server/import/import_attempt.h"
#include "common/base/clock.h"
#include "common/base/num.h"
#include "common/model/filepath.h"
#include "server/auth/holders.h"
#include "server/metrics/metrics.h"

#include <stdio.h>

#define CHECKPOINT_MS UINT64_C(5000) /* of a transfer, what arrived is made durable as often */

#define TOLD_MIN MIB /* of a file that is not read when it is here */

#define ACCEPT "application/json, */*;q=0.9"

struct attempt {
	struct import_job *job;
	struct import_file *file;
	struct url url;
	bool is_known;
	struct catalog_fetched known;
	struct fetch *fetch; /* owned, but in one that was adopted */
	const struct fetch_head *head;
	bool runs; /* and counts among the job's transfers */
	struct staging_writer *writer;
	uint64_t durable_ms; /* when something was made so last */
};

static struct registry *registry_of(const struct import_job *j)
{
	return j->importer->registry;
}

/* ---- asking ---- */

/* TensorFlow.js sends them to wherever it fetches from; here that is only a host that the request
 * itself names. */
static bool gets_headers(const struct import_job *j, const struct url *url)
{
	const struct import_request *q = &j->request;
	struct url prefix;
	struct err ignored;

	if (url_same_origin(url, &q->url))
		return true;
	return q->weight_prefix && url_parse(str_of(q->weight_prefix), &prefix, &ignored) == 0 &&
		url_same_origin(url, &prefix);
}

void import_attempt_request(const struct import_job *j, const struct url *url, const char *what,
	struct fetch_request *out)
{
	const struct importer_settings *c = j->settings;

	*out = (struct fetch_request){
		.url = url,
		.what = what,
		.accept = ACCEPT,
		.max_bytes = c->limits_file,
		.connect_ms = c->import_connect_timeout,
		.timeout_ms = c->import_file_timeout,
		.min_rate = c->import_min_rate,
		.min_rate_ms = c->import_min_rate_time,
		.cancel = &j->halted,
	};
	if (gets_headers(j, url)) {
		out->headers = (const char *const *)j->request.headers;
		out->headers_n = j->request.headers_n;
	}
}

static int digest_of_url(const struct url *url, struct digest *ret, struct err *e)
{
	return digest_of(url->text, strlen(url->text), ret, e);
}

int import_attempt_known(struct import_job *j, const struct url *url,
	struct catalog_fetched *ret, bool *ret_found, struct err *e)
{
	struct digest digest;
	int r = digest_of_url(url, &digest, e);

	*ret_found = false;
	return r < 0 ? r : catalog_fetched_find(j->importer->catalog, j->row.model, &digest, ret,
				   ret_found, e);
}

int import_attempt_learn(struct import_job *j, const struct url *url, const char *etag,
	const struct digest *digest, uint64_t size, struct err *e)
{
	struct catalog_fetched row = {.digest = *digest, .size = size};
	int r;

	if (etag[0] == '\0')
		return 0;
	r = digest_of_url(url, &row.url, e);
	if (r < 0)
		return r;
	(void)snprintf(row.model, sizeof(row.model), "%s", j->row.model);
	(void)snprintf(row.etag, sizeof(row.etag), "%s", etag);
	import_job_learn(j, &row);
	return 0;
}

/* ---- progress ---- */

static void count(struct import_job *j, struct import_file *f, uint64_t bytes)
{
	if (bytes >= f->counted)
		atomic_fetch_add(&j->bytes, bytes - f->counted);
	else
		atomic_fetch_sub(&j->bytes, f->counted - bytes);
	f->counted = bytes;
}

/* So large is one of which nobody said how large it is. */
static void count_extra(struct import_job *j, struct import_file *f, uint64_t size)
{
	if (!f->is_extra)
		return;
	import_job_add_total(j, f->extra, size);
	f->extra = size;
}

static int expected_other(const struct import_file *f, const struct digest *found, struct err *e)
{
	char have[DIGEST_HEX + 1], want[DIGEST_HEX + 1];

	return err_set(e, ERR_EXPECTED_OTHER,
		"%s has the digest sha256:%s, not sha256:%s as expected", f->path,
		digest_hex(found, have), digest_hex(&f->expected, want));
}

/* It is there, with these bytes. */
static int finished(struct import_job *j, struct import_file *f, const struct staging_file *s,
	struct err *e)
{
	count(j, f, s->offset);
	count_extra(j, f, s->offset);
	import_job_set_part(j, f->path, NULL, false);
	f->etag[0] = '\0';
	f->offset = 0;
	if (f->has_expected && !digest_eq(&f->expected, &s->digest))
		return expected_other(f, &s->digest, e);
	atomic_fetch_add(&j->files, 1);
	staging_scan_file(j->scan, f->path, s);
	return 0;
}

/* Without memory it is not asked for again. */
static void see(struct import_file *f, const char *etag)
{
	free(f->seen);
	f->seen = etag[0] ? strdup(etag) : NULL;
}

int import_attempt_mount(struct import_job *j, struct import_file *f, const struct digest *digest,
	bool *ret_there, struct err *e)
{
	struct staging_file there;
	int r = staging_mount(registry_of(j), j->row.upload, str_of(f->path), digest, &there, e);

	*ret_there = r == 0;
	if (r == -(int)ERR_FILE_NOT_FOUND)
		return 0;
	return r < 0 ? r : finished(j, f, &there, e);
}

static bool may_have(const void *models, const char *model)
{
	return grants_allow(models, SCOPE_READ, model);
}

int import_attempt_mount_told(struct import_job *j, struct import_file *f,
	const struct digest *digest, bool *ret_there, struct err *e)
{
	bool may = grants_allow_all(&j->models, SCOPE_READ);
	int r = 0;

	*ret_there = false;
	if (!may)
		r = holders_any(j->importer->catalog, digest, may_have, &j->models, &may, e);
	return r == 0 && may ? import_attempt_mount(j, f, digest, ret_there, e) : r;
}

void import_attempt_settle(struct import_job *j, struct import_file *f, bool anew)
{
	struct staging_file there = {.offset = 0};
	struct err ignored;

	f->offset = 0;
	if (anew)
		f->etag[0] = '\0';
	if (f->etag[0] == '"' && staging_look(registry_of(j), j->row.upload, str_of(f->path),
					 &there, &ignored) == 0 && !there.complete)
		f->offset = there.offset;
	if (f->offset == 0)
		f->etag[0] = '\0';
	import_job_set_part(j, f->path, f->offset > 0 ? f->etag : NULL, false);
	count(j, f, f->offset);
}

/* ---- bytes ---- */

static int begin(struct attempt *a, struct err *e)
{
	struct import_file *f = a->file;
	const struct fetch_head *h = a->head;
	struct digest whole;
	uint64_t ignored;
	struct staging_write how = {
		.id = a->job->row.upload,
		.path = str_of(f->path),
		.append = h->offset > 0,
		.offset = h->offset,
		.complete = true,
		.length = h->size != UINT64_MAX ? h->size - h->offset : 0,
		.may_wait = true,
		.whole = f->has_digest ? &f->digest : h->has_digest ? &whole : NULL,
	};

	memcpy(whole.bytes, h->sha256, sizeof(whole.bytes));
	(void)snprintf(f->etag, sizeof(f->etag), "%s",
		h->etag[0] == '"' && !h->coded ? h->etag : "");
	count(a->job, f, h->offset);
	if (h->size != UINT64_MAX)
		count_extra(a->job, f, h->size);
	a->durable_ms = clock_mono_ms();
	return staging_write_begin(registry_of(a->job), &how, &a->writer, &ignored, e);
}

/* Of a long transfer a restart should not lose everything; without a strong ETag nobody could go
 * on from what is kept. */
static int checkpoint(struct attempt *a, struct err *e)
{
	struct import_file *f = a->file;
	const struct fetch_head *h = a->head;
	struct staging_file there;
	struct digest whole;
	uint64_t ignored;
	int r;

	if (f->etag[0] == '\0' || clock_mono_ms() - a->durable_ms < CHECKPOINT_MS)
		return 0;
	staging_writer_free(take_ptr(a->writer));
	r = staging_look(registry_of(a->job), a->job->row.upload, str_of(f->path), &there, e);
	if (r < 0)
		return r;
	import_job_set_part(a->job, f->path, f->etag, true);
	memcpy(whole.bytes, h->sha256, sizeof(whole.bytes));
	a->durable_ms = clock_mono_ms();
	return staging_write_begin(registry_of(a->job),
		&(struct staging_write){
			.id = a->job->row.upload,
			.path = str_of(f->path),
			.append = true,
			.offset = there.offset,
			.complete = true,
			.whole = f->has_digest ? &f->digest : h->has_digest ? &whole : NULL,
		},
		&a->writer, &ignored, e);
}

static int write_piece(struct attempt *a, const char *bytes, size_t n, struct err *e)
{
	int r = staging_write(a->writer, bytes, n, e);

	if (r < 0)
		return r;
	count(a->job, a->file, a->file->counted + n);
	return checkpoint(a, e);
}

static void judge(const struct fetch *x, struct import_again *again)
{
	again->worth_it = fetch_may_retry(x, &again->after_ms);
	again->anew = fetch_must_begin_anew(x);
	again->status = fetch_status(x);
}

static int pump(struct attempt *a, struct import_again *again, struct err *e)
{
	const char *bytes;
	size_t n = 1;
	int r = 0;

	while (r == 0 && n > 0) {
		r = fetch_read(a->fetch, &bytes, &n, e);
		if (r < 0) {
			judge(a->fetch, again);
			return r;
		}
		metrics_add(METRICS_IMPORT_BYTES, n);
		if (n > 0)
			r = write_piece(a, bytes, n, e);
	}
	return r;
}

/* The bytes are here: while they are made durable the next transfer runs, and this one's memory is
 * not needed. */
static void finish_transfer(struct attempt *a)
{
	if (!a->runs)
		return;
	a->runs = false;
	a->head = NULL;
	fetch_free(take_ptr(a->fetch));
	import_job_leave(a->job);
}

/* Bytes that are not what the other host says they are were damaged on the way. */
static int end(struct attempt *a, struct import_again *again, struct err *e)
{
	char etag[sizeof(a->head->etag)];
	struct staging_file there;
	int r;

	memcpy(etag, a->head->etag, sizeof(etag));
	finish_transfer(a);
	r = staging_write_end(a->writer, &there, e);
	if (r == -(int)ERR_BAD_DIGEST) {
		again->worth_it = again->anew = true;
		return err_set(e, ERR_FETCH_FAILED,
			"what came of %s does not have the digest that its host gives for it",
			a->file->path);
	}
	if (r == 0)
		r = import_attempt_learn(a->job, &a->url, etag, &there.digest, there.offset, e);
	see(a->file, etag);
	atomic_fetch_add(&a->job->fetched, 1);
	return r < 0 ? r : finished(a->job, a->file, &there, e);
}

static int take_body(struct attempt *a, struct str first, struct import_again *again,
	struct err *e)
{
	int r = begin(a, e);

	if (r == -(int)ERR_CONFLICT && a->head->offset > 0) {
		/* What was to be gone on from is not there any more. */
		again->worth_it = again->at_once = again->anew = true;
	}
	if (r == 0 && first.n > 0)
		r = write_piece(a, first.p, first.n, e);
	if (r == 0)
		r = pump(a, again, e);
	if (r == 0)
		r = end(a, again, e);
	return r;
}

/* ---- one try ---- */

static void attempt_done(struct attempt *a)
{
	finish_transfer(a);
	staging_writer_free(a->writer);
	fetch_free(a->fetch);
}

static int take_known(struct attempt *a, struct import_again *again, struct err *e)
{
	bool there = false;
	int r = import_attempt_mount(a->job, a->file, &a->known.digest, &there, e);

	if (r == 0 && !there) {
		a->file->unconditional = true;
		again->worth_it = again->at_once = true;
		return err_set(e, ERR_BLOB_GONE, "%s was collected meanwhile", a->file->path);
	}
	if (r == 0) {
		see(a->file, a->known.etag);
		import_job_learn(a->job, &a->known);
	}
	return r;
}

/* Bytes that are here already need not come, where that saves more than the connection that is lost
 * with them. What the digest names is judged like what would have come. */
static int take_told(struct attempt *a, bool *ret_there, struct err *e)
{
	const struct fetch_head *h = a->head;
	struct import_file *f = a->file;
	struct digest digest;
	int r;

	*ret_there = false;
	if (!h->has_digest || h->offset > 0 || f->has_digest || h->size < TOLD_MIN)
		return 0;
	memcpy(digest.bytes, h->sha256, sizeof(digest.bytes));
	r = import_attempt_mount_told(a->job, f, &digest, ret_there, e);
	if (r < 0 || !*ret_there)
		return r;
	see(f, h->etag);
	return import_attempt_learn(a->job, &a->url, h->etag, &digest, f->counted, e);
}

static int start(struct attempt *a, const struct import_plan *p, struct err *e)
{
	const struct import_file *f = a->file;
	struct fetch_request q;
	int r = import_plan_url(p, f, &a->url, e);

	if (r == 0 && f->offset == 0 && !f->unconditional)
		r = import_attempt_known(a->job, &a->url, &a->known, &a->is_known, e);
	if (r < 0)
		return r;
	import_attempt_request(a->job, &a->url, f->path, &q);
	if (p->is_archive)
		q.max_bytes = a->job->settings->limits_version;
	q.from = f->offset;
	q.if_range = f->offset > 0 ? f->etag : NULL;
	q.if_none_match = a->is_known ? a->known.etag : NULL;
	return fetch_start(a->job->settings->fetcher, &q, &a->fetch, e);
}

int import_attempt_run(struct import_job *j, const struct import_plan *p, struct import_file *f,
	struct import_again *ret_again, struct err *e)
{
	CLEANUP(attempt_done) struct attempt a = {.job = j, .file = f};
	bool there = false;
	int r = import_job_enter(j, e);

	*ret_again = (struct import_again){.worth_it = false};
	a.runs = r == 0;
	if (r == 0)
		r = start(&a, p, e);
	if (r < 0)
		return r;
	r = fetch_head(a.fetch, &a.head, e);
	if (r < 0) {
		judge(a.fetch, ret_again);
		return r;
	}
	if (a.head->status == 304)
		return take_known(&a, ret_again, e);
	r = take_told(&a, &there, e);
	return r < 0 || there ? r : take_body(&a, (struct str){"", 0}, ret_again, e);
}

int import_attempt_adopt(struct import_job *j, const struct url *url, struct import_file *f,
	struct fetch *x, const struct fetch_head *head, struct str first,
	struct import_again *ret_again, struct err *e)
{
	struct attempt a = {.job = j, .file = f, .url = *url, .fetch = x, .head = head};
	int r = take_body(&a, first, ret_again, e);

	staging_writer_free(a.writer);
	return r;
}

/* ---- whether it is still the same ---- */

/* A file that is gone is another one; an overloaded host does not know. */
static int judge_refusal(const struct fetch *x, bool *ret, const struct err *e)
{
	uint64_t ignored;

	if (e->code == ERR_CANCELLED)
		return -(int)e->code;
	*ret = e->code != ERR_FETCH_STATUS || fetch_may_retry(x, &ignored);
	return 0;
}

int import_attempt_same(struct import_job *j, const struct import_plan *p,
	const struct import_file *f, bool *ret, struct err *e)
{
	CLEANUP(fetch_free_p) struct fetch *x = NULL;
	const struct fetch_head *head;
	struct fetch_request q;
	struct url url;
	int r = import_plan_url(p, f, &url, e);

	*ret = true;
	if (r < 0 || !f->seen)
		return r;
	import_attempt_request(j, &url, f->path, &q);
	q.if_none_match = f->seen;
	r = fetch_start(j->settings->fetcher, &q, &x, e);
	if (r < 0)
		return r;
	if (fetch_head(x, &head, e) < 0)
		return judge_refusal(x, ret, e);
	*ret = head->status == 304 || strcmp(head->etag, f->seen) == 0;
	return 0;
}
