/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ingest/decode.h"
#include "common/ingest/inflate.h"

#include <brotli/decode.h>
#include <limits.h>

#define PIECE (64u << 10)

struct decode {
	uint64_t left; /* of the bytes that may come out */
	encode_sink_fn *sink;
	void *cls;
	BrotliDecoderState *brotli; /* either */
	struct inflate *gzip;
	uint8_t out[PIECE];
};

int decode_new(enum encode_coding coding, uint64_t most, encode_sink_fn *sink, void *cls,
	struct decode **ret, struct err *e)
{
	CLEANUP(decode_free_p) struct decode *x = calloc(1, sizeof(*x));
	int r = 0;

	if (!x)
		return err_nomem(e);
	x->left = most;
	x->sink = sink;
	x->cls = cls;
	if (coding == ENCODE_GZIP)
		r = inflate_new("the file", UINT_MAX, &x->gzip, e);
	else if (!(x->brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL)))
		r = err_nomem(e);
	if (r == 0)
		*ret = take_ptr(x);
	return r;
}

void decode_free(struct decode *x)
{
	if (!x)
		return;
	inflate_free(x->gzip);
	if (x->brotli)
		BrotliDecoderDestroyInstance(x->brotli);
	free(x);
}

static int give(struct decode *x, size_t n, struct err *e)
{
	if (n > x->left)
		return err_set(e, ERR_CORRUPT, "the coded bytes hold more than they should");
	x->left -= n;
	return n > 0 ? x->sink(x->cls, x->out, n, e) : 0;
}

static int write_gzip(struct decode *x, struct str in, struct err *e)
{
	size_t n;
	int r;

	do {
		r = inflate_step(x->gzip, &in, x->out, sizeof(x->out), &n, e);
		if (r < 0)
			e->code = ERR_CORRUPT;
		else
			r = give(x, n, e);
	} while (r == 0 && n == sizeof(x->out));
	return r < 0 ? -(int)e->code : 0;
}

static int judge_brotli(struct decode *x, BrotliDecoderResult result, size_t left, struct err *e)
{
	BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(x->brotli);

	if (result == BROTLI_DECODER_RESULT_ERROR &&
		code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
		code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES)
		return err_nomem(e);
	if (result == BROTLI_DECODER_RESULT_ERROR)
		return err_set(e, ERR_CORRUPT, "the Brotli stream is damaged: %s",
			BrotliDecoderErrorString(code));
	if (result == BROTLI_DECODER_RESULT_SUCCESS && left > 0)
		return err_set(e, ERR_CORRUPT, "something follows the end of the Brotli stream");
	return 0;
}

static int write_brotli(struct decode *x, struct str in, struct err *e)
{
	const uint8_t *from = (const uint8_t *)in.p;
	BrotliDecoderResult result;
	int r;

	do {
		size_t room = sizeof(x->out);
		uint8_t *to = x->out;
		result = BrotliDecoderDecompressStream(x->brotli, &in.n, &from, &room, &to, NULL);
		r = judge_brotli(x, result, in.n, e);
		if (r == 0)
			r = give(x, sizeof(x->out) - room, e);
	} while (r == 0 && result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT);
	return r;
}

int decode_write(struct decode *x, const void *bytes, size_t n, struct err *e)
{
	struct str in = {bytes, n};

	if (n == 0)
		return 0;
	return x->gzip ? write_gzip(x, in, e) : write_brotli(x, in, e);
}

int decode_finish(struct decode *x, struct err *e)
{
	int r;

	if (x->brotli)
		return BrotliDecoderIsFinished(x->brotli)
			? 0
			: err_set(e, ERR_CORRUPT, "the Brotli stream is cut off");
	r = inflate_finish(x->gzip, e);
	if (r == 0)
		return 0;
	e->code = ERR_CORRUPT;
	return -(int)ERR_CORRUPT;
}
