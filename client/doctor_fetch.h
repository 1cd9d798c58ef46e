/* SPDX-License-Identifier: Apache-2.0 */
/* One file of another host, fetched as fetch() in a page does it: Origin, preflights, redirects
 * with CORS on each hop (https://fetch.spec.whatwg.org/#http-fetch). What a browser would not take
 * is a finding; the way goes on behind it, to find what else there is. Blocks. */
#pragma once

#include "client/doctor_cors.h"
#include "client/fault.h"
#include "client/progress.h"
#include "common/model/modeljson.h"

#define DOCTOR_FETCH_HOPS_MAX 20 /* redirects that browsers follow */

struct doctor_host {
	struct http *http;
	struct url page; /* the origin that loads the model */
	char origin[DOCTOR_CORS_ORIGIN_MAX];
	const char *headers[DOCTOR_CORS_HEADERS_MAX]; /* "Name: value" */
	size_t headers_n;
	bool credentials; /* credentials: 'include' */
	struct doctor_report *report;
	struct progress *progress; /* of bytes of shards, or NULL */
};

struct doctor_fetch {
	const struct doctor_host *host;
	struct url url;
	bool is_model;
	bool only_start; /* the first MODELJSON_SNIFF bytes, by a range where the host has them */
	uint64_t max;    /* bytes after which it stops */
	/* Decoded bytes; may be NULL. A negative result is that of the fetch. */
	int (*take)(void *cls, const void *bytes, size_t n, struct err *e);
	void *cls;

	/* What came of it. */
	struct http_answer answer; /* the last one; its body is not kept */
	struct url final;
	bool arrived; /* with 2xx, whole, or as far as it was to be read; else there is a finding */
	bool stopped; /* at `max`, or at the start that was wanted */
	uint64_t bytes; /* decoded */
	uint64_t received;
	uint64_t began_ms;
	uint64_t first_ms; /* from the request to the first byte of the body */
	uint8_t start[MODELJSON_SNIFF];
	size_t start_n;
};

/* 0 also when a finding says why nothing arrived; ERR_FETCH_FAILED and ERR_FETCH_TIMED_OUT only for
 * a model.json whose host does not answer at all. doctor_fetch_done() in any case. */
int doctor_fetch(struct doctor_fetch *x, struct fault *f);
void doctor_fetch_done(struct doctor_fetch *x);
#define CLEANUP_DOCTOR_FETCH CLEANUP(doctor_fetch_done)

/* Bytes of the whole file, as headers tell them; false when they do not. */
bool doctor_fetch_size(const struct doctor_fetch *x, uint64_t *ret);
