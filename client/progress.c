/* SPDX-License-Identifier: Apache-2.0 */
#include "client/progress.h"
#include "common/base/clock.h"
#include "common/base/num.h"

#include <inttypes.h>
#include <stdio.h>

#define LINE_MAX_BYTES 256
#define ERASE          "\r\033[K"

void progress_begin(struct progress *p, const struct run *run, const char *doing, uint64_t total)
{
	*p = (struct progress){.run = run, .doing = doing, .total = total};
	atomic_init(&p->done, 0);
	atomic_init(&p->skipped, 0);
	p->began_ms = p->drawn_ms = clock_mono_ms();
}

void progress_add(struct progress *p, uint64_t bytes)
{
	atomic_fetch_add(&p->done, bytes);
}

void progress_skip(struct progress *p, uint64_t bytes)
{
	atomic_fetch_add(&p->skipped, bytes);
	atomic_fetch_add(&p->done, bytes);
}

void progress_take_back(struct progress *p, uint64_t bytes)
{
	atomic_fetch_sub(&p->done, bytes);
}

static void add_time(uint64_t seconds, struct buf *out)
{
	if (seconds >= 3600)
		buf_addf(out, "%" PRIu64 ":%02u:%02u", seconds / 3600,
			(unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
	else
		buf_addf(out, "%u:%02u", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
}

/* Sizes as small numbers of large units are exact enough; one digit behind the point throughout, so
 * that the line does not jump. */
static void add_size(uint64_t bytes, struct buf *out)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 1024 && unit + 1 < ARRAY_SIZE(units); unit++)
		value /= 1024;
	buf_addf(out, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

void progress_format(const char *doing, uint64_t done, uint64_t total, uint64_t skipped,
	uint64_t elapsed_ms, struct buf *out)
{
	uint64_t moved = done > skipped ? done - skipped : 0;
	double rate = elapsed_ms > 0 ? (double)moved * 1000 / (double)elapsed_ms : 0;
	unsigned percent = total > 0 ? (unsigned)((double)done * 100 / (double)total) : 100;

	buf_addf(out, "%s %3u%%  ", doing, percent > 100 ? 100 : percent);
	add_size(done, out);
	buf_add_str(out, " of ");
	add_size(total, out);
	if (rate < 1)
		return;
	buf_add_str(out, "  ");
	add_size((uint64_t)rate, out);
	buf_add_str(out, "/s");
	if (done >= total)
		return;
	buf_add_str(out, "  ");
	add_time((uint64_t)((double)(total - done) / rate), out);
	buf_add_str(out, " left");
}

static void draw(struct progress *p, uint64_t now)
{
	CLEANUP_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);

	if (p->run->err_terminal)
		buf_add_str(&line, ERASE);
	progress_format(p->doing, atomic_load(&p->done), p->total, atomic_load(&p->skipped),
		now - p->began_ms, &line);
	if (!p->run->err_terminal)
		buf_add_char(&line, '\n');
	(void)fwrite(buf_str(&line), 1, line.len, stderr);
	(void)fflush(stderr);
	p->open = p->run->err_terminal;
	p->drawn_ms = now;
}

void progress_tick(struct progress *p)
{
	uint64_t now = clock_mono_ms();
	uint64_t interval = p->run->err_terminal ? PROGRESS_FRAME_MS : PROGRESS_LINE_MS;

	if (!p->run->quiet && now - p->drawn_ms >= interval)
		draw(p, now);
}

void progress_end(struct progress *p)
{
	if (p->run->quiet || p->total == 0)
		return;
	draw(p, clock_mono_ms());
	if (p->open)
		(void)fputc('\n', stderr);
	p->open = false;
}
