/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a byte that chooses the pieces, then a gzip stream. It says the same whether it comes
 * whole or in pieces, and is taken in large or in small ones. */
#include "tests/fuzz/fuzz.h"

#include "common/base/buf.h"
#include "common/base/num.h"
#include "common/ingest/inflate.h"

#define ROOM_MAX  (16 * KIB)
#define KEPT_MAX  MIB
#define TAKEN_MAX (4 * MIB)

struct outcome {
	struct buf kept; /* the first KEPT_MAX bytes */
	uint64_t bytes;
	int answer;
};

static int take(struct inflate *z, struct str in, size_t room, struct outcome *o, struct err *e)
{
	char to[ROOM_MAX];
	size_t n;
	int r;

	do {
		r = inflate_step(z, &in, to, room, &n, e);
		if (n > room || (r == 0 && n < room && in.n > 0))
			abort();
		o->bytes += n;
		if (!buf_failed(&o->kept))
			buf_add(&o->kept, to, n);
	} while (r == 0 && n == room && o->bytes < TAKEN_MAX);
	return r;
}

static void unpack(struct str in, size_t piece, size_t room, struct outcome *o)
{
	CLEANUP(inflate_free_p) struct inflate *z = NULL;
	struct err e;
	int r = inflate_new("the body", 100, &z, &e);

	while (r == 0 && in.n > 0 && o->bytes < TAKEN_MAX) {
		size_t n = piece < in.n ? piece : in.n;
		r = take(z, (struct str){in.p, n}, room, o, &e);
		in.p += n;
		in.n -= n;
	}
	o->answer = r < 0 ? r : inflate_finish(z, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole = {.kept = BUF_INIT(KEPT_MAX)}, pieces = {.kept = BUF_INIT(KEPT_MAX)};
	struct str in = {(const char *)data + 1, size - 1};

	if (size == 0)
		return 0;
	unpack(in, SIZE_MAX, ROOM_MAX, &whole);
	unpack(in, data[0] % 13 + 1, data[0] % 7 * 100 + 1, &pieces);
	/* A stream that is damaged gives bytes up to somewhere before the damage. */
	if (whole.bytes < TAKEN_MAX && pieces.bytes < TAKEN_MAX && whole.answer != pieces.answer)
		abort();
	if (whole.answer == 0 && pieces.answer == 0 && whole.bytes < TAKEN_MAX &&
		(whole.bytes != pieces.bytes || whole.kept.len != pieces.kept.len ||
			memcmp(buf_str(&whole.kept), buf_str(&pieces.kept), whole.kept.len) != 0))
		abort();
	buf_done(&whole.kept);
	buf_done(&pieces.kept);
	return 0;
}
