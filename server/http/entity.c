/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/entity.h"
#include "common/base/clock.h"
#include "server/http/cond.h"
#include "server/http/problem.h"
#include "server/http/range.h"
#include "server/http/reply.h"

#include <stdatomic.h>
#include <string.h>

/* The bytes, held by the entity and by every reply made from it. */
struct bytes {
	atomic_uint refs;
	const char *data;
	uint64_t n;
	void (*release)(void *cls);
	void *cls;
};

struct entity {
	atomic_uint refs;
	struct bytes *bytes;
	char *etag;
	uint64_t modified_ms;
	char *content_type;
	char *cache_control;
	struct header { char *name, *value; } *headers;
	size_t headers_n;
	struct reply *whole;
	struct reply *not_modified;
};

static void bytes_unref(void *cls)
{
	struct bytes *b = cls;

	if (atomic_fetch_sub(&b->refs, 1) != 1)
		return;
	if (b->release)
		b->release(b->cls);
	free(b);
}

static struct bytes *bytes_ref(struct bytes *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

static struct bytes *bytes_new(const struct entity_options *o)
{
	struct bytes *b = calloc(1, sizeof(*b));

	if (!b) {
		if (o->release)
			o->release(o->cls);
		return NULL;
	}
	atomic_init(&b->refs, 1);
	b->data = o->bytes ? o->bytes : "";
	b->n = o->size;
	b->release = o->release;
	b->cls = o->cls;
	return b;
}

/* True when the copy could be made, or nothing was there to copy. */
static bool copy_text(const char *s, char **ret)
{
	*ret = s ? strdup(s) : NULL;
	return !s || *ret;
}

static bool copy_headers(struct entity *e, const struct entity_options *o)
{
	e->headers = calloc(o->headers_n ? o->headers_n : 1, sizeof(*e->headers));
	if (!e->headers)
		return false;
	for (; e->headers_n < o->headers_n; e->headers_n++) {
		const struct entity_header *from = &o->headers[e->headers_n];
		struct header *to = &e->headers[e->headers_n];

		if (!copy_text(from->name, &to->name))
			return false;
		if (!copy_text(from->value, &to->value)) {
			free(to->name);
			return false;
		}
	}
	return true;
}

/* What 200, 206 and 304 have in common (RFC 9110 15.4.5 names most of it). */
static void add_validators(const struct entity *e, struct reply *r)
{
	if (e->etag)
		reply_header(r, "ETag", e->etag);
	if (e->cache_control)
		reply_header(r, "Cache-Control", e->cache_control);
	for (size_t i = 0; i < e->headers_n; i++)
		reply_header(r, e->headers[i].name, e->headers[i].value);
}

static struct reply *reply_of(const struct entity *e, int status, uint64_t start, uint64_t n)
{
	bool has_body = status != 304;
	char date[CLOCK_TEXT];
	struct reply *r = reply_borrowed(status, has_body ? e->content_type : NULL,
		e->bytes->data + start, (size_t)n, bytes_unref, bytes_ref(e->bytes));

	add_validators(e, r);
	if (e->modified_ms && (has_body || !e->etag))
		reply_header(r, "Last-Modified", clock_http_date(e->modified_ms, date));
	if (has_body)
		reply_header(r, "Accept-Ranges", "bytes");
	return r;
}

static bool sendable(struct reply *r)
{
	return r && reply_mhd(r, false);
}

struct entity *entity_new(const struct entity_options *o)
{
	struct bytes *bytes = bytes_new(o);
	struct entity *e;

	if (!bytes)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (!e) {
		bytes_unref(bytes);
		return NULL;
	}
	atomic_init(&e->refs, 1);
	e->bytes = bytes;
	e->modified_ms = o->modified_ms;
	if (o->size <= SIZE_MAX && copy_text(o->etag, &e->etag) &&
		copy_text(o->content_type, &e->content_type) &&
		copy_text(o->cache_control, &e->cache_control) && copy_headers(e, o)) {
		e->whole = reply_of(e, 200, 0, o->size);
		/* The 304 is built over the bytes as well, which are not sent with it: its
		 * Content-Length has to be that of the 200 (RFC 9110 8.6). */
		e->not_modified = reply_of(e, 304, 0, o->size);
	}
	if (!sendable(e->whole) || !sendable(e->not_modified)) {
		entity_unref(e);
		return NULL;
	}
	return e;
}

struct entity *entity_ref(struct entity *e)
{
	atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
	return e;
}

void entity_unref(struct entity *e)
{
	if (!e || atomic_fetch_sub(&e->refs, 1) != 1)
		return;
	reply_unref(e->whole);
	reply_unref(e->not_modified);
	for (size_t i = 0; i < e->headers_n; i++) {
		free(e->headers[i].name);
		free(e->headers[i].value);
	}
	free(e->headers);
	free(e->etag);
	free(e->content_type);
	free(e->cache_control);
	bytes_unref(e->bytes);
	free(e);
}

uint64_t entity_size(const struct entity *e)
{
	return e->bytes->n;
}

/* Without a body, since only a whole representation may be taken for one. */
static struct reply *refusal(const struct entity *e, enum err_code code)
{
	struct err err;

	err_set(&err, code, "%s", err_title(code));
	struct reply *r = problem_reply_empty(&err);
	if (code == ERR_RANGE_NOT_SATISFIABLE)
		reply_headerf(r, "Content-Range", "bytes */%llu", (unsigned long long)e->bytes->n);
	return r;
}

static struct reply *part(const struct entity *e, uint64_t start, uint64_t n)
{
	struct reply *r = reply_of(e, 206, start, n);

	reply_headerf(r, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)start,
		(unsigned long long)(start + n - 1), (unsigned long long)e->bytes->n);
	return r;
}

struct reply *entity_reply(struct entity *e, const struct cond_request *cond, const char *range)
{
	const struct cond_current now = {.etag = e->etag, .modified_ms = e->modified_ms};
	enum cond_answer answer = cond_judge(cond, &now);
	enum range_answer asked = RANGE_WHOLE;
	uint64_t start = 0, n = 0;

	if (answer == COND_NOT_MODIFIED)
		return reply_ref(e->not_modified);
	if (answer == COND_FAILED)
		return refusal(e, ERR_PRECONDITION_FAILED);
	if (range && cond_range_applies(cond, &now))
		asked = range_parse(range, e->bytes->n, &start, &n);
	if (asked == RANGE_UNSATISFIABLE)
		return refusal(e, ERR_RANGE_NOT_SATISFIABLE);
	return asked == RANGE_PART ? part(e, start, n) : reply_ref(e->whole);
}
