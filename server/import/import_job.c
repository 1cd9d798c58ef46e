/* SPDX-License-Identifier: Apache-2.0 */
#include "server/import/import_job.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/registry/registry_request.h"
#include "common/store/requestfile.h"

#include <stdio.h>

#define RATE_MS UINT64_C(2000) /* a rate is the mean of the last one to two times as long */

static void lock(struct import_job *j)
{
	(void)pthread_mutex_lock(&j->lock);
}

static void unlock(struct import_job *j)
{
	(void)pthread_mutex_unlock(&j->lock);
}

int import_job_new(struct importer *m, struct importer_settings *s, struct catalog_job *row,
	struct import_job **ret, struct err *e)
{
	struct import_job *j = calloc(1, sizeof(*j));

	if (!j) {
		catalog_job_clear(row);
		return err_nomem(e);
	}
	j->importer = m;
	j->settings = s;
	j->row = *row;
	j->started_ms = clock_mono_ms();
	j->renewed_ms = j->started_ms;
	bell_init(&j->bell);
	(void)pthread_mutex_init(&j->lock, NULL);
	(void)pthread_cond_init(&j->unsealed, NULL);
	(void)pthread_cond_init(&j->room, NULL);
	*ret = j;
	return 0;
}

void import_job_free(struct import_job *j)
{
	import_request_clear(&j->request);
	grants_done(&j->models);
	catalog_job_clear(&j->row);
	staging_scan_free(j->scan);
	free(j->learned);
	bell_done(&j->bell);
	(void)pthread_cond_destroy(&j->unsealed);
	(void)pthread_cond_destroy(&j->room);
	(void)pthread_mutex_destroy(&j->lock);
	free(j);
}

/* ---- letting go ---- */

/* Under the lock. */
static void set_why(struct import_job *j, enum import_halt why)
{
	if (why > j->why)
		j->why = why;
	atomic_store(&j->halted, true);
	(void)pthread_cond_broadcast(&j->room);
}

static void tell_halted(struct import_job *j)
{
	bell_ring(&j->bell);
	fetch_wake(j->settings->fetcher);
}

void import_job_halt(struct import_job *j, enum import_halt why)
{
	lock(j);
	set_why(j, why);
	unlock(j);
	tell_halted(j);
}

void import_job_cancel(struct import_job *j)
{
	lock(j);
	while (j->sealed)
		(void)pthread_cond_wait(&j->unsealed, &j->lock);
	set_why(j, IMPORT_HALT_LOST);
	unlock(j);
	tell_halted(j);
}

int import_job_seal(struct import_job *j, struct err *e)
{
	int r;

	lock(j);
	j->sealed = j->why == IMPORT_HALT_NOT;
	r = j->sealed ? 0 : err_set(e, ERR_CANCELLED, "the import was cancelled");
	unlock(j);
	return r;
}

void import_job_unseal(struct import_job *j)
{
	lock(j);
	j->sealed = false;
	(void)pthread_cond_broadcast(&j->unsealed);
	unlock(j);
}

bool import_job_resume(struct import_job *j)
{
	bool may;

	lock(j);
	may = j->why <= IMPORT_HALT_FAILED;
	if (may) {
		j->why = IMPORT_HALT_NOT;
		atomic_store(&j->halted, false);
	}
	unlock(j);
	return may;
}

enum import_halt import_job_why(struct import_job *j)
{
	enum import_halt why;

	lock(j);
	why = j->why;
	unlock(j);
	return why;
}

int import_job_check(struct import_job *j, struct err *e)
{
	return atomic_load(&j->halted) ? err_set(e, ERR_CANCELLED, "the import was stopped") : 0;
}

int import_job_enter(struct import_job *j, struct err *e)
{
	unsigned most = j->settings->import_transfers;
	int r;

	lock(j);
	while (!atomic_load(&j->halted) && j->transfers >= most)
		(void)pthread_cond_wait(&j->room, &j->lock);
	r = import_job_check(j, e);
	if (r == 0)
		j->transfers++;
	unlock(j);
	return r;
}

void import_job_leave(struct import_job *j)
{
	lock(j);
	j->transfers--;
	(void)pthread_cond_signal(&j->room);
	unlock(j);
}

void import_job_fail(struct import_job *j, const struct err *e, const char *url, int status)
{
	CLEANUP_BUF struct buf shown = BUF_INIT(URL_MAX);

	if (url)
		url_redact(str_of(url), &shown);
	lock(j);
	if (!j->has_failure && j->why == IMPORT_HALT_NOT) {
		j->has_failure = true;
		j->failure = (struct import_failure){.e = *e, .status = status >= 400 ? status : 0};
		(void)snprintf(j->failure.url, sizeof(j->failure.url), "%s", buf_str(&shown));
	}
	unlock(j);
}

/* ---- progress ---- */

void import_job_restart(struct import_job *j)
{
	atomic_store(&j->bytes, 0);
	atomic_store(&j->files, 0);
	import_job_set_total(j, 0, 0);
}

void import_job_set_total(struct import_job *j, uint64_t bytes, uint64_t files)
{
	lock(j);
	j->total = bytes;
	j->files_total = files;
	unlock(j);
}

void import_job_add_total(struct import_job *j, uint64_t before, uint64_t now)
{
	lock(j);
	j->total += now - before;
	unlock(j);
}

void import_job_begin(struct import_job *j, struct import_at *at, const char *path)
{
	at->path = path;
	lock(j);
	at->next = j->at;
	j->at = at;
	unlock(j);
}

void import_job_end(struct import_job *j, const struct import_at *at)
{
	struct import_at **p = &j->at;

	lock(j);
	while (*p != at)
		p = &(*p)->next;
	*p = at->next;
	unlock(j);
}

static uint64_t measure(struct import_rate *r, uint64_t now, uint64_t bytes)
{
	if (r->next_ms == 0)
		*r = (struct import_rate){now, bytes, now, bytes};
	if (now - r->next_ms >= RATE_MS)
		*r = (struct import_rate){r->next_ms, r->next_bytes, now, bytes};
	if (bytes <= r->since_bytes || now <= r->since_ms)
		return 0;
	return (bytes - r->since_bytes) * 1000 / (now - r->since_ms);
}

void import_job_progress(struct import_job *j, struct catalog_job_progress *ret,
	uint64_t *ret_rate)
{
	uint64_t rate;

	lock(j);
	*ret = (struct catalog_job_progress){
		.bytes = atomic_load(&j->bytes),
		.total = j->total,
		.files = atomic_load(&j->files),
		.files_total = j->files_total,
	};
	(void)snprintf(ret->file, sizeof(ret->file), "%s", j->at ? j->at->path : "");
	rate = measure(&j->rate, clock_mono_ms(), ret->bytes);
	unlock(j);
	if (ret_rate)
		*ret_rate = rate;
}

/* ---- what is there in part ---- */

/* A restart that does not know begins the file anew. */
void import_job_keep_request(struct import_job *j)
{
	CLEANUP_BUF struct buf text = BUF_INIT(REQUESTFILE_MAX);
	struct err e;

	if (import_job_why(j) == IMPORT_HALT_LOST)
		return;
	lock(j);
	import_request_write(&j->request, &text);
	unlock(j);
	if (!buf_failed(&text) && registry_request_write(j->importer->registry, j->row.id,
					  text.data, text.len, &e) < 0)
		log_err("keeping how far an import is failed", &e);
	if (text.data)
		explicit_bzero(text.data, text.len);
}

void import_job_set_part(struct import_job *j, const char *path, const char *etag, bool durable)
{
	bool changed;

	lock(j);
	changed = import_request_set_part(&j->request, path, etag);
	unlock(j);
	if (changed && durable)
		import_job_keep_request(j);
}

void import_job_part(struct import_job *j, const char *path, char *etag, size_t size)
{
	const char *found;

	lock(j);
	found = import_request_part(&j->request, path);
	(void)snprintf(etag, size, "%s", found ? found : "");
	unlock(j);
}

/* ---- what was learned ---- */

/* Without memory it is not known another time, which costs a transfer. */
void import_job_learn(struct import_job *j, const struct catalog_fetched *row)
{
	lock(j);
	if (j->learned_n == j->learned_cap) {
		size_t cap = j->learned_cap ? 2 * j->learned_cap : 16;
		struct catalog_fetched *rows = reallocarray(j->learned, cap, sizeof(*rows));
		if (rows) {
			j->learned = rows;
			j->learned_cap = cap;
		}
	}
	if (j->learned_n < j->learned_cap)
		j->learned[j->learned_n++] = *row;
	unlock(j);
}

void import_job_keep(struct import_job *j)
{
	struct catalog_fetched *rows;
	struct err e;
	size_t n;

	lock(j);
	rows = take_ptr(j->learned);
	n = j->learned_n;
	j->learned_n = j->learned_cap = 0;
	unlock(j);
	if (n > 0 && catalog_fetched_set(j->importer->catalog, rows, n, &e) < 0)
		log_err("keeping what an import has fetched failed", &e);
	free(rows);
}
