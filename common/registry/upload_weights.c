/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/upload_weights.h"
#include "common/base/num.h"
#include "common/model/modeljson.h"
#include "common/registry/upload_paths.h"

/* The sum of the shards that are there; those that are not are findings. */
static int add_up(const struct upload *u, const struct manifest *m, uint64_t *ret,
	bool *ret_complete, struct findings *f, struct err *e)
{
	uint64_t total = 0;

	*ret_complete = true;
	for (size_t i = 0; i < m->paths_n; i++) {
		const struct upload_file *shard = upload_paths_find(u, m->paths[i]);
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

static int name_accident(const struct upload *u, const struct upload_file *shard, bool only_certain,
	struct findings *f, struct err *e)
{
	uint8_t start[MODELJSON_SNIFF];
	size_t n = shard->size < sizeof(start) ? (size_t)shard->size : sizeof(start);
	const char *looks_like = NULL;
	bool certain;
	int r = upload_file_read_at(u, shard, 0, start, n, e);

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
static int name_accidents(const struct upload *u, const struct manifest *m, bool only_certain,
	struct findings *f, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->paths_n; i++)
		r = name_accident(u, upload_paths_find(u, m->paths[i]), only_certain, f, e);
	return r;
}

/* What is odd about the numbers says nothing while they are not the right ones. */
static int judge(const struct upload *u, const struct manifest *m, const struct weightscan *scan,
	struct findings *f, struct err *e)
{
	CLEANUP_FINDINGS struct findings trial;
	bool right_length;
	int r = 0;

	findings_init(&trial);
	manifest_walk_finish(weightscan_walk(scan), &trial);
	right_length = trial.n == 0;
	if (!right_length || !m->has_strings)
		r = name_accidents(u, m, right_length, f, e);
	if (r < 0)
		return r;
	manifest_walk_finish(weightscan_walk(scan), f);
	if (right_length)
		weightscan_findings(scan, f);
	return 0;
}

int upload_weights_check(struct upload *u, const struct manifest *m, struct upload_weights *ret,
	struct findings *f, struct err *e)
{
	struct upload_weights w = {.scan = NULL};
	bool complete;
	int r = add_up(u, m, &w.bytes, &complete, f, e);

	if (r == 0 && complete)
		r = upload_scan_finish(u, m, &w.scan, e);
	if (r == 0 && complete)
		r = judge(u, m, w.scan, f, e);
	if (r < 0)
		return r;
	*ret = w;
	return 0;
}
