/* SPDX-License-Identifier: Apache-2.0 */
#include "server/prune.h"
#include "common/base/fsio.h"
#include "common/base/num.h"
#include "common/registry/registry.h"

#define LINE_MAX_BYTES 1024

static const char *verb(const struct options *o)
{
	return o->dry_run ? "would delete" : "deleted";
}

static int print_version(void *cls, const char *model, uint64_t version, const char *why,
	struct err *e)
{
	CLEANUP_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);

	buf_addf(&line, "%s %s@%llu: %s\n", verb(cls), model, (unsigned long long)version, why);
	return fsio_print(&line, e);
}

static int print_sum(const struct options *o, const struct registry_pruned *x, struct err *e)
{
	CLEANUP_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
	char bytes[NUM_SIZE_TEXT];

	buf_addf(&line, "%s %llu version%s, %s%s\n", verb(o), (unsigned long long)x->versions,
		x->versions == 1 ? "" : "s", num_format_size(x->bytes, bytes),
		o->retention.n == 0 ? ": retention.rules has no rule" : "");
	return fsio_print(&line, e);
}

int prune_run(const struct options *o, struct err *e)
{
	const struct registry_options options = {.dir = o->config.store_dir};
	const struct registry_prune how = {
		.rules = &o->retention,
		.dry_run = o->dry_run,
		.tell = print_version,
		.cls = (void *)(uintptr_t)o,
	};
	CLEANUP(registry_close_p) struct registry *registry = NULL;
	struct registry_pruned done;
	int r = registry_open_beside(&options, &registry, e);

	if (r == 0)
		r = registry_prune(registry, &how, &done, e);
	return r < 0 ? r : print_sum(o, &done, e);
}
