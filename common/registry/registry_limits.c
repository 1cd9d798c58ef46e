/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/registry_limits.h"
#include "common/base/str.h"
#include "common/registry/registry_internal.h"

static void free_limits(struct snapshot *s)
{
	struct registry_limits *l = (struct registry_limits *)s;
	struct catalog_quota *quotas = (struct catalog_quota *)(uintptr_t)l->o.models.quotas;

	for (size_t i = 0; i < l->o.models.quotas_n; i++)
		free((char *)(uintptr_t)quotas[i].prefix);
	free(quotas);
	free(l);
}

static int copy_quotas(struct registry_limits *l, const struct catalog_limits *from, struct err *e)
{
	struct catalog_quota *quotas = calloc(from->quotas_n + 1, sizeof(*quotas));

	l->o.models.quotas = quotas;
	if (!quotas)
		return err_nomem(e);
	for (size_t *n = &l->o.models.quotas_n; *n < from->quotas_n; (*n)++) {
		quotas[*n] = from->quotas[*n];
		quotas[*n].prefix = str_dup(str_of(from->quotas[*n].prefix));
		if (!quotas[*n].prefix)
			return err_nomem(e);
	}
	return 0;
}

int registry_limits_new(const struct registry_options *o, struct registry_limits **ret,
	struct err *e)
{
	struct registry_limits *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_nomem(e);
	snapshot_init(&l->shared, free_limits);
	l->o = *o;
	l->o.dir = NULL;
	l->o.models.quotas_n = 0;
	r = copy_quotas(l, &o->models, e);
	if (r < 0)
		registry_limits_unref(l);
	else
		*ret = l;
	return r;
}

void registry_limits_unref(struct registry_limits *l)
{
	if (l)
		snapshot_unref(&l->shared);
}

void registry_limits_put(struct registry *r, struct registry_limits *l)
{
	snapshot_set(&r->limits, &l->shared);
}

struct registry_limits *registry_limits_get(struct registry *r)
{
	return (struct registry_limits *)snapshot_get(&r->limits);
}

struct registry_options registry_limits_now(struct registry *r)
{
	CLEANUP(registry_limits_unref_p) struct registry_limits *l = registry_limits_get(r);
	struct registry_options now = l->o;

	now.models.quotas = NULL;
	now.models.quotas_n = 0;
	return now;
}
