/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a browser hands an answer to a page of another origin (https://fetch.spec.whatwg.org/,
 * "CORS check" and "CORS-preflight fetch"). Pure, but for the findings. */
#pragma once

#include "client/doctor_report.h"
#include "common/base/str.h"
#include "common/net/http.h"
#include "common/net/url.h"

#define DOCTOR_CORS_ORIGIN_MAX  300
#define DOCTOR_CORS_HEADERS_MAX 32

/* "https://example.com", as browsers send it: no port that the scheme has anyway. ERR_BAD_URL;
 * ERR_BAD_PARAMETER when there is a path or a query. */
int doctor_cors_origin(const char *given, struct url *ret, char text[DOCTOR_CORS_ORIGIN_MAX],
	struct err *e);

/* All values of a header that may come several times, ", " between them; false for none. */
bool doctor_cors_joined(const struct http_answer *a, const char *name, struct buf *ret);

/* A request, as far as CORS goes. */
struct doctor_cors {
	const char *origin; /* as it was sent */
	bool credentials;   /* credentials: 'include' */
	const char *url;
};

/* `what` is "" or "the preflight: ". True when it passes. */
bool doctor_cors_judge(const struct http_answer *a, const struct doctor_cors *c, const char *what,
	struct doctor_report *report);

/* Names of "Name: value" lines that need a preflight, in lower case, sorted and with commas between
 * them as Access-Control-Request-Headers wants them. False for none. */
bool doctor_cors_unsafe(const char *const *headers, size_t n, bool authorization, struct buf *ret);
/* The answer to a preflight for those names. */
void doctor_cors_preflight(const struct http_answer *a, const struct doctor_cors *c,
	const char *names, struct doctor_report *report);

/* Does a page of an https origin get http from this host too? (W3C Secure Contexts, 3.1) */
bool doctor_cors_is_loopback(const struct url *u);
