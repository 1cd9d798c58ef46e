/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/reply.h"
#include "common/base/clock.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define HEADER_VALUE_MAX 8192
#define COPIED_MAX       (16u * 1024u) /* at a time: a TLS record (RFC 8446 5.1) */

/* Holds whenever no call is running: `holds` is one for all references together while there are
 * any, and one for each of the two responses that exists. Transfers keep responses alive behind our
 * back, so the bytes go when `holds` does, not when `refs` does. */
struct reply {
	atomic_uint refs;
	atomic_uint holds;
	int status;
	bool failed; /* a header found no memory: nothing may be sent */
	bool is_borrowed; /* `bytes` may lie in a mapped file */
	const void *bytes;
	uint64_t n;
	bool is_unsized;     /* `n` is what has been read so far; the loop's thread */
	size_t piece;        /* of what is streamed; 0: `bytes` are sent */
	reply_read_fn *read; /* of what is streamed */
	void (*release)(void *cls);
	void *cls;
	struct MHD_Response *open;
	_Atomic(struct MHD_Response *) closing; /* made on demand */
};

static const struct {
	const char *name;
	const char *value;
} common[] = {
	{"Access-Control-Allow-Origin", "*"},
	{"Access-Control-Expose-Headers",
		"Accept-Ranges, Content-Encoding, Content-Length, Content-Location, "
		"Content-Range, ETag, Link, Location, Repr-Digest, Retry-After, "
		"Upload-Complete, Upload-Offset, WWW-Authenticate, X-Error-Code, X-Request-Id"},
	{"Cross-Origin-Resource-Policy", "cross-origin"},
	{"Timing-Allow-Origin", "*"},
	{"X-Content-Type-Options", "nosniff"},
};

static void drop_hold(struct reply *r)
{
	if (atomic_fetch_sub(&r->holds, 1) != 1)
		return;
	if (r->release)
		r->release(r->cls);
	free(r);
}

static void response_freed(void *reply)
{
	drop_hold(reply);
}

static ssize_t read_piece(void *reply, uint64_t at, char *to, size_t max)
{
	struct reply *r = reply;
	ssize_t n = r->read ? r->read(r->cls, at, to, max) : -1;

	if (n == REPLY_END)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n < 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (r->is_unsized)
		r->n = at + (uint64_t)n;
	return n;
}

/* To HEAD 0.9.75 sends the chunk that ends a body (connection.c: MHD_queue_response() pretends that
 * all of it is sent, and MHD_CONNECTION_BODY_SENT adds the footer), which a client takes for the
 * next answer. Without chunks, and with the connection closed, there is none. */
static bool avoid_chunks(const struct reply *r, struct MHD_Response *made)
{
	return !r->is_unsized || r->read ||
		MHD_set_response_options(made, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END) ==
			MHD_YES;
}

static struct MHD_Response *new_response(struct reply *r)
{
	/* The library takes a pointer to non-const bytes and only reads them. */
	void *bytes = (void *)(uintptr_t)r->bytes;
	uint64_t size = r->is_unsized ? MHD_SIZE_UNKNOWN : r->n;
	struct MHD_Response *made = r->piece
		? MHD_create_response_from_callback(size, r->piece, read_piece, r, response_freed)
		: MHD_create_response_from_buffer_with_free_callback_cls((size_t)r->n, bytes,
			  response_freed, r);

	if (made)
		atomic_fetch_add(&r->holds, 1);
	if (made && !avoid_chunks(r, made)) {
		MHD_destroy_response(made);
		return NULL;
	}
	return made;
}

static void add_common_headers(struct reply *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(common); i++)
		reply_header(r, common[i].name, common[i].value);
	if (r->status >= 400)
		reply_header(r, "Connection", "close");
}

/* `like` has what a reply is made of. */
static struct reply *reply_new(const struct reply *like, const char *content_type)
{
	struct reply *r = malloc(sizeof(*r));

	if (!r) {
		if (like->release)
			like->release(like->cls);
		return NULL;
	}
	*r = *like;
	atomic_init(&r->refs, 1);
	atomic_init(&r->holds, 1);
	r->open = new_response(r);
	if (!r->open) {
		reply_unref(r);
		return NULL;
	}
	add_common_headers(r);
	if (content_type)
		reply_header(r, "Content-Type", content_type);
	return r;
}

struct reply *reply_borrowed(int status, const char *content_type, const void *bytes, size_t n,
	void (*release)(void *cls), void *cls)
{
	const struct reply like = {.status = status, .bytes = bytes, .n = n, .is_borrowed = true,
		.release = release, .cls = cls};

	return reply_new(&like, content_type);
}

static struct reply *reply_owned(int status, const char *content_type, const void *bytes, size_t n,
	void (*release)(void *cls), void *cls)
{
	const struct reply like = {
		.status = status, .bytes = bytes, .n = n, .release = release, .cls = cls};

	return reply_new(&like, content_type);
}

struct reply *reply_streamed(int status, const char *content_type, uint64_t size, size_t piece,
	reply_read_fn *read, void (*release)(void *cls), void *cls)
{
	const struct reply like = {.status = status, .n = size, .piece = piece, .read = read,
		.release = release, .cls = cls};

	return reply_new(&like, content_type);
}

struct reply *reply_unsized(int status, const char *content_type, size_t piece,
	reply_read_fn *read, void (*release)(void *cls), void *cls)
{
	const struct reply like = {.status = status, .is_unsized = true, .piece = piece,
		.read = read, .release = release, .cls = cls};

	return reply_new(&like, content_type);
}

struct reply *reply_empty(int status)
{
	return reply_owned(status, NULL, "", 0, NULL, NULL);
}

struct reply *reply_bytes(int status, const char *content_type, const void *bytes, size_t n)
{
	void *copy = malloc(n ? n : 1);

	if (!copy)
		return NULL;
	if (n)
		memcpy(copy, bytes, n);
	return reply_owned(status, content_type, copy, n, free, copy);
}

struct reply *reply_buf(int status, const char *content_type, struct buf *body)
{
	bool failed = buf_failed(body);
	size_t n = 0;
	char *bytes = buf_take(body, &n);

	if (failed) {
		free(bytes);
		return NULL;
	}
	return bytes ? reply_owned(status, content_type, bytes, n, free, bytes)
		     : reply_owned(status, content_type, "", 0, NULL, NULL);
}

void reply_header(struct reply *r, const char *name, const char *value)
{
	/* The library refuses empty values; a field without one says nothing. */
	if (!r || *value == '\0')
		return;
	if (MHD_add_response_header(r->open, name, value) != MHD_YES)
		r->failed = true;
}

void reply_headerf(struct reply *r, const char *name, const char *fmt, ...)
{
	char value[HEADER_VALUE_MAX];
	va_list ap;

	if (!r)
		return;
	va_start(ap, fmt);
	int n = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(value))
		r->failed = true;
	else
		reply_header(r, name, value);
}

struct reply *reply_ref(struct reply *r)
{
	atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}

void reply_unref(struct reply *r)
{
	struct MHD_Response *closing;

	if (!r || atomic_fetch_sub(&r->refs, 1) != 1)
		return;
	closing = atomic_load(&r->closing);
	if (closing)
		MHD_destroy_response(closing);
	if (r->open)
		MHD_destroy_response(r->open);
	drop_hold(r);
}

static enum MHD_Result copy_header(void *cls, enum MHD_ValueKind kind, const char *name,
	const char *value)
{
	(void)kind;
	return MHD_add_response_header(cls, name, value);
}

static bool copy_headers(struct MHD_Response *from, struct MHD_Response *to)
{
	int had = MHD_get_response_headers(from, NULL, NULL);

	return MHD_get_response_headers(from, copy_header, to) == had &&
		MHD_get_response_headers(to, NULL, NULL) == had;
}

bool reply_is_shared(struct reply *r)
{
	return atomic_load(&r->refs) > 1;
}

static void unref(void *reply)
{
	reply_unref(reply);
}

/* Over the bytes of the other one, which it keeps. */
static struct reply *reply_copy(struct reply *from)
{
	const struct reply like = {.status = from->status, .bytes = from->bytes, .n = from->n,
		.failed = from->failed, .is_borrowed = from->is_borrowed, .release = unref,
		.cls = from};
	struct reply *r = malloc(sizeof(*r));

	if (!r) {
		reply_unref(from);
		return NULL;
	}
	*r = like;
	atomic_init(&r->refs, 1);
	atomic_init(&r->holds, 1);
	r->open = new_response(r);
	if (!r->open || !copy_headers(from->open, r->open)) {
		reply_unref(r);
		return NULL;
	}
	return r;
}

struct reply *reply_with(struct reply *r, const char *name, const char *value)
{
	if (reply_is_shared(r) && r->piece)
		return r;
	if (reply_is_shared(r))
		r = reply_copy(r);
	reply_header(r, name, value);
	return r;
}

int reply_status(const struct reply *r)
{
	return r->status;
}

uint64_t reply_length(const struct reply *r)
{
	return r->n;
}

static enum MHD_Result print_header(void *cls, enum MHD_ValueKind kind, const char *name,
	const char *value)
{
	(void)kind;
	buf_addf(cls, "%s: %s\r\n", name, value);
	return MHD_YES;
}

void reply_print(const struct reply *r, struct buf *out)
{
	char date[CLOCK_TEXT];

	buf_addf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", r->status,
		MHD_get_reason_phrase_for((unsigned)r->status),
		clock_http_date(clock_now_ms(), date));
	(void)MHD_get_response_headers(r->open, print_header, out);
	if (r->status < 400) /* others have it */
		buf_add_str(out, "Connection: close\r\n");
	buf_addf(out, "Content-Length: %" PRIu64 "\r\n\r\n", r->n);
	buf_add(out, r->bytes, (size_t)r->n);
}

static struct MHD_Response *new_closing(struct reply *r)
{
	struct MHD_Response *made = new_response(r);

	if (!made)
		return NULL;
	if (copy_headers(r->open, made) &&
		MHD_add_response_header(made, "Connection", "close") == MHD_YES)
		return made;
	MHD_destroy_response(made);
	return NULL;
}

struct MHD_Response *reply_mhd(struct reply *r, bool close)
{
	struct MHD_Response *have = NULL, *made;

	if (r->failed)
		return NULL;
	if (!close || r->status >= 400)
		return r->open;
	have = atomic_load(&r->closing);
	if (have)
		return have;
	made = new_closing(r);
	if (made && !atomic_compare_exchange_strong(&r->closing, &have, made)) {
		MHD_destroy_response(made);
		return have;
	}
	return made;
}

/* ---- over TLS ---- */

struct copying {
	struct reply *from;
	int fd;
};

static ssize_t read_copied(void *cls, uint64_t at, char *to, size_t max)
{
	const struct copying *c = cls;
	uint64_t left = c->from->n - at;
	size_t n = left < max ? (size_t)left : max;

	if (n > COPIED_MAX)
		n = COPIED_MAX;
	ssize_t copied = pwrite(c->fd, (const char *)c->from->bytes + at, n, 0);
	if (copied > 0)
		copied = pread(c->fd, to, (size_t)copied, 0);
	return copied > 0 ? copied : -1;
}

static void copying_free(void *cls)
{
	struct copying *c = cls;

	reply_unref(c->from);
	free(c);
}

bool reply_is_borrowed(const struct reply *r)
{
	return r->is_borrowed && r->n > 0;
}

struct reply *reply_copying(struct reply *r, int fd)
{
	struct copying *c = calloc(1, sizeof(*c));
	struct reply *made = malloc(sizeof(*made));

	if (!c || !made) {
		free(c);
		free(made);
		return NULL;
	}
	*c = (struct copying){reply_ref(r), fd};
	*made = (struct reply){.status = r->status, .failed = r->failed, .n = r->n,
		.piece = COPIED_MAX, .read = read_copied, .release = copying_free, .cls = c};
	atomic_init(&made->refs, 1);
	atomic_init(&made->holds, 1);
	made->open = new_response(made);
	if (made->open && copy_headers(r->open, made->open))
		return made;
	reply_unref(made);
	return NULL;
}
