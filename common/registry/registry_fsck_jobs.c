/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/registry_fsck_jobs.h"
#include "common/base/clock.h"
#include "common/registry/registry_internal.h"
#include "common/store/catalog_job.h"
#include "common/store/requestfile.h"

#include <stdio.h>

#define BATCH     32
#define RECENT_MS UINT64_C(60000)
#define LINE      (CATALOG_JOB_ID + CATALOG_NAME_MAX + 128)

struct check {
	struct registry *registry;
	registry_fsck_fn *tell;
	void *cls;
};

static bool is_recent(uint64_t ms)
{
	uint64_t now = clock_now_ms();

	return ms > now || now - ms < RECENT_MS;
}

/* Whether a job waits or runs; and when it ended, which is 0 when it did not, or is not there. */
static int is_open(struct registry *r, const char *id, bool *ret, uint64_t *ret_finished_ms,
	struct err *e)
{
	struct catalog_job j;
	struct err why;
	int x = catalog_job_read(r->catalog, id, &j, &why);

	*ret = false;
	*ret_finished_ms = 0;
	if (x == -(int)ERR_JOB_NOT_FOUND)
		return 0;
	if (x < 0) {
		*e = why;
		return x;
	}
	*ret = j.finished_ms == 0;
	*ret_finished_ms = j.finished_ms;
	catalog_job_clear(&j);
	return 0;
}

/* It is written before the job's row, and removed after its end: a daemon that works has a moment
 * for that. */
static int check_file(void *cls, const char *id, struct err *e)
{
	const struct check *x = cls;
	uint64_t written_ms = requestfile_written_ms(x->registry->dir_fd, id), finished_ms;
	char text[LINE];
	bool open;
	int r = is_open(x->registry, id, &open, &finished_ms, e);

	if (r < 0 || open || is_recent(finished_ms > 0 ? finished_ms : written_ms) ||
		!requestfile_exists(x->registry->dir_fd, id))
		return r;
	(void)snprintf(text, sizeof(text), "jobs/%s is of no job that waits or runs", id);
	return x->tell(x->cls, false, text, e);
}

/* It may have ended since it was listed. */
static int check_job(const struct check *x, const struct catalog_job *j, struct err *e)
{
	char text[LINE];
	uint64_t ignored;
	bool open;
	int r;

	if (requestfile_exists(x->registry->dir_fd, j->id))
		return 0;
	r = is_open(x->registry, j->id, &open, &ignored, e);
	if (r < 0 || !open)
		return r;
	(void)snprintf(text, sizeof(text),
		"jobs/%s is missing; it is what an import of %s is to do", j->id, j->model);
	return x->tell(x->cls, true, text, e);
}

static int check_page(const struct check *x, struct catalog_job_filter *f, char *last,
	struct catalog_job *rows, size_t *ret_n, struct err *e)
{
	int r = catalog_jobs(x->registry->catalog, f, rows, BATCH, ret_n, e);

	for (size_t i = 0; r == 0 && i < *ret_n; i++)
		r = check_job(x, &rows[i], e);
	if (*ret_n > 0) {
		(void)snprintf(last, CATALOG_JOB_ID + 1, "%s", rows[*ret_n - 1].id);
		f->before_ms = rows[*ret_n - 1].created_ms;
		f->before_id = last;
	}
	for (size_t i = 0; i < *ret_n; i++)
		catalog_job_clear(&rows[i]);
	return r;
}

int registry_fsck_jobs(struct registry *r, registry_fsck_fn *tell, void *cls, struct err *e)
{
	struct check x = {r, tell, cls};
	CLEANUP_FREE struct catalog_job *rows = calloc(BATCH, sizeof(*rows));
	struct catalog_job_filter f = {.open = true};
	char last[CATALOG_JOB_ID + 1] = "";
	size_t n = BATCH;
	int result = rows ? 0 : err_nomem(e);

	if (r->dir_fd < 0)
		return result;
	if (result == 0)
		result = requestfile_list(r->dir_fd, check_file, &x, e);
	while (result == 0 && n == BATCH)
		result = check_page(&x, &f, last, rows, &n, e);
	return result;
}
