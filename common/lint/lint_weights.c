/* SPDX-License-Identifier: Apache-2.0 */
#include "common/lint/lint_weights.h"
#include "common/base/num.h"
#include "common/model/filepath.h"
#include "common/model/modeljson.h"

#include <inttypes.h>
#include <stdio.h>

int lint_weights_add_up(const struct lint_files *l, const struct manifest *m, uint64_t *ret,
	bool *ret_complete, struct findings *f, struct err *e)
{
	uint64_t total = 0;

	*ret_complete = true;
	for (size_t i = 0; i < m->paths_n; i++) {
		const struct lint_file *shard = lint_files_find(l, m->paths[i]);
		if (!shard) {
			*ret_complete = false;
			findings_add(f, RULE_MANIFEST_FILE_MISSING, m->paths[i], NULL,
				"weightsManifest names %s, which was not sent", m->paths[i]);
		} else if (!num_add(total, shard->size, &total)) {
			return err_set(e, ERR_TOO_LARGE,
				"the shards have more bytes than can be counted");
		}
	}
	*ret = total;
	return 0;
}

static int name_accident(const struct lint_files *l, const struct lint_file *shard,
	bool only_certain, struct findings *f, struct err *e)
{
	uint8_t start[MODELJSON_SNIFF];
	size_t n = shard->size < sizeof(start) ? (size_t)shard->size : sizeof(start);
	const char *looks_like = NULL;
	bool certain;
	int r = l->read_at(l->cls, shard->id, 0, start, n, e);

	if (r < 0)
		return r;
	if (n > 0)
		looks_like = modeljson_sniff(start, n, &certain);
	if (looks_like && (certain || !only_certain))
		findings_add(f, RULE_WEIGHTS_NOT_WEIGHTS, shard->path, NULL,
			"%s is %s, not weights", shard->path, looks_like);
	return 0;
}

/* A shard of the right length may begin with any bytes: so what merely looks like something else
 * counts only when the lengths are wrong already, and then explains why. A whole page of HTML is
 * refused in any case, since TensorFlow.js would read numbers out of it; only where there are
 * strings may a shard legally begin in the middle of one. */
static int name_accidents(const struct lint_files *l, const struct manifest *m, bool only_certain,
	struct findings *f, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->paths_n; i++)
		r = name_accident(l, lint_files_find(l, m->paths[i]), only_certain, f, e);
	return r;
}

/* What is odd about the numbers says nothing while they are not the right ones. */
int lint_weights_judge(const struct lint_files *l, const struct manifest *m,
	const struct weightscan *scan, struct findings *f, struct err *e)
{
	CLEANUP_FINDINGS struct findings trial;
	bool right_length;
	int r = 0;

	findings_init(&trial);
	manifest_walk_finish(weightscan_walk(scan), &trial);
	right_length = trial.n == 0;
	if (!right_length || !m->has_strings)
		r = name_accidents(l, m, right_length, f, e);
	if (r < 0)
		return r;
	manifest_walk_finish(weightscan_walk(scan), f);
	if (right_length)
		weightscan_findings(scan, f);
	return 0;
}

/* ---- how they are cut ---- */

int lint_weights_sharding(const struct lint_files *l, const struct manifest *m,
	const struct weightscan *scan, enum sharding_fault *ret, struct err *e)
{
	CLEANUP_FREE uint64_t *sizes = calloc(m->paths_n + 1, sizeof(*sizes));

	if (!sizes)
		return err_nomem(e);
	for (size_t i = 0; i < m->paths_n; i++)
		sizes[i] = lint_files_find(l, m->paths[i])->size;
	*ret = sharding_judge(sizes, m->paths_n, weightscan_walk(scan)->slice);
	return 0;
}

enum finding_rule lint_weights_sharding_rule(enum sharding_fault fault)
{
	return fault == SHARDING_ZEROS ? RULE_WEIGHTS_SHARD_LAYOUT : RULE_WEIGHTS_SHARD_SIZE;
}

static const char *fault_text(enum sharding_fault fault)
{
	return fault == SHARDING_ZEROS
		? "TensorFlow.js 4.6 to 4.22 takes every shard for as large as the first one and "
		  "would read zeros behind that, because the last shard is larger"
		: "a shard is larger than 1 GiB, which browsers may not fetch";
}

void lint_weights_refuse(enum sharding_fault fault, struct findings *f)
{
	findings_add(f, lint_weights_sharding_rule(fault), FILEPATH_MODEL, "/weightsManifest", "%s",
		fault_text(fault));
}

void lint_weights_resharded(enum sharding_fault fault, const struct sharding_plan *plan,
	const struct digest *original, struct findings *f)
{
	char hex[DIGEST_HEX + 1], size[NUM_SIZE_TEXT], shards[64] = "one shard";

	if (plan->count > 1)
		(void)snprintf(shards, sizeof(shards), "%" PRIu64 " shards of %s", plan->count,
			num_format_size(plan->size, size));
	findings_add(f, RULE_WEIGHTS_RESHARDED, FILEPATH_MODEL, "/weightsManifest",
		"%s; the same weights are stored as %s. The files as they were sent have the root "
		"digest sha256:%s",
		fault_text(fault), shards, digest_hex(original, hex));
}
