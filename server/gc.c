/* SPDX-License-Identifier: Apache-2.0 */
#include "server/gc.h"
#include "common/base/fsio.h"
#include "common/base/num.h"
#include "common/registry/registry.h"

#define LINE_MAX_BYTES 256

static void describe(const struct options *o, const struct registry_collected *c, struct buf *out)
{
	char bytes[NUM_SIZE_TEXT];

	buf_addf(out, "%s%llu %s held by no version, %s",
		o->dry_run ? "would collect " : "collected ", (unsigned long long)c->blobs,
		c->blobs == 1 ? "file" : "files", num_format_size(c->bytes, bytes));
	if (!o->dry_run)
		buf_addf(out, "; removed %llu from the disk", (unsigned long long)c->files);
	buf_add_char(out, '\n');
}

static int print(const struct options *o, const struct registry_collected *c, struct err *e)
{
	CLEANUP_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);

	describe(o, c, &line);
	return fsio_print(&line, e);
}

int gc_run(const struct options *o, struct err *e)
{
	const struct registry_options options = {.dir = o->config.store_dir};
	const struct registry_collect how = {
		.grace_ms = o->config.store_gc_grace,
		.delay_ms = o->config.store_trash_delay,
		.dry_run = o->dry_run,
	};
	CLEANUP(registry_close_p) struct registry *registry = NULL;
	struct registry_collected done;
	int r = registry_open_beside(&options, &registry, e);

	if (r == 0)
		r = registry_collect(registry, &how, &done, e);
	return r < 0 ? r : print(o, &done, e);
}
