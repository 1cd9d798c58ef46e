/* SPDX-License-Identifier: Apache-2.0 */
#include "server/import/import_run.h"
#include "common/base/log.h"
#include "common/model/filepath.h"
#include "common/registry/registry_request.h"
#include "common/store/requestfile.h"
#include "server/import/import_outcome.h"
#include "server/import/import_source.h"
#include "common/base/actor.h"
#include "server/import/refused.h"
#include "server/metrics/metrics.h"

#include <stdio.h>

#define SCAN_LEAST (1u << 20) /* bytes, for a thread that looks at weights beside transfers */

#define END_RETRY_MS UINT64_C(5000)

#define ROUNDS 2 /* how often it is begun when its source changes meanwhile */

/* What one comes to. */
struct result {
	struct import_plan plan;
	struct findings findings;
	struct published published;
	uint64_t published_before; /* the version that its upload was already; 0 */
};

static struct registry *registry_of(const struct import_job *j)
{
	return j->importer->registry;
}

static struct catalog *catalog_of(const struct import_job *j)
{
	return j->importer->catalog;
}

/* ---- the upload ---- */

static int new_upload(struct import_job *j, struct err *e)
{
	char id[CATALOG_UPLOAD_ID + 1];
	int r = staging_create(registry_of(j), j->row.model, id, e);

	struct err ignored;

	if (r < 0)
		return r;
	r = catalog_job_set_upload(catalog_of(j), j->row.id, j->row.attempt, id, e);
	if (r == 0)
		memcpy(j->row.upload, id, sizeof(id));
	else
		(void)staging_drop(registry_of(j), id, &ignored);
	return r;
}

/* That of an earlier attempt, if it is still there. It may be a version already, when only the end
 * of the job was cut off. */
static int open_upload(struct import_job *j, struct result *x, struct err *e)
{
	CLEANUP(catalog_upload_free_p) struct catalog_upload *u = NULL;
	int r = -(int)ERR_UPLOAD_NOT_FOUND;

	if (j->row.upload[0])
		r = staging_read(registry_of(j), j->row.upload, &u, e);
	if (r == -(int)ERR_UPLOAD_NOT_FOUND)
		return new_upload(j, e);
	if (r == 0 && u)
		x->published_before = u->version;
	return r;
}

/* What an earlier round or attempt left there and nobody wants any more. */
static int drop_strays(struct import_job *j, struct import_plan *p, struct err *e)
{
	CLEANUP(catalog_upload_free_p) struct catalog_upload *u = NULL;
	int r = staging_read(registry_of(j), j->row.upload, &u, e);

	if (r < 0 || !u)
		return r;
	for (size_t i = 0; r == 0 && i < u->files_n + u->parts_n; i++) {
		const char *path = i < u->files_n ? u->files[i].path
						  : u->parts[i - u->files_n].path;
		bool is_model = strcmp(path, FILEPATH_MODEL) == 0 && !p->is_archive;

		if (!is_model && !import_plan_find(p, path))
			r = staging_remove(registry_of(j), j->row.upload, str_of(path), e);
		if (r == -(int)ERR_FILE_NOT_FOUND)
			r = 0;
	}
	return r;
}

/* ---- what was asked ---- */

static int read_request(struct import_job *j, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(REQUESTFILE_MAX);
	int r = registry_request_read(registry_of(j), j->row.id, &text, e);
	struct err ignored;

	if (r == 0)
		r = import_request_read((struct str){buf_str(&text), text.len}, &j->request, e);
	if (text.data)
		explicit_bzero(text.data, text.len);
	if (r == -(int)ERR_JOB_NOT_FOUND)
		return err_set(e, ERR_CANCELLED, "what this import was asked for is gone");
	/* With fewer, files are fetched that are here already. */
	if (r == 0 && j->request.models &&
		grants_read(&j->models, str_of(j->request.models), &ignored) < 0)
		grants_done(&j->models);
	return r;
}

static int expect_files(struct import_job *j, struct import_plan *p, struct err *e)
{
	const struct import_request *q = &j->request;

	for (size_t i = 0; i < q->files_n && !p->is_archive; i++) {
		struct import_file *f = import_plan_find(p, q->files[i].path);
		char have[DIGEST_HEX + 1], want[DIGEST_HEX + 1];

		if (f) {
			f->has_expected = true;
			f->expected = q->files[i].digest;
			continue;
		}
		if (strcmp(q->files[i].path, FILEPATH_MODEL) != 0)
			return err_set(e, ERR_EXPECTED_OTHER,
				"%s is expected, but the model names no such file: has it to be in "
				"\"include\"?", q->files[i].path);
		if (!digest_eq(&p->digest, &q->files[i].digest))
			return err_set(e, ERR_EXPECTED_OTHER,
				FILEPATH_MODEL
				" has the digest sha256:%s, not sha256:%s as expected",
				digest_hex(&p->digest, have),
				digest_hex(&q->files[i].digest, want));
	}
	return 0;
}

/* ---- fetching ---- */

/* What there is no room for is not fetched. */
static int require_room(struct import_job *j, const struct import_plan *p, struct err *e)
{
	CLEANUP(upload_free_p) struct upload *u = NULL;
	const struct importer_settings *c = j->settings;
	char text[NUM_SIZE_TEXT], most[NUM_SIZE_TEXT];
	int r;

	if (p->n + 1 > c->limits_files)
		return err_set(e, ERR_TOO_LARGE, "the model has %zu files; the limit is %llu",
			p->n + 1, (unsigned long long)c->limits_files);
	if (p->total > c->limits_version)
		return err_set(e, ERR_TOO_LARGE, "the model has %s; the limit is %s",
			num_format_size(p->total, text), num_format_size(c->limits_version, most));
	r = upload_new(registry_of(j), j->row.model, &u, e);
	return r < 0 ? r : upload_expect(u, p->total, e);
}

static void forget_findings(const struct import_job *j, struct result *x)
{
	findings_done(&x->findings);
	findings_init_policy(&x->findings, &j->settings->rules);
}

static void begin_round(struct import_job *j, struct result *x)
{
	import_job_keep(j);
	import_plan_done(&x->plan);
	forget_findings(j, x);
	import_job_restart(j);
	staging_scan_free(take_ptr(j->scan));
}

static int fetch_round(struct import_job *j, struct result *x, struct err *e)
{
	struct import_plan *p = &x->plan;
	struct import_at at;
	int r;

	begin_round(j, x);
	import_job_begin(j, &at, FILEPATH_MODEL);
	r = import_source_read(j, p, &x->findings, e);
	import_job_end(j, &at);
	if (r < 0 || p->is_archive)
		return r;
	import_job_set_total(j, p->total, p->n + 1);
	r = require_room(j, p, e);
	if (r == 0)
		r = expect_files(j, p, e);
	if (r == 0 && p->total >= SCAN_LEAST)
		r = staging_scan_begin(registry_of(j), j->row.upload, &j->scan, e);
	return r < 0 ? r : import_files_fetch(j, p, e);
}

/* A file that is gone at its host may be one of a model that is being replaced. */
static bool changed_since(struct import_job *j, const struct import_plan *p)
{
	struct import_failure kept = j->failure;
	struct err ignored;
	bool same = true;

	if (!j->has_failure || kept.e.code != ERR_FETCH_STATUS || !import_job_resume(j))
		return false;
	j->has_failure = false;
	if (import_source_same(j, p, &same, &ignored) == 0 && !same)
		return true;
	j->failure = kept;
	j->has_failure = true;
	return false;
}

/* Weights may be replaced under a model.json that stays what it was. Of what is pinned or known
 * anyway nothing has to be asked. */
static int check_same(struct import_job *j, struct import_plan *p, bool *ret, struct err *e)
{
	int r;

	*ret = true;
	if (atomic_load(&j->fetched) == 0 || p->is_archive || p->is_pinned)
		return 0;
	r = import_source_same(j, p, ret, e);
	return r < 0 || !*ret ? r : import_files_same(j, p, ret, e);
}

static int fetch(struct import_job *j, struct result *x, struct err *e)
{
	for (unsigned round = 1; round <= ROUNDS; round++) {
		bool same = true;
		int r = fetch_round(j, x, e);

		if (r < 0 && x->plan.n > 0)
			same = !changed_since(j, &x->plan);
		else if (r == 0)
			r = check_same(j, &x->plan, &same, e);
		if (same)
			return r;
	}
	return err_set(e, ERR_FETCH_FAILED,
		"files of the model changed while they were fetched, and did so again: the source "
		"keeps changing; import it when that is over");
}

/* ---- publishing ---- */

/* Right before the version is made: from here on nobody cancels it, and nobody has before. */
static int seal(void *cls, struct err *e)
{
	struct import_job *j = cls;
	struct catalog_job_progress p;
	int r = import_job_seal(j, e);

	if (r < 0)
		return r;
	import_job_progress(j, &p, NULL);
	r = catalog_job_renew(catalog_of(j), j->row.id, j->row.attempt, IMPORTER_LEASE_MS, &p, e);
	if (r == -(int)ERR_CONFLICT)
		import_job_halt(j, IMPORT_HALT_LOST);
	return r;
}

static int set_source(const struct import_job *j, struct upload *u, struct err *e)
{
	CLEANUP_BUF struct buf url = BUF_INIT(4 * URL_MAX);

	url_redact(str_of(j->request.url.text), &url);
	return upload_set_source(u, buf_str(&url), j->request.mirror, e);
}

static int publish_upload(struct import_job *j, struct upload *u, struct result *x, struct err *e)
{
	const struct import_request *q = &j->request;
	int r = set_source(j, u, e);

	if (!x->plan.is_archive)
		staging_scan_end(take_ptr(j->scan), u);
	if (r == 0 && q->label[0])
		r = upload_set_label(u, str_of(q->label), q->who, e);
	if (q->has_root)
		upload_expect_root(u, &q->root);
	for (size_t i = 0; r == 0 && i < q->files_n; i++)
		r = upload_expect_file(u, str_of(q->files[i].path), &q->files[i].digest, e);
	if (r < 0)
		return r;
	forget_findings(j, x); /* those of model.json come again, with those of the weights */
	upload_set_gate(u, seal, j);
	return upload_publish(u, &x->published, &x->findings, e);
}

static int publish(struct import_job *j, struct result *x, struct err *e)
{
	CLEANUP(upload_free_p) struct upload *u = NULL;
	int r = import_job_check(j, e);

	if (r == 0 && x->published_before == 0)
		r = drop_strays(j, &x->plan, e);
	if (r == 0)
		r = x->plan.is_archive ? staging_unpack(registry_of(j), j->row.upload,
						 str_of(x->plan.files[0].path), &u, e)
				       : staging_publish(registry_of(j), j->row.upload, &u, e);
	return r < 0 ? r : publish_upload(j, u, x, e);
}

static void log_start(const struct import_job *j)
{
	CLEANUP_BUF struct buf url = BUF_INIT(URL_MAX);
	char attempt[24];

	url_redact(str_of(j->request.url.text), &url);
	(void)snprintf(attempt, sizeof(attempt), "%llu", (unsigned long long)j->row.attempt);
	log_event(LOG_LEVEL_INFO, "importing", "job", j->row.id, "model", j->row.model, "attempt",
		attempt, "url", buf_str(&url), NULL);
}

static int run(struct import_job *j, struct result *x, struct err *e)
{
	int r = read_request(j, e);

	if (r < 0)
		return r;
	log_start(j);
	r = open_upload(j, x, e);
	if (r == 0 && x->published_before == 0)
		r = fetch(j, x, e);
	if (r == 0)
		r = publish(j, x, e);
	if (r == 0 && x->published_before == x->published.version)
		x->published.deduplicated = false;
	return r;
}

/* ---- the end ---- */

static void log_end(const struct import_job *j, const struct catalog_job *row, const struct err *e)
{
	char version[24];

	(void)snprintf(version, sizeof(version), "%llu", (unsigned long long)row->version);
	if (row->state == CATALOG_JOB_DONE)
		log_event(LOG_LEVEL_INFO, row->unchanged ? "import found nothing new" : "imported",
			"job", j->row.id, "model", j->row.model, "version", version, NULL);
	else
		log_event(err_ours(e->code) ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "import failed",
			"job", j->row.id, "model", j->row.model, "code", err_name(e->code), "error",
			e->text, NULL);
}

/* What is not kept in the catalog ends with the job. */
static void clear_away(struct import_job *j)
{
	struct err e;

	if (registry_request_remove(registry_of(j), j->row.id, &e) < 0)
		log_err("removing the request of an import failed", &e);
	if (!j->row.upload[0])
		return;
	if (staging_drop(registry_of(j), j->row.upload, &e) < 0 && e.code != ERR_UPLOAD_NOT_FOUND)
		log_err("removing the files of an import failed", &e);
}

static void keep_rejection(struct import_job *j, const struct err *why, const struct findings *f)
{
	struct err e;

	refused_count(f);
	if (registry_reject(registry_of(j), j->row.model, why, f, j->row.id, &e) < 0)
		log_err("keeping why an import was refused failed", &e);
}

/* Somebody else decides what becomes of it; of one that was cancelled nothing stays. */
static void leave(struct import_job *j)
{
	struct catalog_job now;
	struct err e;
	int r = catalog_job_read(catalog_of(j), j->row.id, &now, &e);

	if (r == -(int)ERR_JOB_NOT_FOUND || (r == 0 && now.state != CATALOG_JOB_RUNNING &&
						    now.state != CATALOG_JOB_QUEUED))
		clear_away(j);
	if (r == 0)
		catalog_job_clear(&now);
}

/* A full disk is no reason to forget how it ended: until the daemon ends that is tried again, and
 * after the next start all of it. False when it is not kept, or somebody else has ended it. */
static bool end_as(struct import_job *j, struct catalog_job *row)
{
	struct err e;
	int r;

	memcpy(row->id, j->row.id, sizeof(row->id));
	row->attempt = j->row.attempt;
	import_job_progress(j, &row->progress, NULL);
	row->progress.file[0] = '\0';
	for (;;) {
		uint64_t seen = bell_rung(&j->bell);

		r = catalog_job_end(catalog_of(j), row, &e);
		if (r == 0 || r == -(int)ERR_CONFLICT)
			break;
		log_err("keeping the end of an import failed", &e);
		if (import_job_why(j) >= IMPORT_HALT_STOPPED)
			return false;
		(void)bell_wait(&j->bell, seen, END_RETRY_MS);
	}
	if (r < 0)
		leave(j);
	return r == 0;
}

static void end_done(struct import_job *j, struct result *x)
{
	struct catalog_job row = {
		.state = CATALOG_JOB_DONE,
		.version = x->published.version,
		.unchanged = x->published.deduplicated && atomic_load(&j->fetched) == 0,
		.outcome = import_outcome_done(&x->published, j->request.label, &x->findings),
	};
	struct importer *m = j->importer;

	import_job_keep(j);
	m->options.published(m->options.cls, j->row.model);
	if (end_as(j, &row)) {
		metrics_add(row.unchanged ? METRICS_IMPORTS_UNCHANGED : METRICS_IMPORTS_DONE, 1);
		log_end(j, &row, NULL);
		clear_away(j);
	}
	free(row.outcome);
}

static void end_failed(struct import_job *j, struct result *x, const struct err *why)
{
	struct import_failure failure = {.e = *why};
	struct catalog_job row = {.state = CATALOG_JOB_FAILED};

	if (j->has_failure)
		failure = j->failure;
	if (why->code == ERR_NOT_LOADABLE)
		keep_rejection(j, why, &x->findings);
	row.outcome = import_outcome_failed(&failure,
		failure.e.code == ERR_NOT_LOADABLE ? &x->findings : NULL);
	if (end_as(j, &row)) {
		metrics_add(METRICS_IMPORTS_FAILED, 1);
		refused_count_source(&failure.e);
		log_end(j, &row, &failure.e);
		clear_away(j);
	}
	free(row.outcome);
}

static void give_back(struct import_job *j)
{
	struct catalog_job row = {.state = CATALOG_JOB_QUEUED};

	import_job_keep(j);
	import_job_keep_request(j);
	(void)end_as(j, &row);
}

static void too_late(struct import_job *j, struct err *e)
{
	(void)err_set(e, ERR_FETCH_TIMED_OUT, "the import took longer than import.timeout, %llu s",
		(unsigned long long)(j->settings->import_timeout / 1000));
}

static void end(struct import_job *j, int r, struct result *x, struct err *e)
{
	enum import_halt why = import_job_why(j);

	if (r == 0) {
		end_done(j, x);
		return;
	}
	switch (why) {
	case IMPORT_HALT_LOST:
		leave(j);
		return;
	case IMPORT_HALT_STOPPED:
		give_back(j);
		return;
	case IMPORT_HALT_LATE:
		too_late(j, e);
		j->has_failure = false;
		break;
	default:
		break;
	}
	end_failed(j, x, e);
}

/* ---- all of it ---- */

/* Without memory for it the lease runs out, and it is tried again. */
void import_run(struct importer *m, struct importer_settings *s, struct catalog_job *row)
{
	struct result x = {.published_before = 0};
	struct err e = {.code = ERR_NONE};
	struct import_job *j;

	if (import_job_new(m, s, row, &j, &e) < 0) {
		log_err("an import could not begin", &e);
		return;
	}
	findings_init_policy(&x.findings, &s->rules);
	importer_list(j);
	importer_tell(m, j->row.id);
	actor_set(&(struct actor){.who = j->row.who, .address = "", .request = j->row.id});
	end(j, run(j, &x, &e), &x, &e);
	actor_clear();
	import_job_unseal(j);
	importer_tell(m, j->row.id);
	importer_unlist(j);
	import_plan_done(&x.plan);
	findings_done(&x.findings);
	import_job_free(j);
}
