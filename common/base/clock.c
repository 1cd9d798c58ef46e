/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/clock.h"
#include "common/base/macros.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const day_names[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const month_names[] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static uint64_t read_clock(clockid_t id)
{
	struct timespec ts = {0};

	(void)clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t clock_now_ms(void)
{
	return read_clock(CLOCK_REALTIME);
}

uint64_t clock_mono_ms(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static struct tm utc(uint64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm = {0};

	(void)gmtime_r(&seconds, &tm);
	return tm;
}

const char *clock_http_date(uint64_t ms, char *buf)
{
	struct tm tm = utc(ms);

	(void)snprintf(buf, CLOCK_TEXT, "%s, %02d %s %04d %02d:%02d:%02d GMT",
		day_names[tm.tm_wday], tm.tm_mday, month_names[tm.tm_mon],
		(tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return buf;
}

const char *clock_rfc3339(uint64_t ms, char *buf)
{
	struct tm tm = utc(ms);
	size_t n = strftime(buf, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);

	(void)snprintf(buf + n, CLOCK_TEXT - n, ".%03uZ", (unsigned)(ms % 1000));
	return buf;
}

static bool month_of(const char *name, int *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(month_names); i++) {
		if (strcmp(name, month_names[i]) == 0) {
			*ret = (int)i;
			return true;
		}
	}
	return false;
}

static bool ends_at(const char *s, int read)
{
	return read > 0 && s[read] == '\0';
}

/* RFC 9110 5.6.7: a two-digit year that lies more than 50 years ahead means the past. */
static int full_year(int two_digits)
{
	struct tm now = utc(clock_now_ms());
	int year = (now.tm_year + 1900) / 100 * 100 + two_digits;

	return year > now.tm_year + 1900 + 50 ? year - 100 : year;
}

static bool scan_date(const char *s, struct tm *tm, char *month)
{
	int read = 0;

	if (sscanf(s, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &tm->tm_mday, month,
		    &tm->tm_year, &tm->tm_hour, &tm->tm_min, &tm->tm_sec, &read) == 6 &&
		ends_at(s, read))
		return true;
	read = 0;
	if (sscanf(s, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &tm->tm_mday, month,
		    &tm->tm_year, &tm->tm_hour, &tm->tm_min, &tm->tm_sec, &read) == 6 &&
		ends_at(s, read)) {
		tm->tm_year = full_year(tm->tm_year);
		return true;
	}
	read = 0;
	return sscanf(s, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", month, &tm->tm_mday,
		       &tm->tm_hour, &tm->tm_min, &tm->tm_sec, &tm->tm_year, &read) == 6 &&
		ends_at(s, read);
}

bool clock_parse_http_date(const char *s, uint64_t *ret_ms)
{
	struct tm tm = {0};
	char month[4] = "";
	time_t seconds;

	if (!scan_date(s, &tm, month) || !month_of(month, &tm.tm_mon))
		return false;
	if (tm.tm_year < 1970 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
		tm.tm_min > 59 || tm.tm_sec > 60 || tm.tm_hour < 0 || tm.tm_min < 0 ||
		tm.tm_sec < 0)
		return false;
	tm.tm_year -= 1900;
	seconds = timegm(&tm);
	if (seconds < 0)
		return false;
	*ret_ms = (uint64_t)seconds * 1000;
	return true;
}
