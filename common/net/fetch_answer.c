/* SPDX-License-Identifier: Apache-2.0 */
/* What a response head means. libcurl frames the response (status line, lengths, chunks) and hands
 * over each line of a head; the fields that say what the body is are read here. */
#include "common/net/fetch_internal.h"

#include "common/base/clock.h"
#include "common/base/num.h"

#include <strings.h>

#define RETRY_AFTER_MAX_MS (UINT64_C(24) * 60 * 60 * 1000)

enum field {
	ETAG,
	LAST_MODIFIED,
	CONTENT_TYPE,
	CONTENT_RANGE,
	CONTENT_LENGTH,
	CONTENT_ENCODING,
	TRANSFER_ENCODING,
	CONTENT_LOCATION,
	LOCATION,
	REPR_DIGEST,
	RETRY_AFTER,
};

#define FIELD(name, member, list)                                        \
	{                                                                \
		name, offsetof(struct fetch_answer, member),             \
			sizeof(((struct fetch_answer *)0)->member), list \
	}

static const struct {
	const char *name;
	size_t at, room;
	bool list; /* lines are joined with a comma (RFC 9110 5.3) */
} fields[] = {
	[ETAG] = FIELD("ETag", etag, false),
	[LAST_MODIFIED] = FIELD("Last-Modified", last_modified, false),
	[CONTENT_TYPE] = FIELD("Content-Type", content_type, false),
	[CONTENT_RANGE] = FIELD("Content-Range", content_range, false),
	[CONTENT_LENGTH] = FIELD("Content-Length", content_length, false),
	[CONTENT_ENCODING] = FIELD("Content-Encoding", content_encoding, true),
	[TRANSFER_ENCODING] = FIELD("Transfer-Encoding", transfer_encoding, true),
	[CONTENT_LOCATION] = FIELD("Content-Location", content_location, false),
	[LOCATION] = FIELD("Location", location, false),
	[REPR_DIGEST] = FIELD("Repr-Digest", repr_digest, true),
	[RETRY_AFTER] = FIELD("Retry-After", retry_after, false),
};

static bool has(const struct fetch_answer *a, enum field f)
{
	return (a->have & ~a->bad & 1u << f) != 0;
}

static bool is_bad(const struct fetch_answer *a, enum field f)
{
	return (a->bad & 1u << f) != 0;
}

static void set_field(struct fetch_answer *a, enum field f, struct str value)
{
	char *to = (char *)a + fields[f].at;
	size_t used = strlen(to);

	if (!(a->have & 1u << f)) {
		a->have |= 1u << f;
	} else if (!fields[f].list) {
		if (!str_eq_c(value, to))
			a->bad |= 1u << f;
		return;
	} else if (used + 2 < fields[f].room) {
		to[used++] = ',';
		to[used] = '\0';
	}
	if (value.n >= fields[f].room - used || memchr(value.p, '\0', value.n)) {
		a->bad |= 1u << f;
		return;
	}
	memcpy(to + used, value.p, value.n);
	to[used + value.n] = '\0';
}

void fetch_answer_line(struct fetch *x, struct str line)
{
	struct fetch_answer *a = &x->answer;
	struct str name, value = line;

	if (a->whole)
		return;
	if (!a->begun) {
		memset(a, 0, sizeof(*a));
		a->begun = true;
		return;
	}
	if (!str_split(&value, ':', &name) || !value.p)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (str_eq_nocase(name, fields[i].name))
			set_field(a, (enum field)i, str_trim(value));
	}
}

/* ---- one field each ---- */

/* RFC 9110 8.8.3. */
static bool is_etag(const char *s)
{
	struct str tag = str_of(s);

	if (str_starts(tag, "W/"))
		tag = (struct str){tag.p + 2, tag.n - 2};
	if (tag.n < 2 || tag.p[0] != '"' || tag.p[tag.n - 1] != '"')
		return false;
	for (size_t i = 1; i + 1 < tag.n; i++) {
		unsigned char c = (unsigned char)tag.p[i];
		if (c <= ' ' || c == '"' || c == 0x7f)
			return false;
	}
	return true;
}

/* RFC 9110 14.4: "bytes 0-99/200", "bytes 0-99/" and a '*'. *ret_size is UINT64_MAX for that. */
static bool parse_range(const char *text, uint64_t *ret_first, uint64_t *ret_end,
	uint64_t *ret_size)
{
	struct str rest = str_of(text), unit, first, last;
	uint64_t end;

	if (!str_split(&rest, ' ', &unit) || !str_eq_nocase(unit, "bytes") || !rest.p)
		return false;
	if (!str_split(&rest, '-', &first) || !rest.p || !str_split(&rest, '/', &last) || !rest.p)
		return false;
	if (!num_parse(first.p, first.n, INT64_MAX, ret_first) ||
		!num_parse(last.p, last.n, INT64_MAX, &end) || end < *ret_first)
		return false;
	*ret_end = end + 1;
	*ret_size = UINT64_MAX;
	if (str_eq_c(rest, "*"))
		return true;
	return num_parse(rest.p, rest.n, INT64_MAX, ret_size) && *ret_size > end;
}

static int base64_value(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* 44 digits, of which the last is '='. */
static bool parse_base64_32(struct str s, unsigned char ret[32])
{
	unsigned bits = 0, n = 0;
	size_t out = 0;

	if (s.n != 44 || s.p[43] != '=')
		return false;
	for (size_t i = 0; i < 43; i++) {
		int value = base64_value(s.p[i]);
		if (value < 0)
			return false;
		bits = bits << 6 | (unsigned)value;
		n += 6;
		if (n >= 8) {
			n -= 8;
			ret[out++] = (unsigned char)(bits >> n);
		}
	}
	return true;
}

/* RFC 9530 3: members of a dictionary, as "sha-256=:<base64>:". */
static bool parse_digest(const char *text, unsigned char ret[32])
{
	struct str rest = str_of(text), member;

	while (str_split(&rest, ',', &member)) {
		member = str_trim(member);
		if (!str_starts(member, "sha-256=:") || member.p[member.n - 1] != ':')
			continue;
		return parse_base64_32((struct str){member.p + 9, member.n - 10}, ret);
	}
	return false;
}

/* RFC 9110 10.2.3. */
static uint64_t parse_retry_after(const char *text)
{
	uint64_t ms = 0, now = clock_now_ms();

	if (num_parse(text, strlen(text), RETRY_AFTER_MAX_MS / 1000, &ms))
		return ms * 1000;
	if (!clock_parse_http_date(text, &ms) || ms <= now)
		return 0;
	return ms - now < RETRY_AFTER_MAX_MS ? ms - now : RETRY_AFTER_MAX_MS;
}

static bool parse_coding(const struct fetch_answer *a, enum fetch_coding *ret)
{
	const char *coding = a->content_encoding;

	*ret = FETCH_PLAIN;
	if (coding[0] == '\0' || strcasecmp(coding, "identity") == 0)
		return !is_bad(a, CONTENT_ENCODING);
	if (strcasecmp(coding, "gzip") == 0 || strcasecmp(coding, "x-gzip") == 0)
		*ret = FETCH_GZIP;
	if (strcasecmp(coding, "br") == 0)
		*ret = FETCH_BROTLI;
	return *ret != FETCH_PLAIN && !is_bad(a, CONTENT_ENCODING);
}

/* ---- the verdict ---- */

static int broken(struct fetch *x, const char *how)
{
	return fetch_say(x, &x->fault, ERR_FETCH_FAILED, "%s", how);
}

/* The same once more would be answered the same; all of it may be had. */
static int broken_range(struct fetch *x, const char *how)
{
	x->fault_retry = true;
	x->fault_anew = true;
	return broken(x, how);
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static void refuse_status(struct fetch *x, int status)
{
	bool begin_anew = x->from > 0 && (status == 416 || status == 412);

	(void)fetch_say(x, &x->fault, ERR_FETCH_STATUS, "the host answered with status %d", status);
	x->fault_anew = begin_anew;
	x->fault_retry = begin_anew || status == 408 || status == 429 || status == 500 ||
		status == 502 || status == 503 || status == 504;
	x->fault_after_ms = parse_retry_after(x->answer.retry_after);
}

/* https leads to http only without what the caller sent along, and where the list allows http: that
 * is for address_check() to say. */
static void redirect(struct fetch *x)
{
	struct url next;
	struct err e;

	if (x->hops == FETCH_REDIRECTS) {
		(void)fetch_say(x, &x->fault, ERR_FETCH_FAILED, "more than %d redirects",
			FETCH_REDIRECTS);
		return;
	}
	if (!has(&x->answer, LOCATION)) {
		(void)broken(x, "the redirect says not, or not clearly, where to");
		return;
	}
	if (url_resolve(&x->hop, x->answer.location, &next, &e) < 0 ||
		address_check_host(x->f->allow, next.scheme, next.host, next.port, &e) < 0) {
		(void)err_prefix(&e, "a redirect is not followed");
		x->fault = e;
		if (e.code == ERR_BAD_URL)
			x->fault.code = ERR_FETCH_FAILED;
		fetch_say_where(x, &x->fault);
		return;
	}
	x->hops++;
	x->hop = next;
	x->own_headers = x->own_headers && url_same_origin(&x->origin, &next);
	x->follow = true;
}

/* What the body is, and how long it should be. */
static int take_body(struct fetch *x, struct fetch_head *h)
{
	struct fetch_answer *a = &x->answer;
	uint64_t first = 0, end = 0;
	curl_off_t length = -1;

	if (!parse_coding(a, &x->coding))
		return broken(x, "the body has a Content-Encoding that is not known here");
	h->coded = x->coding != FETCH_PLAIN;
	(void)curl_easy_getinfo(x->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	x->expected = length < 0 ? UINT64_MAX : (uint64_t)length;
	h->size = h->coded ? UINT64_MAX : x->expected;
	if (h->status != 206)
		return 0;
	if (h->coded)
		return broken_range(x, "a part has a Content-Encoding");
	if (!has(a, CONTENT_RANGE) || !parse_range(a->content_range, &first, &end, &h->size))
		return broken_range(x, "a part does not say clearly which one it is");
	if (first != x->from)
		return broken_range(x, "another part came than was asked for");
	if (x->if_range && has(a, ETAG) && strcmp(a->etag, x->if_range) != 0)
		return broken_range(x, "a part is of another version of the file");
	if (x->expected != UINT64_MAX && x->expected != end - first)
		return broken_range(x, "a part says two different lengths");
	x->expected = end - first;
	h->offset = first;
	return 0;
}

static int check_size(struct fetch *x, const struct fetch_head *h)
{
	char size[NUM_SIZE_TEXT];
	uint64_t end;

	if (h->size != UINT64_MAX ? h->size <= x->max_bytes
				  : h->coded || x->expected == UINT64_MAX ||
				(num_add(h->offset, x->expected, &end) && end <= x->max_bytes))
		return 0;
	return fetch_say(x, &x->fault, ERR_TOO_LARGE, "it has more than %s",
		num_format_size(x->max_bytes, size));
}

static void take_texts(struct fetch *x, struct fetch_head *h)
{
	const struct fetch_answer *a = &x->answer;
	struct err unused;

	if (has(a, ETAG) && is_etag(a->etag))
		memcpy(h->etag, a->etag, sizeof(h->etag));
	if (has(a, LAST_MODIFIED))
		memcpy(h->last_modified, a->last_modified, sizeof(h->last_modified));
	if (has(a, CONTENT_TYPE))
		memcpy(h->content_type, a->content_type, sizeof(h->content_type));
	h->has_digest = !h->coded && has(a, REPR_DIGEST) && parse_digest(a->repr_digest, h->sha256);
	h->has_content_location = has(a, CONTENT_LOCATION) &&
		url_resolve(&x->hop, a->content_location, &h->content_location, &unused) == 0;
	h->url = x->hop;
}

static void take_head(struct fetch *x, int status)
{
	struct fetch_head h = {.status = status, .size = UINT64_MAX};

	if (status != 304 && (take_body(x, &h) < 0 || check_size(x, &h) < 0))
		return;
	take_texts(x, &h);
	x->head = h;
	x->phase = FETCH_BODY;
}

static bool is_wanted(const struct fetch *x, int status)
{
	return status == 200 || (status == 206 && x->from > 0) ||
		(status == 304 && x->if_none_match);
}

void fetch_answer_end(struct fetch *x, int status)
{
	struct fetch_answer *a = &x->answer;

	if (status == 101) {
		(void)broken(x, "the host switches to another protocol");
		return;
	}
	if (status < 200) {
		a->begun = false;
		return;
	}
	a->whole = true;
	x->status = status;
	if ((a->have & 1u << TRANSFER_ENCODING) && strcasecmp(a->transfer_encoding, "chunked") != 0)
		(void)broken(x, "the body has a Transfer-Encoding that is not known here");
	else if (is_bad(a, CONTENT_LENGTH))
		(void)broken(x, "the body says two different lengths");
	else if (is_redirect(status))
		redirect(x);
	else if (!is_wanted(x, status))
		refuse_status(x, status);
	else
		take_head(x, status);
	x->discard = x->follow || x->fault.code == ERR_FETCH_STATUS;
}
