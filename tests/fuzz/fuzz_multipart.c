/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a byte that chooses the pieces, a Content-Type value and LF, a body. The parser says the
 * same whether the body comes whole or in pieces. */
#include "tests/fuzz/fuzz.h"

#include "common/base/buf.h"
#include "common/base/num.h"
#include "server/http/multipart.h"

#define RECORD_MAX (16 * MIB)

static int on_begin(void *cls, const struct multipart_part *part, struct err *e)
{
	struct buf *record = cls;

	(void)e;
	buf_add_char(record, '<');
	buf_add(record, part->name.p, part->name.n);
	buf_add_char(record, '|');
	buf_add(record, part->filename.p, part->filename.n);
	buf_add_char(record, '|');
	buf_add(record, part->content_type.p, part->content_type.n);
	buf_add_char(record, '>');
	return 0;
}

static int on_data(void *cls, const char *bytes, size_t n, struct err *e)
{
	(void)e;
	if (n == 0)
		abort();
	buf_add(cls, bytes, n);
	return 0;
}

static int on_end(void *cls, struct err *e)
{
	(void)e;
	buf_add_str(cls, "</>");
	return 0;
}

static const struct multipart_handler handler = {on_begin, on_data, on_end};

static int parse(struct str type, struct str body, size_t piece, struct buf *record, struct err *e)
{
	CLEANUP(multipart_free_p) struct multipart *m = NULL;
	int r = multipart_new(type, &handler, record, &m, e);

	while (r == 0 && body.n > 0) {
		size_t n = piece < body.n ? piece : body.n;
		r = multipart_feed(m, body.p, n, e);
		body.p += n;
		body.n -= n;
	}
	return r < 0 ? r : multipart_finish(m, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_BUF struct buf whole = BUF_INIT(RECORD_MAX), pieces = BUF_INIT(RECORD_MAX);
	struct str body = {(const char *)data, size}, choice, type;
	struct err e1 = {0}, e2 = {0};

	if (size == 0)
		return 0;
	choice = (struct str){body.p++, 1};
	body.n--;
	if (!str_split(&body, '\n', &type) || !body.p)
		return 0;
	int r1 = parse(type, body, SIZE_MAX, &whole, &e1);
	int r2 = parse(type, body, (uint8_t)choice.p[0] % 37 + 1, &pieces, &e2);
	if (r1 != r2 || strcmp(e1.text, e2.text) != 0 || whole.len != pieces.len ||
		memcmp(buf_str(&whole), buf_str(&pieces), whole.len) != 0)
		abort();
	return 0;
}
