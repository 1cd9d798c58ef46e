/* SPDX-License-Identifier: Apache-2.0 */
#include "client/doctor_cache.h"
#include "client/doctor_cors.h"
#include "common/base/num.h"
#include "common/base/str.h"

#include <time.h>

#define VALUE_MAX 4096
#define DATE_MAX  64

#define DIGEST_LEAST 8 /* digits, as bundlers put into names */

/* Cache-Control, as far as it matters here. */
struct directives {
	bool asks; /* no-store, no-cache */
	bool immutable;
	bool has_age;
	uint64_t age;
};

static void read_directive(struct str text, struct directives *d)
{
	struct str value = str_trim(text), name;

	if (!str_split(&value, '=', &name))
		return;
	name = str_trim(name);
	if (str_eq_nocase(name, "no-store") || str_eq_nocase(name, "no-cache"))
		d->asks = true;
	else if (str_eq_nocase(name, "immutable"))
		d->immutable = true;
	else if (str_eq_nocase(name, "max-age") && value.p)
		d->has_age = num_parse(value.p, value.n, UINT64_MAX, &d->age);
}

static struct directives read_directives(const struct http_answer *a)
{
	CLEANUP_BUF struct buf list = BUF_INIT(VALUE_MAX);
	struct directives d = {.asks = false};
	struct str rest, item;

	(void)doctor_cors_joined(a, "Cache-Control", &list);
	rest = (struct str){buf_str(&list), list.len};
	while (str_split(&rest, ',', &item))
		read_directive(item, &d);
	return d;
}

/* A date that cannot be read is one in the past (RFC 9111 5.3). */
static bool is_past(struct str date)
{
	char text[DATE_MAX];
	struct tm tm = {.tm_year = 0};

	if (date.n >= sizeof(text))
		return true;
	memcpy(text, date.p, date.n);
	text[date.n] = '\0';
	return !strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm) || timegm(&tm) <= time(NULL);
}

enum doctor_cache doctor_cache_of(const struct http_answer *a)
{
	struct directives d = read_directives(a);
	struct str value;

	if (d.asks || (d.has_age && d.age == 0))
		return DOCTOR_CACHE_ASKS;
	if (d.has_age)
		return d.immutable ? DOCTOR_CACHE_NEVER_CHANGES : DOCTOR_CACHE_KEEPS;
	if (http_answer_header(a, "Expires", &value))
		return is_past(value) ? DOCTOR_CACHE_ASKS : DOCTOR_CACHE_KEEPS;
	return http_answer_header(a, "Last-Modified", &value) ? DOCTOR_CACHE_GUESSES
							      : DOCTOR_CACHE_ASKS;
}

/* Hexadecimal digits in a row, with a decimal one among them: no word. */
static bool has_digest(const char *path)
{
	size_t n = 0, decimal = 0;

	for (; *path && n < DIGEST_LEAST; path++) {
		bool digit = str_hex_value(*path) >= 0;
		n = digit ? n + 1 : 0;
		decimal = digit ? decimal + str_is_digit(*path) : 0;
	}
	return n == DIGEST_LEAST && decimal > 0;
}

bool doctor_cache_is_own(const char *folder, const char *path)
{
	return (folder && strpbrk(folder, "0123456789")) || has_digest(path);
}

void doctor_cache_judge(enum doctor_cache model, enum doctor_cache shard, bool own,
	const char *url, struct doctor_report *report)
{
	if (model == DOCTOR_CACHE_NEVER_CHANGES || (shard == DOCTOR_CACHE_NEVER_CHANGES && own))
		return;
	if (shard == DOCTOR_CACHE_NEVER_CHANGES)
		doctor_report_add(report, DOCTOR_CACHE_TEARS, url,
			"shards are immutable, model.json is not, and the name of the shard says "
			"nothing of its bytes: after the files are replaced the new model.json "
			"gets old weights, without an error");
	else if (model == DOCTOR_CACHE_ASKS && shard != DOCTOR_CACHE_ASKS)
		doctor_report_add(report, DOCTOR_CACHE_TEARS, url,
			"browsers ask for model.json each time, but keep shards: after the files "
			"are replaced the new model.json gets old weights, without an error");
	else if (model != DOCTOR_CACHE_ASKS && shard == DOCTOR_CACHE_ASKS)
		doctor_report_add(report, DOCTOR_CACHE_TEARS, url,
			"browsers keep model.json, but ask for shards each time: after the files "
			"are replaced the old model.json gets new weights, without an error");
	else if (model == DOCTOR_CACHE_GUESSES || shard == DOCTOR_CACHE_GUESSES)
		doctor_report_add(report, DOCTOR_CACHE_STALE, url,
			"Last-Modified without Cache-Control: browsers keep files for as long as "
			"they guess, and after the files are replaced may mix old with new ones");
	else if (model == DOCTOR_CACHE_KEEPS)
		doctor_report_add(report, DOCTOR_CACHE_STALE, url,
			"browsers keep the files without asking: after they are replaced, old ones "
			"are used, or mixed with new ones, until the time is over");
}

void doctor_cache_validator(const struct http_answer *a, const char *url,
	struct doctor_report *report)
{
	struct str value;

	if (doctor_cache_of(a) == DOCTOR_CACHE_ASKS && !http_answer_header(a, "ETag", &value) &&
		!http_answer_header(a, "Last-Modified", &value))
		doctor_report_add(report, DOCTOR_CACHE_VALIDATOR, url,
			"neither ETag nor Last-Modified: the whole file is sent each time");
}
