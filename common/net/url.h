/* SPDX-License-Identifier: Apache-2.0 */
/* URLs of other hosts. They are read by libcurl's parser and by nothing else, so that what is
 * judged is what is connected to. Nothing here blocks; any thread. */
#pragma once

#include "common/base/str.h"

#define URL_MAX 2048 /* bytes of a URL, without the NUL */

struct url {
	/* As libcurl has read it: "." and ".." are gone from the path, which is "/" at least,
	 * numbers that mean an IPv4 address are written as one, no fragment. The rest is as
	 * given. */
	char text[URL_MAX + 1];
	char scheme[8];   /* "http" or "https" */
	char host[256];   /* lower case, as libcurl looks it up; an IPv6 address without brackets */
	unsigned port;    /* that of the scheme when none is given */
};

/* ERR_BAD_URL, and which rule: printable ASCII without '\', at most URL_MAX bytes, http or https
 * and "://", no user or password, a host of letters, digits, '-', '_' and '.' or an address without
 * a zone, none of it encoded, a port that is not 0. Sentences do not repeat the URL, which may hold
 * a password. */
int url_parse(struct str text, struct url *ret, struct err *e);
/* What a reference in an answer (Location, Content-Location) means there: RFC 3986 5.2. The
 * same errors. */
int url_resolve(const struct url *base, const char *reference, struct url *ret, struct err *e);
/* Same scheme, host and port (RFC 6454 4). */
bool url_same_origin(const struct url *a, const struct url *b);
/* The path as it is sent, "/" at least, without the query; in `u->text`. */
struct str url_path(const struct url *u);

/* For messages, logs and answers, of any text: what may be a credential is not in it. User and
 * password are "***", and so are the values of the query, but for those of tfjs-format and the
 * like, which say nothing; a fragment goes; what is not printable ASCII is '_'. Appended to
 * `out`. */
void url_redact(struct str text, struct buf *out);

/* Where TensorFlow.js finds a file that the model.json at `model` names (tfjs-core
 * io/http.ts, parseUrl() and getWeightUrls()): everything up to the last '/' of the whole string,
 * or `prefix` where it is not NULL (weightPathPrefix), then `path`, then the query, from the last
 * '?' on, if that is behind the slash. As fetch() does, spaces and what is not ASCII are
 * percent-encoded (https://url.spec.whatwg.org/#path-percent-encode-set). Then parsed as above. */
int url_of_shard(const struct url *model, const char *prefix, const char *path, struct url *ret,
	struct err *e);
