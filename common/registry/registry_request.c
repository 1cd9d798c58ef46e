/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/registry_request.h"
#include "common/registry/registry_internal.h"
#include "common/store/catalog_job.h"

int registry_request_write(struct registry *r, const char *id, const void *bytes, size_t n,
	struct err *e)
{
	int x = registry_require_space(r, e);

	return x < 0 ? x : requestfile_write(r->dir_fd, id, bytes, n, e);
}

int registry_request_read(struct registry *r, const char *id, struct buf *out, struct err *e)
{
	return requestfile_read(r->dir_fd, id, out, e);
}

int registry_request_remove(struct registry *r, const char *id, struct err *e)
{
	return requestfile_remove(r->dir_fd, id, e);
}

/* One of which the catalog does not want to speak now is kept until the next start. */
static bool is_open(void *cls, const char *id)
{
	struct registry *r = cls;
	struct catalog_job j;
	struct err why;
	int x = catalog_job_read(r->catalog, id, &j, &why);

	if (x < 0)
		return x != -(int)ERR_JOB_NOT_FOUND;
	catalog_job_clear(&j);
	return j.finished_ms == 0;
}

int registry_request_sweep(struct registry *r, struct err *e)
{
	return requestfile_sweep(r->dir_fd, is_open, r, e);
}
