/* SPDX-License-Identifier: Apache-2.0 */
#include "server/scrub.h"
#include "common/base/fsio.h"
#include "common/base/num.h"
#include "common/registry/registry_scrub.h"
#include "server/fsck.h"

#include <inttypes.h>
#include <time.h>

#define LINE_MAX_BYTES (64u << 10)

/* Told to stop by a signal, the process ends: nothing has to be kept. */
static bool wait_ms(void *cls, uint64_t ms)
{
	struct timespec left = {
		.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

	(void)cls;
	while (ms > 0 && nanosleep(&left, &left) < 0 && errno == EINTR)
		continue;
	return false;
}

static int tell(void *cls, enum registry_scrub_news news, const char *text, struct err *e)
{
	static const char *const words[] = {
		[REGISTRY_SCRUB_DAMAGED] = "damaged",
		[REGISTRY_SCRUB_STILL_DAMAGED] = "damaged",
		[REGISTRY_SCRUB_SOUND] = "sound again",
		[REGISTRY_SCRUB_DROPPED] = "dropped",
	};
	CLEANUP_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);

	(void)cls;
	buf_addf(&line, "%s: %s\n", words[news], text);
	return fsio_print(&line, e);
}

static int print_sum(const struct registry_scrub_result *x, struct err *e)
{
	CLEANUP_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
	char bytes[NUM_SIZE_TEXT];

	buf_addf(&line, "scrubbed %" PRIu64 " %s, %s: %" PRIu64 " damaged\n", x->blobs,
		x->blobs == 1 ? "file" : "files", num_format_size(x->bytes, bytes), x->damaged);
	return fsio_print(&line, e);
}

int scrub_run(const struct options *o, struct err *e)
{
	const struct registry_options options = {.dir = o->config.store_dir};
	const struct registry_scrub how = {
		.rate = o->has_rate ? o->config.store_scrub_rate : 0,
		.wait = wait_ms,
		.tell = tell,
	};
	CLEANUP(registry_close_p) struct registry *registry = NULL;
	struct registry_scrub_result done;
	int r = registry_open_beside(&options, &registry, e);

	if (r == 0)
		r = registry_scrub(registry, &how, &done, e);
	if (r == 0)
		r = print_sum(&done, e);
	return r < 0 ? r : fsck_verdict(o, done.damaged, e);
}
