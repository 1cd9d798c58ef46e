/* SPDX-License-Identifier: Apache-2.0 */
/* gzip (RFC 1952) and Brotli (RFC 7932) as content codings: in pieces, with fixed memory, at the
 * pace of whoever takes what comes out. */
#include "common/net/fetch_internal.h"

#include <brotli/decode.h>
#include <limits.h>
#include <zlib.h>

struct fetch_decode {
	enum fetch_coding coding;
	z_stream z;
	BrotliDecoderState *brotli;
	bool z_ready;
	bool at_end; /* of a member or the stream, with nothing behind it so far */
};

int fetch_decode_new(enum fetch_coding coding, struct fetch_decode **ret, struct err *e)
{
	struct fetch_decode *d = calloc(1, sizeof(*d));

	if (!d)
		return err_nomem(e);
	d->coding = coding;
	if (coding == FETCH_BROTLI)
		d->brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL);
	else
		d->z_ready = inflateInit2(&d->z, 16 + MAX_WBITS) == Z_OK;
	if (!d->brotli && !d->z_ready) {
		fetch_decode_free(d);
		return err_nomem(e);
	}
	*ret = d;
	return 0;
}

void fetch_decode_free(struct fetch_decode *d)
{
	if (!d)
		return;
	if (d->z_ready)
		(void)inflateEnd(&d->z);
	if (d->brotli)
		BrotliDecoderDestroyInstance(d->brotli);
	free(d);
}

static int damaged(struct err *e)
{
	return err_set(e, ERR_FETCH_FAILED,
		"the body is damaged: its Content-Encoding does not decode");
}

/* Members follow each other (RFC 1952 2.2). */
static int step_gzip(struct fetch_decode *d, struct str *in, void *to, size_t *room, struct err *e)
{
	int code = Z_OK;

	while (*room > 0 && code != Z_BUF_ERROR && (in->n > 0 || !d->at_end)) {
		size_t in_n = in->n < INT_MAX ? in->n : INT_MAX;
		size_t out_n = *room < INT_MAX ? *room : INT_MAX;
		if (d->at_end && inflateReset(&d->z) != Z_OK)
			return damaged(e);
		d->at_end = false;
		d->z.next_in = (Bytef *)(uintptr_t)in->p;
		d->z.avail_in = (uInt)in_n;
		d->z.next_out = (Bytef *)to + (*room - out_n);
		d->z.avail_out = (uInt)out_n;
		code = inflate(&d->z, Z_NO_FLUSH);
		if (code == Z_MEM_ERROR)
			return err_nomem(e);
		if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
			return damaged(e);
		in->p += in_n - d->z.avail_in;
		in->n -= in_n - d->z.avail_in;
		to = d->z.next_out;
		*room -= out_n - d->z.avail_out;
		d->at_end = code == Z_STREAM_END;
	}
	return 0;
}

static int step_brotli(struct fetch_decode *d, struct str *in, void *to, size_t *room,
	struct err *e)
{
	const uint8_t *next_in = (const uint8_t *)in->p;
	uint8_t *next_out = to;
	size_t in_n = in->n;
	BrotliDecoderResult result;

	if (d->at_end)
		return in->n > 0 ? damaged(e) : 0;
	result = BrotliDecoderDecompressStream(d->brotli, &in_n, &next_in, room, &next_out, NULL);
	in->p += in->n - in_n;
	in->n = in_n;
	if (result == BROTLI_DECODER_RESULT_ERROR)
		return damaged(e);
	d->at_end = result == BROTLI_DECODER_RESULT_SUCCESS;
	return d->at_end && in->n > 0 ? damaged(e) : 0;
}

int fetch_decode_step(struct fetch_decode *d, struct str *in, void *to, size_t room, size_t *ret_n,
	struct err *e)
{
	size_t left = room;
	int r = d->coding == FETCH_BROTLI ? step_brotli(d, in, to, &left, e)
					  : step_gzip(d, in, to, &left, e);

	*ret_n = room - left;
	return r;
}

int fetch_decode_finish(struct fetch_decode *d, struct err *e)
{
	if (d->at_end)
		return 0;
	return err_set(e, ERR_FETCH_FAILED, "the body ended early: its Content-Encoding goes on");
}
