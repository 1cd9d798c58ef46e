/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over a weight stream: in pieces of any size it comes to what one pass over the whole
 * says, and both to what adding up the lengths in memory says.
 *
 * Input: how many weights (1 byte), for each a dtype and two dimensions (3 bytes), how many sizes
 * of pieces there are (1 byte), these sizes (1 byte each, taken in turn; none: all pieces have one
 * byte), and the stream. */
#include "common/base/buf.h"
#include "common/model/manifest.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define WEIGHTS_MAX 16

struct input {
	const uint8_t *bytes;
	size_t n;
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static uint8_t take(struct input *in)
{
	if (in->n == 0)
		return 0;
	in->n--;
	return *in->bytes++;
}

static struct input take_bytes(struct input *in, size_t n)
{
	struct input out = {in->bytes, n < in->n ? n : in->n};

	in->bytes += out.n;
	in->n -= out.n;
	return out;
}

static void write_manifest(struct input *in, struct buf *out)
{
	static const char *const dtypes[] = {"string", "bool", "float32", "complex64"};
	unsigned n = take(in) % WEIGHTS_MAX;

	buf_add_str(out, "[{\"paths\":[\"p\"],\"weights\":[");
	for (unsigned i = 0; i < n; i++) {
		const char *dtype = dtypes[take(in) % ARRAY_SIZE(dtypes)];
		unsigned rows = take(in), columns = take(in);

		buf_addf(out, "%s{\"name\":\"w%u\",\"dtype\":\"%s\",\"shape\":[%u,%u]}",
			i ? "," : "", i, dtype, rows, columns);
	}
	buf_add_str(out, "]}]");
}

static struct manifest *read_manifest(struct input *in, struct json_doc **ret_doc)
{
	CLEANUP_BUF struct buf text = BUF_INIT(1 << 16);
	CLEANUP_FINDINGS struct findings f;
	struct manifest *m = NULL;
	struct err e;

	findings_init(&f);
	write_manifest(in, &text);
	must(json_parse(text.data, text.len, &JSON_LIMITS_MODEL, ret_doc, &e) == 0);
	must(manifest_read(json_root(*ret_doc), &m, &f, &e) == 0 && m);
	return m;
}

/* Bytes that one weight takes of the stream; more than it has when it ends too early. */
static uint64_t length_of(const struct manifest_weight *x, struct input stream)
{
	size_t at = 0;

	if (x->dtype != DTYPE_STRING)
		return x->bytes;
	for (uint64_t i = 0; i < x->elements; i++) {
		uint32_t length;

		if (stream.n - at < sizeof(length))
			return stream.n + UINT64_C(1);
		length = stream.bytes[at] | (uint32_t)stream.bytes[at + 1] << 8 |
			(uint32_t)stream.bytes[at + 2] << 16 | (uint32_t)stream.bytes[at + 3] << 24;
		at += sizeof(length);
		if (stream.n - at < length)
			return stream.n + UINT64_C(1);
		at += length;
	}
	return at;
}

/* The rule that the stream breaks, or NULL. */
static const char *expected(const struct manifest *m, struct input stream)
{
	for (size_t i = 0; i < m->weights_n; i++) {
		uint64_t length = length_of(&m->weights[i], stream);

		if (length > stream.n)
			return "weights.too-short";
		(void)take_bytes(&stream, (size_t)length);
	}
	return stream.n > 0 ? "weights.too-long" : NULL;
}

/* A size of 0 is an empty piece, and then a byte. */
static void feed(struct manifest_walk *w, struct input stream, struct input sizes)
{
	for (size_t turn = 0; stream.n > 0; turn++) {
		size_t size = sizes.n > 0 ? sizes.bytes[turn % sizes.n] : 1;
		struct input piece;

		if (size == 0)
			manifest_walk_feed(w, stream.bytes, 0);
		piece = take_bytes(&stream, size > 0 ? size : 1);
		manifest_walk_feed(w, piece.bytes, piece.n);
	}
}

static void must_be_alike(const struct findings *f, const struct findings *g, const char *rule)
{
	must(f->n == (rule ? 1 : 0) && g->n == f->n);
	if (!rule)
		return;
	must(strcmp(f->items[0].rule, rule) == 0 && strcmp(g->items[0].rule, rule) == 0);
	must(strcmp(f->items[0].message, g->items[0].message) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct input in = {data, n}, sizes;
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	CLEANUP(manifest_free_p) struct manifest *m = read_manifest(&in, &doc);
	CLEANUP_FINDINGS struct findings whole_says, pieces_say;
	struct manifest_walk whole, pieces;
	size_t sizes_n = take(&in);

	sizes = take_bytes(&in, sizes_n);
	findings_init(&whole_says);
	findings_init(&pieces_say);
	manifest_walk_init(&whole, m);
	manifest_walk_feed(&whole, in.bytes, in.n);
	manifest_walk_finish(&whole, &whole_says);
	manifest_walk_init(&pieces, m);
	feed(&pieces, in, sizes);
	manifest_walk_finish(&pieces, &pieces_say);
	must_be_alike(&whole_says, &pieces_say, expected(m, in));
	return 0;
}
