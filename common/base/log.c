/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/log.h"
#include "common/base/buf.h"
#include "common/base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define LOG_LINE_MAX 8192

static const struct {
	const char *name;
	int priority; /* of syslog(3) */
} levels[] = {
	[LOG_LEVEL_DEBUG] = {"debug", 7},
	[LOG_LEVEL_INFO] = {"info", 6},
	[LOG_LEVEL_WARNING] = {"warning", 4},
	[LOG_LEVEL_ERROR] = {"error", 3},
};

static _Atomic enum log_level threshold = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	atomic_store(&threshold, level);
}

static bool needs_quotes(const char *s)
{
	if (*s == '\0')
		return true;
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == '"' || *s == '=' || *s == '\\' || *s == 0x7f)
			return true;
	return false;
}

static void add_value(struct buf *line, const char *s)
{
	if (!needs_quotes(s)) {
		buf_add_str(line, s);
		return;
	}
	buf_add_char(line, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_addf(line, "\\%c", *s);
		else if ((unsigned char)*s < ' ' || *s == 0x7f)
			buf_addf(line, "\\x%02x", (unsigned)(unsigned char)*s);
		else
			buf_add_char(line, *s);
	}
	buf_add_char(line, '"');
}

static void add_pair(struct buf *line, const char *key, const char *value)
{
	buf_addf(line, " %s=", key);
	add_value(line, value ? value : "");
}

static void add_head(struct buf *line, enum log_level level, uint64_t when_ms)
{
	char when[CLOCK_TEXT];

	if (getenv("JOURNAL_STREAM"))
		buf_addf(line, "<%d>", levels[level].priority);
	else
		buf_addf(line, "time=%s ", clock_rfc3339(when_ms, when));
	buf_addf(line, "level=%s", levels[level].name);
}

static void format(struct buf *out, enum log_level level, uint64_t when_ms, const char *msg,
	va_list ap)
{
	const char *key;

	add_head(out, level, when_ms);
	add_pair(out, "msg", msg);
	while ((key = va_arg(ap, const char *)))
		add_pair(out, key, va_arg(ap, const char *));
	buf_add_char(out, '\n');
}

bool log_enabled(enum log_level level)
{
	return level >= atomic_load(&threshold);
}

void log_format(struct buf *out, enum log_level level, uint64_t when_ms, const char *msg, ...)
{
	va_list ap;

	va_start(ap, msg);
	format(out, level, when_ms, msg, ap);
	va_end(ap);
}

void log_event(enum log_level level, const char *msg, ...)
{
	CLEANUP_BUF struct buf line = BUF_INIT(LOG_LINE_MAX);
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, msg);
	format(&line, level, clock_now_ms(), msg, ap);
	va_end(ap);
	if (buf_failed(&line) && line.len > 0)
		line.data[line.len - 1] = '\n'; /* a line that is cut is better than none */
	if (line.data && write(STDERR_FILENO, line.data, line.len) < 0)
		return; /* nowhere left to say so */
}

void log_err(const char *doing, const struct err *e)
{
	log_event(err_ours(e->code) ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, doing, "code",
		err_name(e->code), "error", e->text, NULL);
}
