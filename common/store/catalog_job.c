/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_job.h"
#include "common/store/catalog_ops.h"
#include "common/store/catalog_retry.h"

#include <assert.h>

void catalog_job_clear(struct catalog_job *j)
{
	free(j->request);
	free(j->outcome);
	j->request = NULL;
	j->outcome = NULL;
}

static int require_short(const char *json, const char *what, struct err *e)
{
	if (!json || strlen(json) <= CATALOG_JOB_JSON)
		return 0;
	return err_set(e, ERR_TOO_LARGE, "%s is longer than %u bytes, the limit", what,
		CATALOG_JOB_JSON);
}

int catalog_job_add(struct catalog *c, const struct catalog_job *j, uint64_t max_open,
	struct err *e)
{
	int r = require_short(j->request, "what is kept of the request", e);

	assert(j->request);
	return r < 0 ? r : CATALOG_RETRY(c->ops->job_add(c->engine, j, max_open, e));
}

int catalog_job_read(struct catalog *c, const char *id, struct catalog_job *ret, struct err *e)
{
	return CATALOG_RETRY(c->ops->job_read(c->engine, id, ret, e));
}

int catalog_jobs(struct catalog *c, const struct catalog_job_filter *f, struct catalog_job *rows,
	size_t max, size_t *ret_n, struct err *e)
{
	return CATALOG_RETRY(c->ops->job_list(c->engine, f, rows, max, ret_n, e));
}

int catalog_job_claim(struct catalog *c, uint64_t lease_ms, struct catalog_job *ret, bool *ret_any,
	struct err *e)
{
	return CATALOG_RETRY(c->ops->job_claim(c->engine, lease_ms, ret, ret_any, e));
}

int catalog_job_reclaim(struct catalog *c, struct err *e)
{
	return CATALOG_RETRY(c->ops->job_reclaim(c->engine, e));
}

int catalog_job_renew(struct catalog *c, const char *id, uint64_t attempt, uint64_t lease_ms,
	const struct catalog_job_progress *p, struct err *e)
{
	return CATALOG_RETRY(c->ops->job_renew(c->engine, id, attempt, lease_ms, p, e));
}

int catalog_job_set_upload(struct catalog *c, const char *id, uint64_t attempt, const char *upload,
	struct err *e)
{
	return CATALOG_RETRY(c->ops->job_set_upload(c->engine, id, attempt, upload, e));
}

int catalog_job_end(struct catalog *c, const struct catalog_job *j, struct err *e)
{
	int r = require_short(j->outcome, "what is kept of the result", e);

	return r < 0 ? r : CATALOG_RETRY(c->ops->job_end(c->engine, j, e));
}

int catalog_job_cancel(struct catalog *c, const char *id, struct catalog_job *ret, struct err *e)
{
	return CATALOG_RETRY(c->ops->job_cancel(c->engine, id, ret, e));
}

int catalog_job_expire(struct catalog *c, uint64_t before_ms, size_t *ret_n, struct err *e)
{
	return CATALOG_RETRY(c->ops->job_expire(c->engine, before_ms, ret_n, e));
}

/* ---- what was fetched ---- */

int catalog_fetched_find(struct catalog *c, const char *model, const struct digest *url,
	struct catalog_fetched *ret, bool *ret_found, struct err *e)
{
	return CATALOG_RETRY(c->ops->fetched_find(c->engine, model, url, ret, ret_found, e));
}

int catalog_fetched_set(struct catalog *c, const struct catalog_fetched *rows, size_t n,
	struct err *e)
{
	return n == 0 ? 0 : CATALOG_RETRY(c->ops->fetched_set(c->engine, rows, n, e));
}

int catalog_fetched_expire(struct catalog *c, uint64_t before_ms, struct err *e)
{
	return CATALOG_RETRY(c->ops->fetched_expire(c->engine, before_ms, e));
}

/* ---- mirrors ---- */

int catalog_mirror_read(struct catalog *c, const char *name, struct catalog_mirror *ret,
	bool *ret_found, struct err *e)
{
	return CATALOG_RETRY(c->ops->mirror_read(c->engine, name, ret, ret_found, e));
}

int catalog_mirror_save(struct catalog *c, const struct catalog_mirror *m, struct err *e)
{
	return CATALOG_RETRY(c->ops->mirror_save(c->engine, m, e));
}

int catalog_mirror_keep(struct catalog *c, const char *const *names, size_t n, struct err *e)
{
	return CATALOG_RETRY(c->ops->mirror_keep(c->engine, names, n, e));
}
