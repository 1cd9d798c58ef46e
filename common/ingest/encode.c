/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ingest/encode.h"

#include <assert.h>
#include <brotli/encode.h>
#define ZLIB_CONST
#include <zlib.h>

#define PIECE       (64u << 10) /* between two looks at the flag, and of what goes to the sink */
#define WINDOW_MAX  22          /* of Brotli: 4 MiB, what browsers can be asked to keep at ease */
#define BLOCK_BITS  16          /* Brotli codes so many bytes at a time: a call ends soon */
#define GZIP_FORMAT (16 + MAX_WBITS)
#define GZIP_MEMORY 8 /* zlib's default: 256 KiB */
#define OS_UNKNOWN  255

struct encode {
	enum encode_coding coding;
	const atomic_bool *stop;
	encode_sink_fn *sink;
	void *cls;
	BrotliEncoderState *brotli;
	bool has_zlib;
	z_stream zlib;
	gz_header header; /* zlib reads it until the first byte is out */
	size_t in_n;
	char in[PIECE]; /* gathered, so that what comes out does not depend on how they came in */
	uint8_t out[PIECE];
};

static const struct {
	uint32_t brotli;
	int gzip;
} levels[] = {
	[ENCODE_CHEAP] = {1, 1},
	[ENCODE_FAST] = {5, 6},
	[ENCODE_GOOD] = {9, 9},
	[ENCODE_BEST] = {11, 9},
};

static const char *const names[ENCODE_CODINGS] = {
	[ENCODE_BROTLI] = "br",
	[ENCODE_GZIP] = "gzip",
};

const char *encode_name(enum encode_coding coding)
{
	return names[coding];
}

bool encode_parse(const char *name, enum encode_coding *ret)
{
	for (int i = 0; i < ENCODE_CODINGS; i++)
		if (strcmp(name, names[i]) == 0) {
			*ret = (enum encode_coding)i;
			return true;
		}
	return false;
}

/* ---- Brotli ---- */

/* The smallest window that reaches from the end to the beginning: less memory here and there. One
 * of `bits` bits has 16 bytes less (RFC 7932 9.1). */
static uint32_t window_for(uint64_t size)
{
	uint32_t bits = BROTLI_MIN_WINDOW_BITS;

	while (bits < WINDOW_MAX && (UINT64_C(1) << bits) - 16 < size)
		bits++;
	return bits;
}

static int begin_brotli(struct encode *x, const struct encode_options *o, struct err *e)
{
	uint32_t hint = o->size < UINT32_MAX ? (uint32_t)o->size : UINT32_MAX;

	x->brotli = BrotliEncoderCreateInstance(NULL, NULL, NULL);
	if (!x->brotli)
		return err_nomem(e);
	if (!BrotliEncoderSetParameter(x->brotli, BROTLI_PARAM_QUALITY, levels[o->effort].brotli) ||
		!BrotliEncoderSetParameter(x->brotli, BROTLI_PARAM_LGWIN, window_for(o->size)) ||
		!BrotliEncoderSetParameter(x->brotli, BROTLI_PARAM_LGBLOCK, BLOCK_BITS) ||
		!BrotliEncoderSetParameter(x->brotli, BROTLI_PARAM_SIZE_HINT, hint))
		return err_set(e, ERR_INTERNAL, "Brotli does not take its parameters");
	return 0;
}

static int turn_brotli(struct encode *x, struct str *in, bool last, bool *ret_more, struct err *e)
{
	BrotliEncoderOperation what = last ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_PROCESS;
	const uint8_t *from = (const uint8_t *)in->p;
	size_t room = sizeof(x->out);
	uint8_t *to = x->out;

	/* It fails when it finds no memory, and else only when it is called wrongly. */
	if (!BrotliEncoderCompressStream(x->brotli, what, &in->n, &from, &room, &to, NULL))
		return err_nomem(e);
	in->p = (const char *)from;
	*ret_more = in->n > 0 || BrotliEncoderHasMoreOutput(x->brotli) ||
		(last && !BrotliEncoderIsFinished(x->brotli));
	room = sizeof(x->out) - room;
	return room > 0 ? x->sink(x->cls, x->out, room, e) : 0;
}

static int write_brotli(struct encode *x, struct str in, bool last, struct err *e)
{
	bool more = true;
	int r = 0;

	while (r == 0 && more)
		r = turn_brotli(x, &in, last, &more, e);
	return r;
}

/* ---- gzip ---- */

static int begin_gzip(struct encode *x, const struct encode_options *o, struct err *e)
{
	if (deflateInit2(&x->zlib, levels[o->effort].gzip, Z_DEFLATED, GZIP_FORMAT, GZIP_MEMORY,
		    Z_DEFAULT_STRATEGY) != Z_OK)
		return err_nomem(e);
	x->has_zlib = true;
	x->header.os = OS_UNKNOWN;
	if (deflateSetHeader(&x->zlib, &x->header) != Z_OK)
		return err_set(e, ERR_INTERNAL, "zlib does not take a header");
	return 0;
}

/* zlib is done with a call when it leaves room in the buffer. */
static int write_gzip(struct encode *x, struct str in, int flush, struct err *e)
{
	size_t n;

	x->zlib.next_in = (const Bytef *)in.p;
	x->zlib.avail_in = (uInt)in.n;
	do {
		x->zlib.next_out = x->out;
		x->zlib.avail_out = sizeof(x->out);
		if (deflate(&x->zlib, flush) == Z_STREAM_ERROR)
			return err_set(e, ERR_INTERNAL, "zlib is called wrongly");
		n = sizeof(x->out) - x->zlib.avail_out;
		int r = n > 0 ? x->sink(x->cls, x->out, n, e) : 0;
		if (r < 0)
			return r;
	} while (n == sizeof(x->out));
	return 0;
}

/* ---- both ---- */

int encode_new(const struct encode_options *o, encode_sink_fn *sink, void *cls, struct encode **ret,
	struct err *e)
{
	CLEANUP(encode_free_p) struct encode *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return err_nomem(e);
	x->coding = o->coding;
	x->stop = o->stop;
	x->sink = sink;
	x->cls = cls;
	r = o->coding == ENCODE_BROTLI ? begin_brotli(x, o, e) : begin_gzip(x, o, e);
	if (r == 0)
		*ret = take_ptr(x);
	return r;
}

void encode_free(struct encode *x)
{
	if (!x)
		return;
	if (x->brotli)
		BrotliEncoderDestroyInstance(x->brotli);
	if (x->has_zlib)
		(void)deflateEnd(&x->zlib);
	free(x);
}

static int flush_in(struct encode *x, struct err *e)
{
	struct str in = {x->in, x->in_n};

	x->in_n = 0;
	if (x->stop && atomic_load(x->stop))
		return err_set(e, ERR_SHUTTING_DOWN, "told to stop");
	return x->coding == ENCODE_BROTLI ? write_brotli(x, in, false, e) :
		write_gzip(x, in, Z_NO_FLUSH, e);
}

int encode_write(struct encode *x, const void *bytes, size_t n, struct err *e)
{
	const char *from = bytes;
	int r = 0;

	while (r == 0 && n > 0) {
		size_t room = sizeof(x->in) - x->in_n;
		size_t take = n < room ? n : room;
		memcpy(x->in + x->in_n, from, take);
		x->in_n += take;
		from += take;
		n -= take;
		if (x->in_n == sizeof(x->in))
			r = flush_in(x, e);
	}
	return r;
}

int encode_finish(struct encode *x, struct err *e)
{
	struct str none = STR_LIT("");
	int r = flush_in(x, e);

	if (r == 0 && x->coding == ENCODE_BROTLI)
		return write_brotli(x, none, true, e);
	if (r == 0)
		r = write_gzip(x, none, Z_FULL_FLUSH, e);
	return r < 0 ? r : write_gzip(x, none, Z_FINISH, e);
}

/* ---- at once ---- */

static int add_to_buf(void *cls, const void *bytes, size_t n, struct err *e)
{
	struct buf *out = cls;

	buf_add(out, bytes, n);
	return buf_check(out, "the coded bytes", e);
}

static int encode_all(const struct encode_options *o, struct str in, struct buf *out, struct err *e)
{
	CLEANUP(encode_free_p) struct encode *x = NULL;
	int r = encode_new(o, add_to_buf, out, &x, e);

	if (r == 0)
		r = encode_write(x, in.p, in.n, e);
	return r < 0 ? r : encode_finish(x, e);
}

int encode_buf(enum encode_coding coding, struct str in, struct buf *out, bool *ret_pays,
	struct err *e)
{
	const struct encode_options o = {.coding = coding, .effort = ENCODE_FAST, .size = in.n};
	size_t most = in.n > ENCODE_LEAST_SAVED ? in.n - ENCODE_LEAST_SAVED : 0;
	size_t room = out->max - out->len;
	CLEANUP_BUF struct buf coded = BUF_INIT(most < room ? most : room);
	int r;

	*ret_pays = false;
	r = encode_all(&o, in, &coded, e);
	if (r == -(int)ERR_TOO_LARGE)
		return 0;
	if (r < 0)
		return r;
	buf_add(out, coded.data, coded.len);
	*ret_pays = true;
	return buf_check(out, "the coded bytes", e);
}
