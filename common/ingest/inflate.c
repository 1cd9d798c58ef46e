/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ingest/inflate.h"
#include "common/base/num.h"
#include "common/ingest/ingest.h"

#include <assert.h>
#include <limits.h>
#define ZLIB_CONST
#include <zlib.h>

#define ONLY_GZIP (16 + MAX_WBITS) /* no zlib and no bare deflate stream */

struct inflate {
	z_stream zlib;
	const char *what;
	unsigned max_expansion;
	bool padded;                /* zeros came behind the last member */
	bool inside;                /* a member has begun and not ended */
	unsigned long long members; /* that ended */
	uint64_t in, out;
	struct err failure; /* ERR_NONE until the first one */
};

int inflate_new(const char *what, unsigned max_expansion, struct inflate **ret, struct err *e)
{
	struct inflate *z = calloc(1, sizeof(*z));

	if (!z)
		return err_nomem(e);
	z->what = what;
	z->max_expansion = max_expansion;
	if (inflateInit2(&z->zlib, ONLY_GZIP) != Z_OK) {
		free(z);
		return err_nomem(e);
	}
	*ret = z;
	return 0;
}

void inflate_free(struct inflate *z)
{
	if (!z)
		return;
	(void)inflateEnd(&z->zlib);
	free(z);
}

static int fail(struct inflate *z, const struct err *e)
{
	z->failure = *e;
	return -(int)e->code;
}

static int followed(const struct inflate *z, struct err *e)
{
	return err_set(e, ERR_BAD_GZIP, "something follows the end of the gzip stream of %s",
		z->what);
}

static int damaged(struct inflate *z, struct err *e)
{
	if (z->zlib.total_out == 0 && z->members == 0)
		return err_set(e, ERR_BAD_GZIP, "%s is not gzip, or damaged in its first bytes: %s",
			z->what, z->zlib.msg ? z->zlib.msg : "no data");
	if (z->zlib.total_out == 0)
		return followed(z, e);
	return err_set(e, ERR_BAD_GZIP, "the gzip stream of %s is damaged after %llu bytes: %s",
		z->what, (unsigned long long)z->out, z->zlib.msg ? z->zlib.msg : "bad data");
}

/* What zlib's answer means for us; Z_BUF_ERROR is that it had nothing to do. */
static int judge(struct inflate *z, int answer, struct err *e)
{
	switch (answer) {
	case Z_STREAM_END:
		z->inside = false;
		z->members++;
		return 0;
	case Z_OK:
	case Z_BUF_ERROR:
		return 0;
	case Z_MEM_ERROR:
		return err_nomem(e);
	default:
		return damaged(z, e);
	}
}

/* Nothing but zeros may follow zeros. False when there is more than that. */
static bool skip_padding(struct inflate *z, struct str *in)
{
	while (in->n > 0 && z->members > 0 && *in->p == '\0') {
		in->p++;
		in->n--;
		z->in++;
		z->padded = true;
	}
	return in->n == 0 || !z->padded;
}

static int begin_member(struct inflate *z, struct str *in, struct err *e)
{
	if (!skip_padding(z, in))
		return followed(z, e);
	if (in->n == 0)
		return 0;
	if (inflateReset(&z->zlib) != Z_OK)
		return err_set(e, ERR_INTERNAL, "zlib cannot begin anew");
	z->inside = true;
	return 0;
}

/* One call of zlib, inside a member. */
static int turn(struct inflate *z, struct str *in, struct str *to, struct err *e)
{
	z_stream *s = &z->zlib;
	uInt in_n = in->n < UINT_MAX ? (uInt)in->n : UINT_MAX;
	uInt room = to->n < UINT_MAX ? (uInt)to->n : UINT_MAX;
	int r;

	s->next_in = (const Bytef *)in->p;
	s->avail_in = in_n;
	s->next_out = (Bytef *)(uintptr_t)to->p;
	s->avail_out = room;
	r = judge(z, inflate(s, Z_NO_FLUSH), e);
	in->p += in_n - s->avail_in;
	in->n -= in_n - s->avail_in;
	to->p += room - s->avail_out;
	to->n -= room - s->avail_out;
	z->in += in_n - s->avail_in;
	z->out += room - s->avail_out;
	return r;
}

int inflate_step(struct inflate *z, struct str *in, void *to, size_t room, size_t *ret_n,
	struct err *e)
{
	struct str left = {to, room};
	size_t before;
	int r = 0;

	assert(room > 0);
	*ret_n = 0;
	if (z->failure.code != ERR_NONE) {
		*e = z->failure;
		return -(int)e->code;
	}
	/* Output may be waiting inside zlib when all input is used up: hence the look at `left`. */
	do {
		before = left.n;
		if (!z->inside)
			r = begin_member(z, in, e);
		if (r == 0 && z->inside)
			r = turn(z, in, &left, e);
	} while (r == 0 && left.n > 0 && (in->n > 0 || left.n < before));
	if (r == 0)
		r = ingest_check_expansion(z->what, z->in, z->out, z->max_expansion, e);
	*ret_n = room - left.n;
	return r < 0 ? fail(z, e) : 0;
}

int inflate_finish(struct inflate *z, struct err *e)
{
	if (z->failure.code != ERR_NONE) {
		*e = z->failure;
		return -(int)e->code;
	}
	if (!z->inside && z->members > 0)
		return 0;
	(void)err_set(e, ERR_BAD_GZIP, "the gzip stream of %s is cut off after %llu bytes", z->what,
		(unsigned long long)z->in);
	return fail(z, e);
}
