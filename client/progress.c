/* SPDX-License-Identifier: Apache-2.0 */
#include "client/progress.h"
#include "common/base/clock.h"
#include "common/base/num.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINE_MAX_BYTES 256
#define PART_MAX       64
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

/* Behind what is there, with two spaces between. False when there is no room for it. */
static bool add_part(const struct buf *part, size_t columns, struct buf *out)
{
	bool fits = columns == 0 || out->len + 2 + part->len <= columns;

	if (fits)
		buf_addf(out, "  %s", buf_str(part));
	return fits;
}

static void add_rest(const struct progress_state *s, size_t columns, struct buf *out)
{
	CLEANUP_BUF struct buf bytes = BUF_INIT(PART_MAX), speed = BUF_INIT(PART_MAX);
	CLEANUP_BUF struct buf left = BUF_INIT(PART_MAX);
	uint64_t moved = s->done > s->skipped ? s->done - s->skipped : 0;
	double rate = s->elapsed_ms > 0 ? (double)moved * 1000 / (double)s->elapsed_ms : 0;

	add_size(s->done, &bytes);
	buf_add_str(&bytes, " of ");
	add_size(s->total, &bytes);
	if (!add_part(&bytes, columns, out) || rate < 1)
		return;
	add_size((uint64_t)rate, &speed);
	buf_add_str(&speed, "/s");
	if (!add_part(&speed, columns, out) || s->done >= s->total)
		return;
	add_time((uint64_t)((double)(s->total - s->done) / rate), &left);
	buf_add_str(&left, " left");
	(void)add_part(&left, columns, out);
}

void progress_format(const struct progress_state *s, size_t columns, struct buf *out)
{
	unsigned percent =
		s->total > 0 ? (unsigned)((double)s->done * 100 / (double)s->total) : 100;
	CLEANUP_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);

	buf_addf(&line, "%s %3u%%", s->doing, percent > 100 ? 100 : percent);
	add_rest(s, columns, &line);
	buf_add_str(out, buf_str(&line));
}

/* Asked for each frame: the window may be made narrower or wider meanwhile. A line that reached the
 * last column could wrap. */
static size_t columns_of(const struct run *run)
{
	struct winsize size;

	if (!run->err_terminal || ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 2)
		return 0;
	return size.ws_col - 1u;
}

static void draw(struct progress *p, uint64_t now)
{
	const struct progress_state state = {
		.doing = p->doing,
		.done = atomic_load(&p->done),
		.total = p->total,
		.skipped = atomic_load(&p->skipped),
		.elapsed_ms = now - p->began_ms,
	};
	CLEANUP_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);

	if (p->run->err_terminal)
		buf_add_str(&line, ERASE);
	progress_format(&state, columns_of(p->run), &line);
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

void progress_end_drawn(struct progress *p)
{
	if (p->drawn_ms > p->began_ms)
		progress_end(p);
}
