/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds bodies to the multipart parser in all sorts of pieces and writes down what it says. */
#pragma once

#include "common/base/buf.h"
#include "common/base/num.h"
#include "server/http/multipart.h"
#include "tests/unit/unit.h"

#define TYPE   "multipart/form-data; boundary=BOUNDARY"
#define DISPO  "Content-Disposition: form-data; name=\"n\"\r\n"
#define FIRST  "--BOUNDARY\r\n"
#define NEXT   "\r\n--BOUNDARY\r\n"
#define LAST   "\r\n--BOUNDARY--\r\n"

/* What happened, as "<name|filename|type>payload</>" for each part. */
struct multipart_record {
	struct buf log;
	size_t begins, datas, ends;
	const char *fail_in; /* "begin", "data" or "end" */
	const char *last_data;
};

extern const struct multipart_handler multipart_recorder;

/* Bytes that memmem() had to look at so far: the parser's work, whatever the machine's speed. */
extern uint64_t multipart_feed_work;

/* A parser that writes to `rec`, which is made new. */
struct multipart *multipart_feed_new(const char *type, struct multipart_record *rec);

/* Sizes of the pieces to come. */
typedef size_t multipart_feed_size(void *cls);
size_t multipart_feed_same(void *size_t_cls);
size_t multipart_feed_first_then_rest(void *size_t_cls);
size_t multipart_feed_random(void *uint64_t_cls); /* 1 to 13; the state must not be 0 */

/* Feeds the body in such pieces and finishes. */
int multipart_feed_pieces(struct multipart *m, struct str body, multipart_feed_size *next,
	void *cls, struct err *e);
int multipart_feed_whole(const char *type, struct str body, struct err *e);

/* The record of the body has to be `want`: in such pieces; in one-byte, random, any two pieces. */
void multipart_feed_expect(const char *type, struct str body, struct str want,
	multipart_feed_size *next, void *cls);
void multipart_feed_expect_always(const char *type, struct str body, struct str want);
