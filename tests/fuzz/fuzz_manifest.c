/* SPDX-License-Identifier: Apache-2.0 */
/* model.json: whatever is accepted can be rewritten; the result is accepted too, and its paths are
 * the prefix and the paths from before. The bytes double as a weight stream, judged alike in one
 * piece and in two. All of it with every rule off that may be: the readers can go on without. */
#include "common/model/filepath.h"
#include "common/model/finding_policy.h"
#include "common/model/modeljson.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX "p@7/"

static void must(bool holds)
{
	if (!holds)
		abort();
}

static const struct finding_policy *lenient(void)
{
	static struct finding_policy p;

	for (size_t i = 0; i < FINDING_RULE_COUNT; i++)
		p.severity[i] = finding_rule_fixed((enum finding_rule)i) ? FINDING_ERROR
									  : FINDING_OFF;
	return &p;
}

static struct modeljson *parse(const char *bytes, size_t n, const struct finding_policy *policy)
{
	CLEANUP_FINDINGS struct findings f;
	struct modeljson *m = NULL;
	struct err e;

	findings_init_policy(&f, policy);
	must(modeljson_parse(bytes, n, &m, &f, &e) == 0);
	must((m != NULL) == !findings_refuse(&f));
	return m;
}

static void must_have_prefix(const struct manifest *before, const struct manifest *after)
{
	must(before->paths_n == after->paths_n);
	for (size_t i = 0; i < before->paths_n; i++) {
		must(strncmp(after->paths[i], PREFIX, strlen(PREFIX)) == 0);
		must(strcmp(after->paths[i] + strlen(PREFIX), before->paths[i]) == 0);
	}
}

/* A path near the length limit is too long with the prefix; then the rest cannot be compared. */
static bool has_long_path(const struct manifest *m)
{
	for (size_t i = 0; i < m->paths_n; i++)
		if (strlen(m->paths[i]) + strlen(PREFIX) > FILEPATH_MAX)
			return true;
	return false;
}

static void must_rewrite(const struct modeljson *m, const uint8_t *data, size_t n)
{
	CLEANUP(modeljson_free_p) struct modeljson *after = NULL;
	CLEANUP_BUF struct buf out = BUF_INIT(16 << 20);
	struct err e;

	must(modeljson_rewrite_paths((const char *)data, n, PREFIX, &out, &e) == 0);
	if (!m->manifest) {
		must(out.len == n && memcmp(out.data, data, n) == 0);
		return;
	}
	if (has_long_path(m->manifest))
		return;
	after = parse(out.data, out.len, lenient());
	must(after && after->manifest);
	must(after->kind == m->kind && after->topology_bytes == m->topology_bytes);
	must(after->weight_specs_bytes == m->weight_specs_bytes);
	must(after->manifest->weights_n == m->manifest->weights_n);
	must_have_prefix(m->manifest, after->manifest);
}

static void walk(struct manifest_walk *w, const struct manifest *m, const uint8_t *data, size_t n,
	size_t split)
{
	manifest_walk_init(w, m);
	manifest_walk_feed(w, data, split);
	manifest_walk_feed(w, data + split, n - split);
}

static void must_walk_alike(const struct manifest *m, const uint8_t *data, size_t n)
{
	CLEANUP_FINDINGS struct findings f;
	struct manifest_walk whole, cut;

	findings_init(&f);
	walk(&whole, m, data, n, 0);
	walk(&cut, m, data, n, n / 3);
	must(whole.weight == cut.weight && whole.element == cut.element && whole.left == cut.left);
	must(whole.surplus == cut.surplus && whole.offset == n && cut.offset == n);
	must(whole.slice == cut.slice && whole.slice <= n);
	manifest_walk_finish(&whole, &f);
	must(f.n <= 1);
	must(m->has_strings || (f.n == 0) == (m->fixed_bytes == n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP(modeljson_free_p) struct modeljson *strict = parse((const char *)data, n, NULL);
	CLEANUP(modeljson_free_p) struct modeljson *m = parse((const char *)data, n, lenient());

	(void)modeljson_sniff(data, n, NULL);
	must(m || !strict);
	if (!m)
		return 0;
	must(modeljson_recognise((const char *)data, n));
	must_rewrite(m, data, n);
	if (m->manifest)
		must_walk_alike(m->manifest, data, n);
	return 0;
}
