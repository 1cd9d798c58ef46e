/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines on standard error, as logfmt: `level=info msg="..." key=value`, or as JSON, one object
 * a line.
 *
 * Only server/ and client/ call this; common/ returns errors instead. Thread safe: a line is one
 * write. When standard error is the journal each line starts with its priority "<6>"
 * (sd-daemon(3)), and logfmt has no time, which the journal adds. Values are escaped, so a hostile
 * value cannot forge a line; in JSON what is no UTF-8 becomes U+FFFD.
 */
#pragma once

#include "common/base/err.h"

#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

enum log_style { LOG_STYLE_LOGFMT, LOG_STYLE_JSON };

/* Of the lines from now on, like the level below; any thread. Default LOG_STYLE_LOGFMT. */
void log_set_style(enum log_style style);
/* Everything below `level` is dropped. Default LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);

/* `...` is alternating key and value (const char *), closed by NULL:
 * log_event(LOG_LEVEL_INFO, "listening", "url", url, NULL). The value of a key that begins with #,
 * which is not written, is a number: JSON has it without quotes. */
void log_event(enum log_level level, const char *msg, ...) __attribute__((sentinel));

/* One line about an error: its code, its sentence, and `doing` as the message. Level error when the
 * fault is ours, else info. */
void log_err(const char *doing, const struct err *e);

/* The same line without writing it, of something that happened at `when_ms` (since 1970), appended
 * to `out` with its newline; for queues. Written whatever the level. */
struct buf;
void log_format(struct buf *out, enum log_level level, uint64_t when_ms, const char *msg, ...)
	__attribute__((sentinel));
/* Would a line of this level be written? */
bool log_enabled(enum log_level level);
