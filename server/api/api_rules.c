/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_rules.h"

static void free_rules(struct snapshot *s)
{
	free(s);
}

int api_rules_new(const struct finding_policy *policy, struct api_rules **ret, struct err *e)
{
	struct api_rules *x = calloc(1, sizeof(*x));

	if (!x)
		return err_nomem(e);
	snapshot_init(&x->shared, free_rules);
	x->policy = *policy;
	*ret = x;
	return 0;
}

void api_rules_unref(struct api_rules *x)
{
	if (x)
		snapshot_unref(&x->shared);
}

struct api_rules *api_rules_get(struct snapshot_cell *c)
{
	return (struct api_rules *)snapshot_get(c);
}
