/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/log.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/str.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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
static _Atomic enum log_style style = LOG_STYLE_LOGFMT;

void log_set_style(enum log_style wanted)
{
	atomic_store(&style, wanted);
}

static bool journal;
static pthread_once_t journal_once = PTHREAD_ONCE_INIT;

/* The variable is inherited by whatever a service starts, with other streams as it may be: it names
 * the device and inode of the stream that it is about (systemd.exec(5)). */
static void look_for_journal(void)
{
	const char *says = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat s;

	journal = says && sscanf(says, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) == 2 &&
		fstat(STDERR_FILENO, &s) == 0 && s.st_dev == device && s.st_ino == inode;
}

static bool is_journal(void)
{
	(void)pthread_once(&journal_once, look_for_journal);
	return journal;
}

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

/* ---- logfmt ---- */

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

static void format_logfmt(struct buf *out, enum log_level level, uint64_t when_ms, const char *msg,
	va_list ap)
{
	char when[CLOCK_TEXT];
	const char *key;

	if (!is_journal())
		buf_addf(out, "time=%s ", clock_rfc3339(when_ms, when));
	buf_addf(out, "level=%s msg=", levels[level].name);
	add_value(out, msg);
	while ((key = va_arg(ap, const char *))) {
		const char *value = va_arg(ap, const char *);
		buf_addf(out, " %s=", key + (*key == '#'));
		add_value(out, value ? value : "");
	}
}

/* ---- JSON (RFC 8259) ---- */

static void add_string(struct buf *line, const char *s)
{
	size_t left = strlen(s), n;

	buf_add_char(line, '"');
	for (; left > 0; s += n, left -= n) {
		n = str_utf8_sequence(s, left);
		if (n == 0)
			buf_add_str(line, "\\ufffd");
		else if (*s == '"' || *s == '\\')
			buf_addf(line, "\\%c", *s);
		else if ((unsigned char)*s < ' ')
			buf_addf(line, "\\u%04x", (unsigned)(unsigned char)*s);
		else
			buf_add(line, s, n);
		n += n == 0;
	}
	buf_add_char(line, '"');
}

static void format_json(struct buf *out, enum log_level level, uint64_t when_ms, const char *msg,
	va_list ap)
{
	char when[CLOCK_TEXT];
	const char *key;

	buf_addf(out, "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":",
		clock_rfc3339(when_ms, when), levels[level].name);
	add_string(out, msg);
	while ((key = va_arg(ap, const char *))) {
		const char *value = va_arg(ap, const char *);
		buf_addf(out, ",\"%s\":", key + (*key == '#'));
		if (*key == '#' && value)
			buf_add_str(out, value);
		else
			add_string(out, value ? value : "");
	}
	buf_add_char(out, '}');
}

/* ---- lines ---- */

static void format(struct buf *out, enum log_level level, uint64_t when_ms, const char *msg,
	va_list ap)
{
	if (is_journal())
		buf_addf(out, "<%d>", levels[level].priority);
	if (atomic_load(&style) == LOG_STYLE_JSON)
		format_json(out, level, when_ms, msg, ap);
	else
		format_logfmt(out, level, when_ms, msg, ap);
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
