/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/manifest_order.h"
#include "common/base/num.h"
#include "common/model/filepath.h"

#include <inttypes.h>

#define SHARD "shard"
#define OF    "of"

/* A path taken apart; `before` and `behind` are what the shards of one group share. */
struct numbered {
	struct str before, behind;
	uint64_t number, count;
};

static bool take_number(struct str *rest, uint64_t *ret)
{
	size_t n = 0;

	while (n < rest->n && str_is_digit(rest->p[n]))
		n++;
	if (!num_parse(rest->p, n, MANIFEST_PATHS_MAX, ret))
		return false;
	*rest = (struct str){rest->p + n, rest->n - n};
	return true;
}

static bool take_word(struct str *rest, const char *word)
{
	if (!str_starts(*rest, word))
		return false;
	*rest = (struct str){rest->p + strlen(word), rest->n - strlen(word)};
	return true;
}

/* The last place that reads like that counts: folders may be called anything. */
static bool parse(const char *path, struct numbered *ret)
{
	size_t length = strlen(path);

	for (size_t i = length; i-- > 0;) {
		struct str rest = {path + i, length - i};
		struct numbered x = {.before = {path, i}};
		if (take_word(&rest, SHARD) && take_number(&rest, &x.number) &&
			take_word(&rest, OF) && take_number(&rest, &x.count)) {
			x.behind = rest;
			*ret = x;
			return true;
		}
	}
	return false;
}

static bool same_group(const struct numbered *a, const struct numbered *b)
{
	return a->count == b->count && str_eq(a->before, b->before) && str_eq(a->behind, b->behind);
}

static void add_out_of_order(struct findings *f, const char *path, const struct numbered *x,
	uint64_t expected)
{
	findings_add(f, RULE_WEIGHTS_SHARD_ORDER, FILEPATH_MODEL, "/weightsManifest",
		"'%.200s' stands where shard %" PRIu64 " of %" PRIu64 " belongs: TensorFlow.js "
		"reads the shards in the order of the manifest, whatever they are called",
		path, expected, x->count);
}

void manifest_order_check(const struct manifest *m, struct findings *f)
{
	struct numbered last = {.number = 0}, now;
	bool in_group = false, told = false;

	for (size_t i = 0; i < m->paths_n; i++) {
		uint64_t expected = 1;
		if (!parse(m->paths[i], &now)) {
			in_group = false;
			continue;
		}
		if (in_group && same_group(&last, &now))
			expected = last.number + 1;
		else
			told = false;
		if (now.number != expected && !told) {
			add_out_of_order(f, m->paths[i], &now, expected);
			told = true;
		}
		last = now;
		in_group = true;
	}
}
