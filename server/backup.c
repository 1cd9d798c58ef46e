/* SPDX-License-Identifier: Apache-2.0 */
#include "server/backup.h"
#include "common/base/fsio.h"
#include "common/base/num.h"
#include "common/registry/registry_copy.h"

#include <inttypes.h>

#define LINE_MAX_BYTES (64u << 10)

static int print_fault(void *cls, const char *text, struct err *e)
{
	CLEANUP_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);

	(void)cls;
	buf_addf(&line, "damaged: %s\n", text);
	return fsio_print(&line, e);
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static int print_sum(bool restore, const struct registry_copied *x, struct err *e)
{
	CLEANUP_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
	char bytes[NUM_SIZE_TEXT], copied[NUM_SIZE_TEXT];

	buf_addf(&line, "%s %" PRIu64 " version%s, %" PRIu64 " file%s, %s: %" PRIu64
		" copied (%s), %" PRIu64 " removed", restore ? "restored" : "backed up",
		x->versions, plural(x->versions), x->blobs, plural(x->blobs),
		num_format_size(x->bytes, bytes), x->copied,
		num_format_size(x->copied_bytes, copied), x->removed);
	if (x->damaged > 0)
		buf_addf(&line, ", %" PRIu64 " damaged", x->damaged);
	buf_add_char(&line, '\n');
	return fsio_print(&line, e);
}

int backup_run(const struct options *o, struct err *e)
{
	bool restore = o->verb == OPTIONS_RESTORE;
	const char *store = o->config.store_dir;
	const struct registry_copy how = {
		.from = restore ? o->dir : store,
		.to = restore ? store : o->dir,
		.tell = print_fault,
	};
	struct registry_copied done;
	int r = restore ? registry_copy_restore(&how, &done, e) :
			  registry_copy_backup(&how, &done, e);

	if (r == 0)
		r = print_sum(restore, &done, e);
	if (r == 0 && done.damaged > 0)
		r = err_set(e, ERR_CORRUPT,
			"%s has damaged files, which standard output names: all others were "
			"copied; publish those versions again", how.from);
	return r;
}
