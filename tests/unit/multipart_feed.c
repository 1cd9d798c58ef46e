/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/multipart_feed.h"

uint64_t multipart_feed_work;

void *memmem(const void *haystack, size_t n, const void *needle, size_t needle_n)
{
	const char *p = haystack;

	for (size_t i = 0; i + needle_n <= n; i++) {
		if (p[i] == *(const char *)needle && memcmp(p + i, needle, needle_n) == 0) {
			multipart_feed_work += i + needle_n;
			return (char *)(uintptr_t)(p + i);
		}
	}
	multipart_feed_work += n;
	return NULL;
}

static int note(struct multipart_record *rec, const char *what, size_t *count, struct err *e)
{
	++*count;
	if (rec->fail_in && strcmp(rec->fail_in, what) == 0)
		return err_set(e, ERR_STORAGE_FULL, "full in %s", what);
	return 0;
}

static int on_begin(void *cls, const struct multipart_part *part, struct err *e)
{
	struct multipart_record *rec = cls;

	buf_addf(&rec->log, "<" STR_FMT "|" STR_FMT "|" STR_FMT ">", STR_ARG(part->name),
		STR_ARG(part->filename), STR_ARG(part->content_type));
	return note(rec, "begin", &rec->begins, e);
}

static int on_data(void *cls, const char *bytes, size_t n, struct err *e)
{
	struct multipart_record *rec = cls;

	ck_assert_uint_gt(n, 0);
	buf_add(&rec->log, bytes, n);
	rec->last_data = bytes;
	return note(rec, "data", &rec->datas, e);
}

static int on_end(void *cls, struct err *e)
{
	struct multipart_record *rec = cls;

	buf_add_str(&rec->log, "</>");
	return note(rec, "end", &rec->ends, e);
}

const struct multipart_handler multipart_recorder = {on_begin, on_data, on_end};

struct multipart *multipart_feed_new(const char *type, struct multipart_record *rec)
{
	struct multipart *m;
	struct err e;

	*rec = (struct multipart_record){.log = BUF_INIT(64 * MIB)};
	ck_ok(multipart_new(str_of(type), &multipart_recorder, rec, &m, &e));
	return m;
}

int multipart_feed_pieces(struct multipart *m, struct str body, multipart_feed_size *next,
	void *cls, struct err *e)
{
	while (body.n > 0) {
		size_t n = next(cls);
		n = n < body.n ? n : body.n;
		char *piece = malloc(n); /* of its own, so that a sanitizer sees a read beyond it */
		ck_assert_ptr_nonnull(piece);
		memcpy(piece, body.p, n);
		int r = multipart_feed(m, piece, n, e);
		free(piece);
		if (r < 0)
			return r;
		body.p += n;
		body.n -= n;
	}
	return multipart_finish(m, e);
}

size_t multipart_feed_same(void *cls)
{
	return *(size_t *)cls;
}

size_t multipart_feed_first_then_rest(void *cls)
{
	size_t n = *(size_t *)cls;

	*(size_t *)cls = SIZE_MAX;
	return n;
}

size_t multipart_feed_random(void *cls)
{
	uint64_t *x = cls;

	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return 1 + (size_t)(*x % 13);
}

void multipart_feed_expect(const char *type, struct str body, struct str want,
	multipart_feed_size *next, void *cls)
{
	struct multipart_record rec;
	struct multipart *m = multipart_feed_new(type, &rec);
	struct err e;

	ck_ok(multipart_feed_pieces(m, body, next, cls, &e));
	ck_assert_msg(str_eq((struct str){buf_str(&rec.log), rec.log.len}, want),
		"'%s', not '%s'", buf_str(&rec.log), want.p);
	ck_assert_uint_eq(rec.begins, rec.ends);
	multipart_free(m);
	buf_done(&rec.log);
}

void multipart_feed_expect_always(const char *type, struct str body, struct str want)
{
	size_t size = 1;

	multipart_feed_expect(type, body, want, multipart_feed_same, &size);
	for (size_t at = 1; at <= body.n; at++) {
		size = at;
		multipart_feed_expect(type, body, want, multipart_feed_first_then_rest, &size);
	}
	for (uint64_t seed = 1; seed <= 20; seed++) {
		uint64_t x = seed * UINT64_C(0x9E3779B97F4A7C15);
		multipart_feed_expect(type, body, want, multipart_feed_random, &x);
	}
}

int multipart_feed_whole(const char *type, struct str body, struct err *e)
{
	struct multipart_record rec;
	struct multipart *m = multipart_feed_new(type, &rec);
	size_t size = SIZE_MAX;
	int r = multipart_feed_pieces(m, body, multipart_feed_same, &size, e);

	multipart_free(m);
	buf_done(&rec.log);
	return r;
}
