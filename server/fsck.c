/* SPDX-License-Identifier: Apache-2.0 */
#include "server/fsck.h"
#include "common/base/fsio.h"
#include "common/base/num.h"
#include "common/registry/registry.h"

#include <inttypes.h>

#define LINE_MAX_BYTES (1u << 20)

static int print_fault(void *cls, bool damage, const char *text, struct err *e)
{
	CLEANUP_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);

	(void)cls;
	buf_addf(&line, "%s: %s\n", damage ? "damaged" : "left over", text);
	return fsio_print(&line, e);
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static int print_sum(const struct options *o, const struct registry_fsck_result *x, struct err *e)
{
	CLEANUP_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
	char bytes[NUM_SIZE_TEXT];

	buf_addf(&line, "checked %" PRIu64 " version%s, %" PRIu64 " file%s, %s%s: %" PRIu64
		" damaged, %" PRIu64 " left over\n", x->versions, plural(x->versions), x->blobs,
		plural(x->blobs), num_format_size(x->bytes, bytes),
		o->quick ? ", by name and size" : "", x->damaged, x->left_over);
	return fsio_print(&line, e);
}

int fsck_verdict(const struct options *o, uint64_t damaged, struct err *e)
{
	if (damaged == 0)
		return 0;
	return err_set(e, ERR_CORRUPT, "the store in %s is damaged: restore the files that "
		"standard output names from a backup, or publish those versions again",
		o->config.store_dir);
}

int fsck_run(const struct options *o, struct err *e)
{
	const struct registry_options options = {.dir = o->config.store_dir};
	const struct registry_fsck how = {.quick = o->quick, .tell = print_fault};
	CLEANUP(registry_close_p) struct registry *registry = NULL;
	struct registry_fsck_result result;
	int r = registry_open_beside(&options, &registry, e);

	if (r == 0)
		r = registry_fsck(registry, &how, &result, e);
	if (r == 0)
		r = print_sum(o, &result, e);
	return r < 0 ? r : fsck_verdict(o, result.damaged, e);
}
