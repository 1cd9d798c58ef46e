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

struct form {
	struct bytes *bytes; /* NULL: there is no such form */
	char *etag;
	char *repr_digest;
	struct reply *whole;
	struct reply *not_modified;
};

struct entity {
	atomic_uint refs;
	struct form forms[CODINGS_N];
	unsigned available; /* bits of codings */
	bool is_negotiated;
	uint64_t modified_ms;
	char *content_type;
	char *cache_control;
	struct header { char *name, *value; } *headers;
	size_t headers_n;
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

static void form_release(const struct entity_form *o)
{
	if (o->release)
		o->release(o->cls);
}

static struct bytes *bytes_new(const struct entity_form *o)
{
	struct bytes *b = calloc(1, sizeof(*b));

	if (!b) {
		form_release(o);
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
static void add_validators(const struct entity *e, enum coding coding, struct reply *r)
{
	const struct form *form = &e->forms[coding];

	if (form->etag)
		reply_header(r, "ETag", form->etag);
	if (e->cache_control)
		reply_header(r, "Cache-Control", e->cache_control);
	if (form->repr_digest)
		reply_header(r, "Repr-Digest", form->repr_digest);
	if (e->is_negotiated)
		reply_header(r, "Vary", "Accept-Encoding");
	for (size_t i = 0; i < e->headers_n; i++)
		reply_header(r, e->headers[i].name, e->headers[i].value);
}

static struct reply *reply_of(const struct entity *e, enum coding coding, int status,
	uint64_t start, uint64_t n)
{
	const struct form *form = &e->forms[coding];
	bool has_body = status != 304;
	char date[CLOCK_TEXT];
	struct reply *r = reply_borrowed(status, has_body ? e->content_type : NULL,
		form->bytes->data + start, (size_t)n, bytes_unref, bytes_ref(form->bytes));

	add_validators(e, coding, r);
	if (e->modified_ms && (has_body || !form->etag))
		reply_header(r, "Last-Modified", clock_http_date(e->modified_ms, date));
	if (has_body && coding != CODING_IDENTITY)
		reply_header(r, "Content-Encoding", coding_name(coding));
	else if (has_body)
		reply_header(r, "Accept-Ranges", "bytes");
	return r;
}

static bool sendable(struct reply *r)
{
	return r && reply_mhd(r, false);
}

static bool form_is_there(const struct entity_options *o, size_t coding)
{
	return coding == CODING_IDENTITY || o->forms[coding].etag;
}

/* The bytes of all forms, or of none. */
static bool take_bytes(struct entity *e, const struct entity_options *o)
{
	bool taken = true;

	for (size_t i = 0; i < CODINGS_N; i++) {
		if (!form_is_there(o, i))
			continue;
		e->forms[i].bytes = bytes_new(&o->forms[i]);
		taken = taken && e->forms[i].bytes && o->forms[i].size <= SIZE_MAX;
		e->available |= CODING_BIT(i);
	}
	return taken;
}

static bool make_form(struct entity *e, enum coding coding, const struct entity_form *o)
{
	struct form *form = &e->forms[coding];

	if (!copy_text(o->etag, &form->etag) || !copy_text(o->repr_digest, &form->repr_digest))
		return false;
	form->whole = reply_of(e, coding, 200, 0, o->size);
	/* The 304 is built over the bytes as well, which are not sent with it: its Content-Length
	 * has to be that of the 200 (RFC 9110 8.6). */
	form->not_modified = reply_of(e, coding, 304, 0, o->size);
	return sendable(form->whole) && sendable(form->not_modified);
}

static bool make(struct entity *e, const struct entity_options *o)
{
	bool made = take_bytes(e, o);

	e->modified_ms = o->modified_ms;
	e->is_negotiated = o->is_negotiated || e->available != CODING_BIT(CODING_IDENTITY);
	made = made && copy_text(o->content_type, &e->content_type) &&
		copy_text(o->cache_control, &e->cache_control) && copy_headers(e, o);
	for (size_t i = 0; made && i < CODINGS_N; i++)
		if (e->forms[i].bytes)
			made = make_form(e, (enum coding)i, &o->forms[i]);
	return made;
}

struct entity *entity_new(const struct entity_options *o)
{
	struct entity *e = calloc(1, sizeof(*e));

	if (!e) {
		for (size_t i = 0; i < CODINGS_N; i++)
			if (form_is_there(o, i))
				form_release(&o->forms[i]);
		return NULL;
	}
	atomic_init(&e->refs, 1);
	if (make(e, o))
		return e;
	entity_unref(e);
	return NULL;
}

struct entity *entity_ref(struct entity *e)
{
	atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
	return e;
}

static void form_done(struct form *form)
{
	reply_unref(form->whole);
	reply_unref(form->not_modified);
	free(form->etag);
	free(form->repr_digest);
	if (form->bytes)
		bytes_unref(form->bytes);
}

void entity_unref(struct entity *e)
{
	if (!e || atomic_fetch_sub(&e->refs, 1) != 1)
		return;
	for (size_t i = 0; i < CODINGS_N; i++)
		form_done(&e->forms[i]);
	for (size_t i = 0; i < e->headers_n; i++) {
		free(e->headers[i].name);
		free(e->headers[i].value);
	}
	free(e->headers);
	free(e->content_type);
	free(e->cache_control);
	free(e);
}

/* Without a body, since only a whole representation may be taken for one. */
static struct reply *refusal(const struct entity *e, enum err_code code)
{
	struct err err;

	err_set(&err, code, "%s", err_title(code));
	struct reply *r = problem_reply_empty(&err);
	if (code == ERR_RANGE_NOT_SATISFIABLE)
		reply_headerf(r, "Content-Range", "bytes */%llu",
			(unsigned long long)e->forms[CODING_IDENTITY].bytes->n);
	if (e->is_negotiated)
		reply_header(r, "Vary", "Accept-Encoding");
	return r;
}

static struct reply *part(const struct entity *e, uint64_t start, uint64_t n)
{
	struct reply *r = reply_of(e, CODING_IDENTITY, 206, start, n);

	reply_headerf(r, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)start,
		(unsigned long long)(start + n - 1),
		(unsigned long long)e->forms[CODING_IDENTITY].bytes->n);
	return r;
}

static struct reply *whole_or_part(struct entity *e, const struct entity_request *r,
	const struct cond_current *now)
{
	const struct form *identity = &e->forms[CODING_IDENTITY];
	enum range_answer asked = RANGE_WHOLE;
	uint64_t start = 0, n = 0;

	if (r->range && cond_range_applies(r->cond, now))
		asked = range_parse(r->range, identity->bytes->n, &start, &n);
	if (asked == RANGE_UNSATISFIABLE)
		return refusal(e, ERR_RANGE_NOT_SATISFIABLE);
	return asked == RANGE_PART ? part(e, start, n) : reply_ref(identity->whole);
}

struct reply *entity_reply(struct entity *e, const struct entity_request *r)
{
	enum coding coding = coding_choose(r->accept_encoding, e->available);

	if (coding == CODINGS_N)
		return refusal(e, ERR_NOT_ACCEPTABLE);
	const struct cond_current now = {
		.etag = e->forms[coding].etag,
		.modified_ms = e->modified_ms,
	};
	switch (cond_judge(r->cond, &now)) {
	case COND_NOT_MODIFIED:
		return reply_ref(e->forms[coding].not_modified);
	case COND_FAILED:
		return refusal(e, ERR_PRECONDITION_FAILED);
	case COND_PROCEED:
		break;
	}
	return coding == CODING_IDENTITY ? whole_or_part(e, r, &now)
					 : reply_ref(e->forms[coding].whole);
}
