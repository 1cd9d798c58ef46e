/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/weightscan.h"
#include "common/model/filepath.h"

#include <inttypes.h>

#define NAMED_MAX      8 /* weights that a finding of many names */
#define NAMES_TEXT_MAX 4096

struct weightscan {
	struct manifest_walk walk;
	struct weightscan_tensor *tensors; /* one for each weight */
	size_t next;                       /* the first one that has not begun */
	bool open;                         /* the one before `next` has begun and not ended */
	struct weightstats_sum sum;        /* of the open one */
	bool hashes; /* or only the statistics are wanted */
	struct digest_ctx *hash;
	uint64_t offset; /* of the stream, behind what was added */
	size_t slice_at; /* the first tensor that the next slice may be */
	struct err failure;
};

static size_t weights_n(const struct weightscan *s)
{
	return s->walk.manifest->weights_n;
}

static const struct manifest_weight *weight(const struct weightscan *s, size_t i)
{
	return &s->walk.manifest->weights[i];
}

/* ---- one weight after the other ---- */

static int close_tensor(struct weightscan *s, struct err *e)
{
	struct weightscan_tensor *t = &s->tensors[s->next - 1];

	s->open = false;
	weightstats_end(&s->sum, &t->stats);
	if (!s->hashes && t->bytes > 0)
		return 0;
	t->has_sha256 = true;
	return digest_ctx_finish(s->hash, &t->sha256, e);
}

static void open_tensor(struct weightscan *s)
{
	s->tensors[s->next].offset = s->offset;
	weightstats_begin(&s->sum, weight(s, s->next));
	s->next++;
	s->open = true;
}

/* Open weight `i`, and open and close those before it: they have no bytes. */
static int advance(struct weightscan *s, size_t i, struct err *e)
{
	int r = 0;

	while (r == 0 && s->next <= i) {
		if (s->open)
			r = close_tensor(s, e);
		open_tensor(s);
	}
	return r;
}

static int add_bytes(struct weightscan *s, size_t i, const uint8_t *bytes, size_t n, struct err *e)
{
	int r = advance(s, i, e);

	if (r == 0 && s->hashes)
		r = digest_ctx_update(s->hash, bytes, n, e);
	if (r < 0)
		return r;
	weightstats_add(&s->sum, bytes, n);
	s->tensors[i].bytes += n;
	s->offset += n;
	return 0;
}

static void visit(void *cls, size_t i, const uint8_t *bytes, size_t n)
{
	struct weightscan *s = cls;

	if (s->failure.code == ERR_NONE)
		(void)add_bytes(s, i, bytes, n, &s->failure);
}

/* ---- all of them ---- */

int weightscan_new(const struct manifest *m, struct weightscan **ret, struct err *e)
{
	CLEANUP(weightscan_free_p) struct weightscan *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_nomem(e);
	manifest_walk_init(&s->walk, m);
	s->walk.fn = visit;
	s->walk.cls = s;
	s->hashes = true;
	s->tensors = calloc(m->weights_n + 1, sizeof(*s->tensors));
	if (!s->tensors)
		return err_nomem(e);
	r = digest_ctx_new(&s->hash, e);
	if (r < 0)
		return r;
	*ret = take_ptr(s);
	return 0;
}

void weightscan_free(struct weightscan *s)
{
	if (!s)
		return;
	digest_ctx_free(s->hash);
	free(s->tensors);
	free(s);
}

void weightscan_leave_digests(struct weightscan *s)
{
	s->hashes = false;
}

static int failure(const struct weightscan *s, struct err *e)
{
	if (s->failure.code != ERR_NONE)
		*e = s->failure;
	return -(int)s->failure.code;
}

/* A large piece goes through in small ones, so that the second look at a byte finds it in the
 * processor's cache. */
#define PIECE (32u << 10)

int weightscan_feed(struct weightscan *s, const uint8_t *bytes, size_t n, struct err *e)
{
	while (n > 0 && s->failure.code == ERR_NONE) {
		size_t piece = n < PIECE ? n : PIECE;
		manifest_walk_feed(&s->walk, bytes, piece);
		bytes += piece;
		n -= piece;
	}
	return failure(s, e);
}

/* Weights without bytes at the end of the manifest are still to come; one that was cut off has the
 * statistics of what was there. */
int weightscan_finish(struct weightscan *s, struct err *e)
{
	int r = failure(s, e);

	if (r == 0 && s->walk.weight > 0)
		r = advance(s, s->walk.weight - 1, e);
	if (r == 0 && s->open)
		r = close_tensor(s, e);
	return r;
}

const struct manifest_walk *weightscan_walk(const struct weightscan *s)
{
	return &s->walk;
}

const struct weightscan_tensor *weightscan_tensors(const struct weightscan *s)
{
	return s->tensors;
}

/* ---- digests that are known from elsewhere ---- */

void weightscan_slice(struct weightscan *s, uint64_t offset, uint64_t bytes,
	const struct digest *sha256)
{
	struct weightscan_tensor *t = s->tensors, *end = t + weights_n(s);

	for (t += s->slice_at; t < end && t->offset < offset; t++)
		s->slice_at++;
	for (; t < end && t->offset == offset; t++) {
		if (t->bytes != bytes)
			continue;
		t->sha256 = *sha256;
		t->has_sha256 = true;
	}
}

bool weightscan_has_digests(const struct weightscan *s)
{
	for (size_t i = 0; i < weights_n(s); i++)
		if (!s->tensors[i].has_sha256)
			return false;
	return true;
}

/* ---- findings ---- */

/* Names of weights for a sentence, the first few of many. */
struct names {
	struct buf text;
	size_t n;
};

static void add_name(struct names *names, const char *name)
{
	if (names->n < NAMED_MAX)
		buf_addf(&names->text, "%s'%.80s'", names->n > 0 ? ", " : "", name);
	else if (names->n == NAMED_MAX)
		buf_add_str(&names->text, ", ...");
	names->n++;
}

static void names_done(struct names *names)
{
	buf_done(&names->text);
}

#define NAMES CLEANUP(names_done) struct names

static void find_not_finite(const struct weightscan *s, struct findings *f)
{
	NAMES names = {.text = BUF_INIT(NAMES_TEXT_MAX)};
	uint64_t nan = 0, infinite = 0;

	for (size_t i = 0; i < weights_n(s); i++) {
		const struct weightstats *x = &s->tensors[i].stats;
		if (x->nan == 0 && x->infinite == 0)
			continue;
		add_name(&names, weight(s, i)->name);
		nan += x->nan;
		infinite += x->infinite;
	}
	if (names.n > 0)
		findings_add(f, RULE_WEIGHTS_NOT_FINITE, NULL, NULL,
			"%" PRIu64 " NaN and %" PRIu64 " infinite values in %zu of %zu weights: %s",
			nan, infinite, names.n, weights_n(s), buf_str(&names.text));
}

/* An optimizer's slots begin with zeros, and so do the vectors of a layer. */
static bool is_suspect(const struct manifest_weight *w)
{
	return w->rank >= 2 && w->elements > 1 && !w->optimizer && w->dtype != DTYPE_BOOL &&
		w->dtype != DTYPE_STRING;
}

static uint64_t numbers_of(const struct manifest_weight *w)
{
	return w->dtype == DTYPE_COMPLEX64 ? 2 * w->elements : w->elements;
}

static void find_all_zero(const struct weightscan *s, struct findings *f)
{
	NAMES names = {.text = BUF_INIT(NAMES_TEXT_MAX)};
	size_t suspects = 0;

	for (size_t i = 0; i < weights_n(s); i++) {
		const struct manifest_weight *w = weight(s, i);
		if (!is_suspect(w))
			continue;
		suspects++;
		if (s->tensors[i].stats.zeros == numbers_of(w))
			add_name(&names, w->name);
	}
	if (names.n > 0)
		findings_add(f, RULE_WEIGHTS_ALL_ZERO, NULL, NULL,
			"%zu of %zu weights with two dimensions or more hold nothing but zeros: %s",
			names.n, suspects, buf_str(&names.text));
}

void weightscan_findings(const struct weightscan *s, struct findings *f)
{
	find_not_finite(s, f);
	find_all_zero(s, f);
}

/* ---- as JSON ---- */

static void write_shape(struct json_write *w, const struct manifest_weight *x)
{
	json_write_array(w, "shape");
	for (size_t i = 0; i < x->rank; i++)
		json_write_uint(w, NULL, x->shape[i]);
	json_write_array_end(w);
}

static void write_stats(struct json_write *w, const struct manifest_weight *x,
	const struct weightstats *stats)
{
	if (x->dtype == DTYPE_STRING)
		return;
	if (stats->finite > 0 && x->dtype != DTYPE_COMPLEX64) {
		json_write_double(w, "min", stats->min);
		json_write_double(w, "max", stats->max);
		json_write_double(w, "mean", stats->mean);
	}
	json_write_uint(w, "zeros", stats->zeros);
	json_write_uint(w, "nan", stats->nan);
	json_write_uint(w, "infinite", stats->infinite);
}

static void write_tensor(struct json_write *w, const struct manifest_weight *x,
	const struct weightscan_tensor *t)
{
	char hex[DIGEST_HEX + 1];

	json_write_object(w, NULL);
	json_write_str(w, "name", x->name);
	json_write_str(w, "dtype", dtype_name(x->dtype));
	write_shape(w, x);
	if (x->stored != x->dtype)
		json_write_str(w, "quantization", dtype_name(x->stored));
	json_write_uint(w, "offset", t->offset);
	json_write_uint(w, "bytes", t->bytes);
	write_stats(w, x, &t->stats);
	if (t->has_sha256)
		json_write_str(w, "sha256", digest_hex(&t->sha256, hex));
	json_write_object_end(w);
}

void weightscan_write(const struct weightscan *s, struct json_write *w, const char *key)
{
	json_write_array(w, key);
	for (size_t i = 0; i < weights_n(s); i++)
		write_tensor(w, weight(s, i), &s->tensors[i]);
	json_write_array_end(w);
}
