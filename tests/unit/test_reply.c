/* SPDX-License-Identifier: Apache-2.0 */
/* Answers and representations as objects: who holds the bytes, and for how long. */
#include "common/base/str.h"
#include "server/http/cond.h"
#include "server/http/entity.h"
#include "server/http/problem.h"
#include "server/http/reply.h"
#include "tests/unit/unit.h"

#include <microhttpd.h>

static unsigned releases;

static void release(void *cls)
{
	ck_assert_ptr_eq(cls, &releases);
	releases++;
}

static struct reply *borrow(int status)
{
	releases = 0;
	return reply_borrowed(status, "text/plain", "bytes", 5, release, &releases);
}

static const char *header(struct reply *r, bool close, const char *name)
{
	return MHD_get_response_header(reply_mhd(r, close), name);
}

START_TEST(bytes_are_released_once_with_the_last_reference)
{
	struct reply *r = borrow(200);

	ck_assert_ptr_eq(reply_ref(r), r);
	reply_unref(r);
	ck_assert_uint_eq(releases, 0);
	reply_unref(r);
	ck_assert_uint_eq(releases, 1);
	reply_unref(NULL);
}
END_TEST

START_TEST(the_closing_variant_is_made_once_over_the_same_bytes)
{
	struct reply *r = borrow(200);

	reply_header(r, "X-Test", "1");
	reply_headerf(r, "X-Test", "%d", 2);
	struct MHD_Response *closing = reply_mhd(r, true);
	ck_assert_ptr_ne(closing, reply_mhd(r, false));
	ck_assert_ptr_eq(closing, reply_mhd(r, true));
	ck_assert_str_eq(header(r, true, "Connection"), "close");
	ck_assert_ptr_null(header(r, false, "Connection"));
	ck_assert_str_eq(header(r, true, "X-Test"), "1");
	ck_assert_int_eq(MHD_get_response_headers(closing, NULL, NULL),
		MHD_get_response_headers(reply_mhd(r, false), NULL, NULL) + 1);
	reply_unref(r);
	ck_assert_uint_eq(releases, 1);
}
END_TEST

START_TEST(errors_close_in_the_first_place)
{
	struct reply *r = borrow(404);

	ck_assert_ptr_eq(reply_mhd(r, true), reply_mhd(r, false));
	ck_assert_str_eq(header(r, false, "Connection"), "close");
	reply_unref(r);
}
END_TEST

START_TEST(buffers_are_taken_over)
{
	struct buf b = BUF_INIT(8);

	buf_add_str(&b, "12345");
	struct reply *r = reply_buf(201, "text/plain", &b);
	ck_assert_int_eq(reply_status(r), 201);
	ck_assert_uint_eq(reply_length(r), 5);
	ck_assert_uint_eq(b.len, 0);
	reply_unref(r);
	buf_add_str(&b, "123456789");
	ck_assert_ptr_null(reply_buf(200, "text/plain", &b));
	r = reply_buf(200, "text/plain", &b);
	ck_assert_uint_eq(reply_length(r), 0);
	reply_unref(r);
}
END_TEST

static ssize_t read_nothing(void *cls, uint64_t at, char *to, size_t max)
{
	ck_abort_msg("nobody asked: %p %llu %p %zu", cls, (unsigned long long)at, (void *)to, max);
	return -1;
}

START_TEST(a_streamed_body_is_released_once)
{
	releases = 0;
	struct reply *r = reply_streamed(200, "text/plain", UINT64_C(1) << 40, 4096, read_nothing,
		release, &releases);

	ck_assert_uint_eq(reply_length(r), UINT64_C(1) << 40);
	ck_assert_str_eq(header(r, false, "Content-Type"), "text/plain");
	ck_assert_str_eq(header(r, true, "Connection"), "close");
	ck_assert_uint_eq(releases, 0);
	reply_unref(r);
	ck_assert_uint_eq(releases, 1);
}
END_TEST

START_TEST(headers_that_cannot_be_sent_spoil_the_reply)
{
	struct reply *r = reply_empty(200);

	reply_header(r, "X-Empty", "");
	ck_assert_ptr_nonnull(reply_mhd(r, false));
	reply_header(r, "X-Split", "a\r\nX-Forged: b");
	ck_assert_ptr_null(reply_mhd(r, false));
	ck_assert_ptr_null(reply_mhd(r, true));
	reply_unref(r);
	reply_header(NULL, "X", "no reply");
	reply_headerf(NULL, "X", "%s", "no reply");
}
END_TEST

static struct entity *make_entity(void)
{
	releases = 0;
	return entity_new(&(struct entity_options){
		.forms[CODING_IDENTITY] = {
			.bytes = "0123456789", .size = 10, .release = release, .cls = &releases,
			.etag = "\"e\"", .repr_digest = "d",
		},
		.forms[CODING_BR] = {
			.bytes = "br", .size = 2, .release = release, .cls = &releases,
			.etag = "\"eb\"",
		},
		.content_type = "text/plain",
		.cache_control = "no-cache",
	});
}

static const struct cond_request plain = {.is_get_or_head = true};
static const struct cond_request known = {.is_get_or_head = true, .if_none_match = "\"e\""};

static struct reply *ask(struct entity *e, const struct cond_request *cond, const char *range)
{
	return entity_reply(e, &(struct entity_request){.cond = cond, .range = range});
}

START_TEST(answers_keep_the_bytes_of_a_representation_that_has_gone)
{
	struct entity *e = make_entity();
	struct reply *whole = ask(e, &plain, NULL);
	struct reply *part = ask(e, &plain, "bytes=3-");

	entity_unref(e);
	ck_assert_uint_eq(reply_length(whole), 10);
	ck_assert_uint_eq(reply_length(part), 7);
	ck_assert_str_eq(header(part, false, "Content-Range"), "bytes 3-9/10");
	reply_unref(whole);
	ck_assert_uint_eq(releases, 1); /* of the coded form, which nobody asked for */
	reply_unref(part);
	ck_assert_uint_eq(releases, 2);
	entity_unref(NULL);
}
END_TEST

START_TEST(whole_and_not_modified_are_built_once)
{
	struct entity *e = make_entity();
	struct reply *a = ask(e, &plain, NULL), *b = ask(e, &plain, NULL);
	struct reply *c = ask(e, &known, NULL), *d = ask(e, &known, NULL);

	ck_assert_ptr_eq(a, b);
	ck_assert_ptr_eq(c, d);
	ck_assert_int_eq(reply_status(a), 200);
	ck_assert_int_eq(reply_status(c), 304);
	ck_assert_str_eq(header(c, false, "Repr-Digest"), "d");
	ck_assert_ptr_null(header(c, false, "Content-Type"));
	reply_unref(a);
	reply_unref(b);
	reply_unref(c);
	reply_unref(d);
	entity_unref(e);
	ck_assert_uint_eq(releases, 2);
}
END_TEST

START_TEST(a_coded_form_is_a_representation_of_its_own)
{
	static const struct cond_request coded = {
		.is_get_or_head = true, .if_none_match = "\"eb\""};
	struct entity *e = make_entity();
	struct entity_request r = {.cond = &plain, .accept_encoding = "br", .range = "bytes=3-"};
	struct reply *whole = entity_reply(e, &r), *same, *other, *none;

	ck_assert_int_eq(reply_status(whole), 200);
	ck_assert_uint_eq(reply_length(whole), 2);
	ck_assert_str_eq(header(whole, false, "Content-Encoding"), "br");
	ck_assert_str_eq(header(whole, false, "Vary"), "Accept-Encoding");
	ck_assert_ptr_null(header(whole, false, "Accept-Ranges"));
	ck_assert_ptr_null(header(whole, false, "Repr-Digest"));
	r.cond = &coded;
	same = entity_reply(e, &r);
	ck_assert_int_eq(reply_status(same), 304);
	ck_assert_str_eq(header(same, false, "ETag"), "\"eb\"");
	r.cond = &known;
	other = entity_reply(e, &r);
	ck_assert_int_eq(reply_status(other), 200);
	r.accept_encoding = "gzip, *;q=0";
	none = entity_reply(e, &r);
	ck_assert_int_eq(reply_status(none), 406);
	ck_assert_uint_eq(reply_length(none), 0);
	reply_unref(whole);
	reply_unref(same);
	reply_unref(other);
	reply_unref(none);
	entity_unref(e);
	ck_assert_uint_eq(releases, 2);
}
END_TEST

START_TEST(an_empty_representation_is_one)
{
	struct entity *e = entity_new(&(struct entity_options){.content_type = "text/plain"});
	struct reply *whole = ask(e, &plain, NULL);
	struct reply *none = ask(e, &plain, "bytes=0-");

	ck_assert_int_eq(reply_status(whole), 200);
	ck_assert_uint_eq(reply_length(whole), 0);
	ck_assert_int_eq(reply_status(none), 416);
	ck_assert_str_eq(header(none, false, "Content-Range"), "bytes */0");
	reply_unref(whole);
	reply_unref(none);
	entity_unref(e);
}
END_TEST

/* Every code has a slug, a title and headers that can be sent. */
START_TEST(every_error_has_a_document)
{
	struct err e;

	for (enum err_code code = ERR_NONE + 1; code <= ERR_STORAGE_FULL; code++) {
		err_set(&e, code, "a \"quoted\" sentence");
		struct reply *r = problem_reply(&e, "id", NULL, 0),
			     *quiet = problem_reply_empty(&e);
		ck_assert_int_eq(reply_status(r), err_status(code));
		ck_assert_str_eq(header(r, false, "X-Error-Code"), err_name(code));
		ck_assert_str_eq(header(quiet, false, "X-Error-Code"), err_name(code));
		ck_assert_str_eq(header(r, false, "Content-Type"), "application/problem+json");
		ck_assert(!header(r, false, "Retry-After") == (err_status(code) != 503));
		ck_assert(!header(r, false, "WWW-Authenticate") ==
			(err_status(code) != 401 && code != ERR_NOT_ALLOWED));
		ck_assert_uint_gt(reply_length(r), 0);
		ck_assert_uint_eq(reply_length(quiet), 0);
		reply_unref(r);
		reply_unref(quiet);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("reply");
	TCase *t = tcase_create("reply");

	tcase_add_test(t, bytes_are_released_once_with_the_last_reference);
	tcase_add_test(t, the_closing_variant_is_made_once_over_the_same_bytes);
	tcase_add_test(t, errors_close_in_the_first_place);
	tcase_add_test(t, buffers_are_taken_over);
	tcase_add_test(t, a_streamed_body_is_released_once);
	tcase_add_test(t, headers_that_cannot_be_sent_spoil_the_reply);
	tcase_add_test(t, answers_keep_the_bytes_of_a_representation_that_has_gone);
	tcase_add_test(t, whole_and_not_modified_are_built_once);
	tcase_add_test(t, a_coded_form_is_a_representation_of_its_own);
	tcase_add_test(t, an_empty_representation_is_one);
	tcase_add_test(t, every_error_has_a_document);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
