/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/clock.h"
#include "common/base/num.h"
#include "common/registry/registry_internal.h"

#include <stdio.h>

#define WHY_MAX 256

/* One that a rule does not keep, on its way out. */
struct doomed {
	uint64_t bytes;
	const struct retention_rule *rule;
};

struct pruning {
	struct registry *registry;
	const struct registry_prune *how;
	struct registry_pruned *done;
	uint64_t now_ms;

	const char *model; /* whose versions are looked at, with its rule and labels */
	const struct retention_rule *rule;
	struct catalog_label labels[CATALOG_LABELS_OF_MODEL];
	size_t labels_n;
	uint64_t newer; /* of its versions that were looked at */

	struct catalog_prune_row rows[CATALOG_PRUNE_BATCH];
	struct doomed doomed[CATALOG_PRUNE_BATCH];
	size_t n;
};

/* The answer of a callback that ends a list before its end. */
static int check_stop(const struct pruning *x, struct err *e)
{
	if (!x->how->stop || !atomic_load(x->how->stop))
		return 0;
	return err_set(e, ERR_SHUTTING_DOWN, "the pruning was stopped");
}

/* ---- deleting ---- */

static int tell(struct pruning *x, const struct catalog_prune_row *row, const struct doomed *d,
	struct err *e)
{
	CLEANUP_BUF struct buf why = BUF_INIT(WHY_MAX);

	x->done->versions++;
	if (!num_add(x->done->bytes, d->bytes, &x->done->bytes))
		x->done->bytes = UINT64_MAX;
	retention_explain(d->rule, &why);
	return x->how->tell ?
		x->how->tell(x->how->cls, row->model, row->version, buf_str(&why), e) : 0;
}

/* Those that something keeps by now stay, and are not told of. */
static int flush(struct pruning *x, struct err *e)
{
	int r = 0;

	if (x->n > 0 && !x->how->dry_run)
		r = REGISTRY_WITH_BALLAST(x->registry,
			catalog_prune(x->registry->catalog, x->rows, x->n, e));
	for (size_t i = 0; r == 0 && i < x->n; i++)
		if (x->how->dry_run || x->rows[i].deleted)
			r = tell(x, &x->rows[i], &x->doomed[i], e);
	x->n = 0;
	return r;
}

static int doom(struct pruning *x, const struct catalog_version_row *v, struct err *e)
{
	struct catalog_prune_row *row = &x->rows[x->n];

	(void)snprintf(row->model, sizeof(row->model), "%s", x->model);
	row->version = v->version;
	row->newer = retention_least(x->rule);
	x->doomed[x->n++] = (struct doomed){.bytes = v->bytes, .rule = x->rule};
	return x->n == CATALOG_PRUNE_BATCH ? flush(x, e) : 0;
}

/* ---- looking ---- */

static bool is_labelled(const struct pruning *x, uint64_t version)
{
	for (size_t i = 0; i < x->labels_n; i++)
		if (x->labels[i].version == version)
			return true;
	return false;
}

static int judge_version(void *cls, const struct catalog_version_row *v, struct err *e)
{
	struct pruning *x = cls;
	const struct retention_version facts = {
		.newer = x->newer++,
		.created_ms = v->created_ms,
		.labelled = is_labelled(x, v->version),
	};
	int r = check_stop(x, e);

	if (r < 0 || retention_keeps(x->rule, &facts, x->now_ms))
		return r;
	return doom(x, v, e);
}

static int judge_model(void *cls, const struct catalog_model *m, struct err *e)
{
	struct pruning *x = cls;
	int r = check_stop(x, e);

	x->rule = retention_find(x->how->rules, m->name);
	if (r < 0 || !x->rule || m->versions <= retention_least(x->rule))
		return r;
	x->model = m->name;
	x->newer = 0;
	r = catalog_labels(x->registry->catalog, m->name, x->labels, &x->labels_n, e);
	return r < 0 ? r : catalog_list_versions(x->registry->catalog, m->name, 0, SIZE_MAX,
				   judge_version, x, e);
}

int registry_prune(struct registry *r, const struct registry_prune *how,
	struct registry_pruned *ret, struct err *e)
{
	CLEANUP_FREE struct pruning *x = calloc(1, sizeof(*x));
	int result;

	*ret = (struct registry_pruned){.versions = 0};
	if (!x)
		return err_nomem(e);
	x->registry = r;
	x->how = how;
	x->done = ret;
	x->now_ms = clock_now_ms();
	if (how->rules->n == 0)
		return 0;
	result = catalog_list_models(r->catalog, "", "", SIZE_MAX, judge_model, x, e);
	if (result == 0)
		result = flush(x, e);
	return result == -(int)ERR_SHUTTING_DOWN ? 0 : result;
}
