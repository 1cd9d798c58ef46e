/* SPDX-License-Identifier: Apache-2.0 */
#include "client/doctor_cors.h"
#include "common/base/num.h"

#include <stdio.h>

#define VALUE_MAX 4096
#define ALLOW     "Access-Control-Allow-Origin"

/* ---- origins ---- */

int doctor_cors_origin(const char *given, struct url *ret, char text[DOCTOR_CORS_ORIGIN_MAX],
	struct err *e)
{
	bool v6;
	unsigned usual;
	int n, r = url_parse(str_of(given), ret, e);

	if (r < 0)
		return err_prefix(e, "--origin");
	if (!str_eq_c(url_path(ret), "/") || strchr(ret->text, '?'))
		return err_set(e, ERR_BAD_PARAMETER,
			"--origin is a scheme, a host and a port, as in https://example.com");
	v6 = strchr(ret->host, ':') != NULL;
	usual = strcmp(ret->scheme, "https") == 0 ? 443 : 80;
	n = snprintf(text, DOCTOR_CORS_ORIGIN_MAX, "%s://%s%s%s", ret->scheme, v6 ? "[" : "",
		ret->host, v6 ? "]" : "");
	if (ret->port != usual)
		(void)snprintf(text + n, DOCTOR_CORS_ORIGIN_MAX - (size_t)n, ":%u", ret->port);
	return 0;
}

bool doctor_cors_is_loopback(const struct url *u)
{
	struct str host = str_of(u->host);

	return str_starts(host, "127.") || str_eq_c(host, "::1") || str_eq_c(host, "localhost") ||
		str_ends(host, ".localhost");
}

/* ---- headers of an answer ---- */

bool doctor_cors_joined(const struct http_answer *a, const char *name, struct buf *ret)
{
	struct str rest = {buf_str(&a->head), a->head.len}, line, key;
	bool any = false;

	while (str_split(&rest, '\n', &line)) {
		if (line.n == 0 || !str_split(&line, ':', &key) || !str_eq_nocase(key, name) ||
			!line.p)
			continue;
		line = str_trim(line);
		if (any)
			buf_add_str(ret, ", ");
		buf_add(ret, line.p, line.n);
		any = true;
	}
	return any;
}

static bool lists(const struct buf *list, struct str wanted)
{
	struct str rest = {buf_str(list), list->len}, item;

	while (str_split(&rest, ',', &item)) {
		struct str name = str_trim(item);
		if (name.n == wanted.n && strncasecmp(name.p, wanted.p, wanted.n) == 0)
			return true;
	}
	return false;
}

/* What one client gets would be kept by a cache for another one's page. */
static void judge_vary(const struct http_answer *a, const char *url, struct doctor_report *report)
{
	CLEANUP_BUF struct buf vary = BUF_INIT(VALUE_MAX);

	(void)doctor_cors_joined(a, "Vary", &vary);
	if (!lists(&vary, STR_LIT("Origin")) && !lists(&vary, STR_LIT("*")))
		doctor_report_add(report, DOCTOR_CORS_VARY, url,
			ALLOW " names the page's origin without Vary: Origin, so that a cache "
			      "gives the answer to pages of other origins, which may not read it");
}

/* https://fetch.spec.whatwg.org/#concept-cors-check, from step 4 on. */
static bool judge_credentials(const struct http_answer *a, const struct doctor_cors *c,
	bool starred, const char *what, struct doctor_report *report)
{
	CLEANUP_BUF struct buf allow = BUF_INIT(VALUE_MAX);
	bool allowed = doctor_cors_joined(a, "Access-Control-Allow-Credentials", &allow) &&
		strcmp(buf_str(&allow), "true") == 0;

	if (starred && allowed && !c->credentials)
		doctor_report_add(report, DOCTOR_CORS_VAIN, c->url,
			"%sAccess-Control-Allow-Credentials beside " ALLOW
			": * does nothing: pages that send credentials may not read the answer",
			what);
	if (!c->credentials || (allowed && !starred))
		return true;
	doctor_report_add(report, DOCTOR_CORS_CREDENTIALS, c->url, "%s%s: a page that sends "
		"credentials may not read the answer", what,
		starred ? ALLOW " is *" : "no Access-Control-Allow-Credentials: true");
	return false;
}

bool doctor_cors_judge(const struct http_answer *a, const struct doctor_cors *c, const char *what,
	struct doctor_report *report)
{
	CLEANUP_BUF struct buf allow = BUF_INIT(VALUE_MAX);
	const char *value;
	bool starred;

	if (!doctor_cors_joined(a, ALLOW, &allow) || allow.len == 0) {
		doctor_report_add(report, DOCTOR_CORS_MISSING, c->url,
			"%sno " ALLOW
			": a page of %s may not read the answer (\"Failed to fetch\")",
			what, c->origin);
		return false;
	}
	value = buf_str(&allow);
	starred = strcmp(value, "*") == 0;
	if (!starred && strcmp(value, c->origin) == 0)
		judge_vary(a, c->url, report);
	else if (strchr(value, ','))
		doctor_report_add(report, DOCTOR_CORS_SEVERAL, c->url,
			"%s" ALLOW " is \"%.200s\", several values, which browsers refuse", what,
			value);
	else if (!starred)
		doctor_report_add(report, DOCTOR_CORS_OTHER, c->url,
			"%s" ALLOW " is \"%.200s\" where the browser sends Origin: %s", what,
			value, c->origin);
	if (!starred && strcmp(value, c->origin) != 0)
		return false;
	return judge_credentials(a, c, starred, what, report);
}

/* ---- preflights ---- */

/* https://fetch.spec.whatwg.org/#cors-safelisted-request-header, those that need no look at
 * their values to be safe in the common case. */
static bool is_safe(struct str name)
{
	static const char *const safe[] = {"accept", "accept-language", "content-language"};

	for (size_t i = 0; i < ARRAY_SIZE(safe); i++)
		if (str_eq_nocase(name, safe[i]))
			return true;
	return false;
}

static int compare_names(const void *a, const void *b)
{
	const struct str *x = a, *y = b;
	int r = strncasecmp(x->p, y->p, x->n < y->n ? x->n : y->n);

	if (r != 0)
		return r;
	return x->n < y->n ? -1 : x->n > y->n;
}

bool doctor_cors_unsafe(const char *const *headers, size_t n, bool authorization, struct buf *ret)
{
	struct str names[DOCTOR_CORS_HEADERS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < n && count < DOCTOR_CORS_HEADERS_MAX; i++) {
		struct str name = {headers[i], strcspn(headers[i], ":")};
		if (!is_safe(name) && (authorization || !str_eq_nocase(name, "authorization")))
			names[count++] = name;
	}
	if (count == 0)
		return false;
	qsort(names, count, sizeof(names[0]), compare_names);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && compare_names(&names[i - 1], &names[i]) == 0)
			continue;
		if (i > 0)
			buf_add_char(ret, ',');
		for (size_t k = 0; k < names[i].n; k++)
			buf_add_char(ret, str_to_lower(names[i].p[k]));
	}
	return true;
}

void doctor_cors_preflight(const struct http_answer *a, const struct doctor_cors *c,
	const char *names, struct doctor_report *report)
{
	CLEANUP_BUF struct buf allowed = BUF_INIT(VALUE_MAX);
	struct str rest = str_of(names), name;

	if (a->status / 100 != 2) {
		doctor_report_add(report, DOCTOR_PREFLIGHT_STATUS, c->url,
			"the preflight (OPTIONS) is answered with %d; the browser asks no further",
			a->status);
		return;
	}
	if (!doctor_cors_judge(a, c, "the preflight: ", report))
		return;
	(void)doctor_cors_joined(a, "Access-Control-Allow-Headers", &allowed);
	while (str_split(&rest, ',', &name)) {
		bool starred = lists(&allowed, STR_LIT("*")) && !c->credentials &&
			!str_eq_c(name, "authorization");
		if (!starred && !lists(&allowed, name))
			doctor_report_add(report, DOCTOR_PREFLIGHT_HEADERS, c->url,
				"the preflight does not allow the header " STR_FMT
				": Access-Control-Allow-Headers is \"%.200s\"",
				STR_ARG(name), buf_str(&allowed));
	}
}
