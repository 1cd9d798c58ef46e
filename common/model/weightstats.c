/* SPDX-License-Identifier: Apache-2.0 */
/* In the vector types that gcc and clang compile for any processor: weights are measured faster
 * than they are hashed. Of float32 there are eight lanes at a time, on x86 for AVX2 as well; as
 * many everywhere, so that a mean is the same to its last bit. */
#include "common/model/weightstats.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define LANES         8
#define BLOCK         (1u << 20) /* elements, so that counts in 32-bit lanes cannot overflow */
#define MAGNITUDE     0x7fffffff
#define INFINITY_BITS 0x7f800000

#define ALWAYS_INLINE inline __attribute__((always_inline))

#ifdef __x86_64__
#define AVX2 __attribute__((target("avx2")))
static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}
#else
#define AVX2
static bool has_avx2(void)
{
	return false;
}
#endif

typedef float floats __attribute__((vector_size(4 * LANES)));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
typedef uint16_t halves __attribute__((vector_size(2 * LANES)));
typedef float half_floats __attribute__((vector_size(4 * LANES / 2)));
typedef int32_t half_ints __attribute__((vector_size(4 * LANES / 2)));
typedef int64_t longs __attribute__((vector_size(8 * LANES / 2)));
typedef double doubles __attribute__((vector_size(8 * LANES / 2)));

struct lanes {
	floats low, high;
	doubles sum[2]; /* of the first lanes and the last: vectors that registers hold */
	ints nan, nonfinite, zeros; /* counted downwards: a true lane is -1 */
};

/* ---- float32 and float16 ---- */

static ALWAYS_INLINE void add_sum(struct lanes *l, const ints *finite_bits)
{
	half_floats part[2];

	memcpy(part, finite_bits, sizeof(part));
	l->sum[0] += __builtin_convertvector(part[0], doubles);
	l->sum[1] += __builtin_convertvector(part[1], doubles);
}

static ALWAYS_INLINE void add_lanes(struct lanes *l, const floats *value)
{
	ints bits = (ints)*value;
	ints magnitude = bits & MAGNITUDE;
	ints nonfinite = magnitude >= INFINITY_BITS;
	ints finite_bits = bits & ~nonfinite;
	floats low = (floats)(finite_bits | ((ints)l->low & nonfinite));
	floats high = (floats)(finite_bits | ((ints)l->high & nonfinite));
	ints lower = low < l->low;
	ints higher = high > l->high;

	l->low = (floats)(((ints)low & lower) | ((ints)l->low & ~lower));
	l->high = (floats)(((ints)high & higher) | ((ints)l->high & ~higher));
	add_sum(l, &finite_bits);
	l->nan += magnitude > INFINITY_BITS;
	l->nonfinite += nonfinite;
	l->zeros += magnitude == 0;
}

static void lanes_begin(struct lanes *l)
{
	memset(l, 0, sizeof(*l));
	for (unsigned i = 0; i < LANES; i++) {
		l->low[i] = FLT_MAX;
		l->high[i] = -FLT_MAX;
	}
}

static void lanes_end(const struct lanes *l, size_t n, struct weightstats_sum *s)
{
	uint64_t nan = 0, nonfinite = 0;

	for (unsigned i = 0; i < LANES; i++) {
		nan += (uint64_t)-(int64_t)l->nan[i];
		nonfinite += (uint64_t)-(int64_t)l->nonfinite[i];
		s->zeros += (uint64_t)-(int64_t)l->zeros[i];
		s->sum += l->sum[i / (LANES / 2)][i % (LANES / 2)];
		s->low = fmin(s->low, l->low[i]);
		s->high = fmax(s->high, l->high[i]);
	}
	s->nan += nan;
	s->infinite += nonfinite - nan;
	s->n += n - nonfinite;
}

static float widen(uint16_t half)
{
	uint32_t magnitude = half & 0x7fffu;
	uint32_t bits = magnitude << 13 | (magnitude >= 0x7c00 ? (uint32_t)INFINITY_BITS : 0);
	float value;

	memcpy(&value, &bits, sizeof(value));
	if (magnitude < 0x7c00)
		value *= 0x1p112f; /* the exponents' biases differ by 112; exact, subnormals too */
	return half & 0x8000 ? -value : value;
}

static void add_one(struct weightstats_sum *s, float value)
{
	s->zeros += value == 0;
	if (isnan(value)) {
		s->nan++;
	} else if (isinf(value)) {
		s->infinite++;
	} else {
		s->n++;
		s->sum += (double)value;
		s->low = fmin(s->low, value);
		s->high = fmax(s->high, value);
	}
}

static ALWAYS_INLINE void add_floats(struct lanes *l, const uint8_t *bytes, size_t whole)
{
	floats value;

	for (size_t i = 0; i < whole; i += LANES) {
		memcpy(&value, bytes + 4 * i, sizeof(value));
		add_lanes(l, &value);
	}
}

AVX2 static void add_floats_avx2(struct lanes *l, const uint8_t *bytes, size_t whole)
{
	add_floats(l, bytes, whole);
}

static void add_float32(struct weightstats_sum *s, const uint8_t *bytes, size_t n)
{
	struct lanes l;
	float rest;
	size_t whole = n - n % LANES;

	lanes_begin(&l);
	if (has_avx2())
		add_floats_avx2(&l, bytes, whole);
	else
		add_floats(&l, bytes, whole);
	lanes_end(&l, whole, s);
	for (size_t i = whole; i < n; i++) {
		memcpy(&rest, bytes + 4 * i, sizeof(rest));
		add_one(s, rest);
	}
}

static ALWAYS_INLINE void widen_lanes(const halves *half, floats *ret)
{
	ints wide = __builtin_convertvector(*half, ints);
	ints magnitude = wide & 0x7fff;
	ints nonfinite = magnitude >= 0x7c00;
	floats finite = (floats)(magnitude << 13) * 0x1p112f;
	ints bits = ((ints)finite & ~nonfinite) | ((magnitude << 13 | INFINITY_BITS) & nonfinite);

	*ret = (floats)(bits | (wide & 0x8000) << 16);
}

static ALWAYS_INLINE void add_halves(struct lanes *l, const uint8_t *bytes, size_t whole)
{
	halves half;
	floats value;

	for (size_t i = 0; i < whole; i += LANES) {
		memcpy(&half, bytes + 2 * i, sizeof(half));
		widen_lanes(&half, &value);
		add_lanes(l, &value);
	}
}

AVX2 static void add_halves_avx2(struct lanes *l, const uint8_t *bytes, size_t whole)
{
	add_halves(l, bytes, whole);
}

static void add_float16(struct weightstats_sum *s, const uint8_t *bytes, size_t n)
{
	struct lanes l;
	uint16_t rest;
	size_t whole = n - n % LANES;

	lanes_begin(&l);
	if (has_avx2())
		add_halves_avx2(&l, bytes, whole);
	else
		add_halves(&l, bytes, whole);
	lanes_end(&l, whole, s);
	for (size_t i = whole; i < n; i++) {
		memcpy(&rest, bytes + 2 * i, sizeof(rest));
		add_one(s, widen(rest));
	}
}

/* ---- whole numbers ---- */

struct int_lanes {
	ints low, high, zeros; /* counted downwards */
	longs sum[2];
};

static ALWAYS_INLINE void add_ints(struct int_lanes *l, const uint8_t *bytes, size_t whole)
{
	half_ints part[2];
	ints value;

	for (size_t i = 0; i < whole; i += LANES) {
		memcpy(&value, bytes + 4 * i, sizeof(value));
		memcpy(part, &value, sizeof(part));
		ints lower = value < l->low;
		ints higher = value > l->high;
		l->low = (value & lower) | (l->low & ~lower);
		l->high = (value & higher) | (l->high & ~higher);
		l->zeros += value == 0;
		l->sum[0] += __builtin_convertvector(part[0], longs);
		l->sum[1] += __builtin_convertvector(part[1], longs);
	}
}

AVX2 static void add_ints_avx2(struct int_lanes *l, const uint8_t *bytes, size_t whole)
{
	add_ints(l, bytes, whole);
}

static void ints_end(const struct int_lanes *l, size_t n, struct weightstats_sum *s)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < LANES; i++) {
		s->low = fmin(s->low, l->low[i]);
		s->high = fmax(s->high, l->high[i]);
		s->zeros += (uint64_t)-(int64_t)l->zeros[i];
		sum += l->sum[i / (LANES / 2)][i % (LANES / 2)];
	}
	s->sum += (double)sum;
	s->n += n;
}

static void add_int32(struct weightstats_sum *s, const uint8_t *bytes, size_t n)
{
	struct int_lanes l;
	int32_t rest;
	size_t whole = n - n % LANES;

	memset(&l, 0, sizeof(l));
	for (unsigned i = 0; i < LANES; i++) {
		l.low[i] = INT32_MAX;
		l.high[i] = INT32_MIN;
	}
	if (has_avx2())
		add_ints_avx2(&l, bytes, whole);
	else
		add_ints(&l, bytes, whole);
	for (size_t i = whole; i < n; i++) {
		unsigned lane = (unsigned)(i - whole);
		memcpy(&rest, bytes + 4 * i, sizeof(rest));
		l.low[lane] = rest < l.low[lane] ? rest : l.low[lane];
		l.high[lane] = rest > l.high[lane] ? rest : l.high[lane];
		l.zeros[lane] -= rest == 0;
		l.sum[0][lane % (LANES / 2)] += rest;
	}
	ints_end(&l, n, s);
}

struct code_sums {
	uint32_t low, high, zeros, finite;
	uint64_t sum;
};

static bool is_among(const struct weightstats_codes *codes, uint32_t code)
{
	return code - codes->low <= codes->span;
}

static void add_code(struct code_sums *c, const struct weightstats_sum *s, uint32_t code)
{
	c->zeros += is_among(&s->zero, code);
	if (!is_among(&s->finite, code))
		return;
	c->low = code < c->low ? code : c->low;
	c->high = code > c->high ? code : c->high;
	c->sum += code;
	c->finite++;
}

static void code_sums_end(const struct code_sums *c, size_t n, struct weightstats_sum *s)
{
	s->zeros += s->zero.any ? c->zeros : 0;
	if (s->finite.any && c->finite > 0) {
		s->low = fmin(s->low, c->low);
		s->high = fmax(s->high, c->high);
		s->sum += (double)c->sum;
		s->n += c->finite;
		n -= c->finite;
	}
	s->infinite += n;
}

/* Codes at a time; and bytes, after which what is counted in lanes is added up, before it can
 * overflow. */
#define CODES8  16
#define CODES16 8
#define RUN     2048

typedef uint8_t codes8 __attribute__((vector_size(CODES8)));
typedef uint16_t codes16 __attribute__((vector_size(2 * CODES16)));
typedef uint32_t pairs32 __attribute__((vector_size(2 * CODES16)));

/* At most RUN bytes, whole vectors of them, every code of which is finite. */
static void add_run8(struct code_sums *c, const struct weightstats_codes *zero,
	const uint8_t *bytes, size_t n)
{
	codes8 value, low = (codes8){0} + UINT8_MAX, high = {0}, zeros = {0};
	codes8 first = (codes8){0} + (uint8_t)zero->low, span = (codes8){0} + (uint8_t)zero->span;
	codes16 sums = {0};

	for (size_t i = 0; i < n; i += sizeof(value)) {
		memcpy(&value, bytes + i, sizeof(value));
		codes8 lower = (codes8)(value < low), higher = (codes8)(value > high);
		low = (value & lower) | (low & ~lower);
		high = (value & higher) | (high & ~higher);
		zeros -= (codes8)(value - first <= span);
		sums += ((codes16)value & UINT8_MAX) + ((codes16)value >> 8);
	}
	for (unsigned i = 0; i < CODES8; i++) {
		c->low = low[i] < c->low ? low[i] : c->low;
		c->high = high[i] > c->high ? high[i] : c->high;
		c->zeros += zeros[i];
	}
	for (unsigned i = 0; i < CODES16; i++)
		c->sum += sums[i];
	c->finite += (uint32_t)n;
}

static void add_run16(struct code_sums *c, const struct weightstats_codes *zero,
	const uint8_t *bytes, size_t n)
{
	codes16 value, low = (codes16){0} + UINT16_MAX, high = {0}, zeros = {0};
	codes16 first = (codes16){0} + (uint16_t)zero->low;
	codes16 span = (codes16){0} + (uint16_t)zero->span;
	pairs32 sums = {0};

	for (size_t i = 0; i < n; i += sizeof(value)) {
		memcpy(&value, bytes + i, sizeof(value));
		codes16 lower = (codes16)(value < low), higher = (codes16)(value > high);
		low = (value & lower) | (low & ~lower);
		high = (value & higher) | (high & ~higher);
		zeros -= (codes16)(value - first <= span);
		sums += ((pairs32)value & UINT16_MAX) + ((pairs32)value >> 16);
	}
	for (unsigned i = 0; i < CODES16; i++) {
		c->low = low[i] < c->low ? low[i] : c->low;
		c->high = high[i] > c->high ? high[i] : c->high;
		c->zeros += zeros[i];
	}
	for (unsigned i = 0; i < CODES16 / 2; i++)
		c->sum += sums[i];
	c->finite += (uint32_t)(n / 2);
}

/* Of `n` bytes, how many went through the runs. */
static size_t add_runs(struct code_sums *c, const struct weightstats_sum *s, const uint8_t *bytes,
	size_t n, uint32_t most,
	void (*run)(struct code_sums *, const struct weightstats_codes *, const uint8_t *, size_t))
{
	size_t whole = n - n % sizeof(codes8);

	if (!s->finite.any || s->finite.low > 0 || s->finite.span < most)
		return 0;
	for (size_t i = 0; i < whole; i += RUN)
		run(c, &s->zero, bytes + i, whole - i < RUN ? whole - i : RUN);
	return whole;
}

static void add_uint8(struct weightstats_sum *s, const uint8_t *bytes, size_t n)
{
	struct code_sums c = {.low = UINT32_MAX};

	for (size_t i = add_runs(&c, s, bytes, n, UINT8_MAX, add_run8); i < n; i++)
		add_code(&c, s, bytes[i]);
	code_sums_end(&c, n, s);
}

static void add_uint16(struct weightstats_sum *s, const uint8_t *bytes, size_t n)
{
	struct code_sums c = {.low = UINT32_MAX};
	uint16_t code;

	for (size_t i = add_runs(&c, s, bytes, 2 * n, UINT16_MAX, add_run16); i < 2 * n; i += 2) {
		memcpy(&code, bytes + i, sizeof(code));
		add_code(&c, s, code);
	}
	code_sums_end(&c, n, s);
}

/* ---- what a code means ---- */

static double value_of(const struct manifest_weight *w, double code)
{
	double exact;

	if (w->stored != DTYPE_UINT8 && w->stored != DTYPE_UINT16)
		return code;
	exact = code * w->scale + w->min;
	if (w->dtype == DTYPE_INT32)
		return floor(exact + 0.5);
	return (float)exact;
}

/* The first code whose value is at or behind `bound` on the way from code 0, or `codes`. Values go
 * one way only: up, or down when the scale is negative. */
static uint32_t first_code(const struct manifest_weight *w, uint32_t codes, double bound,
	bool behind)
{
	uint32_t from = 0, to = codes;

	while (from < to) {
		uint32_t middle = from + (to - from) / 2;
		double value = value_of(w, middle);
		bool reached = w->scale < 0 ? value <= bound : value >= bound;

		if (behind && value == bound)
			reached = false;
		if (reached)
			to = middle;
		else
			from = middle + 1;
	}
	return from;
}

static struct weightstats_codes codes_between(const struct manifest_weight *w, uint32_t codes,
	double first, double last)
{
	uint32_t low = first_code(w, codes, first, false);
	uint32_t end = first_code(w, codes, last, true);

	if (end <= low)
		return (struct weightstats_codes){.any = false};
	return (struct weightstats_codes){.low = low, .span = end - low - 1, .any = true};
}

static void learn_codes(struct weightstats_sum *s)
{
	const struct manifest_weight *w = s->weight;
	uint32_t codes = w->stored == DTYPE_UINT16 ? 65536 : 256;
	double most = w->scale < 0 ? -FLT_MAX : FLT_MAX;

	if (w->stored == DTYPE_BOOL) {
		s->zero = (struct weightstats_codes){.any = true};
		s->finite = (struct weightstats_codes){.span = codes - 1, .any = true};
	} else if (isfinite(w->scale) && isfinite(w->min)) {
		s->zero = codes_between(w, codes, 0, 0);
		s->finite = codes_between(w, codes, -most, most);
	}
}

/* ---- one weight ---- */

void weightstats_begin(struct weightstats_sum *s, const struct manifest_weight *w)
{
	*s = (struct weightstats_sum){.weight = w, .low = INFINITY, .high = -INFINITY};
	if (w->stored == DTYPE_UINT8 || w->stored == DTYPE_UINT16 || w->stored == DTYPE_BOOL)
		learn_codes(s);
}

/* At most BLOCK elements. */
static void add_block(struct weightstats_sum *s, const uint8_t *bytes, size_t n)
{
	switch (s->weight->stored) {
	case DTYPE_FLOAT32:
		add_float32(s, bytes, n);
		break;
	case DTYPE_COMPLEX64:
		add_float32(s, bytes, 2 * n);
		break;
	case DTYPE_FLOAT16:
		add_float16(s, bytes, n);
		break;
	case DTYPE_INT32:
		add_int32(s, bytes, n);
		break;
	case DTYPE_UINT16:
		add_uint16(s, bytes, n);
		break;
	case DTYPE_UINT8:
	case DTYPE_BOOL:
		add_uint8(s, bytes, n);
		break;
	case DTYPE_STRING:
		break;
	}
}

static size_t fill_part(struct weightstats_sum *s, const uint8_t *bytes, size_t n, size_t size)
{
	size_t want = size - s->part_n;

	if (want > n)
		want = n;
	memcpy(s->part + s->part_n, bytes, want);
	s->part_n += (unsigned)want;
	if (s->part_n == size) {
		add_block(s, s->part, 1);
		s->part_n = 0;
	}
	return want;
}

void weightstats_add(struct weightstats_sum *s, const uint8_t *bytes, size_t n)
{
	size_t size = dtype_bytes(s->weight->stored);

	if (size == 0)
		return;
	if (s->part_n > 0) {
		size_t used = fill_part(s, bytes, n, size);
		bytes += used;
		n -= used;
	}
	while (n >= size) {
		size_t elements = n / size < BLOCK ? n / size : BLOCK;
		add_block(s, bytes, elements);
		bytes += elements * size;
		n -= elements * size;
	}
	if (n > 0)
		(void)fill_part(s, bytes, n, size);
}

void weightstats_end(const struct weightstats_sum *s, struct weightstats *ret)
{
	const struct manifest_weight *w = s->weight;
	bool quantized = w->stored == DTYPE_UINT8 || w->stored == DTYPE_UINT16;
	double one, other;

	*ret = (struct weightstats){
		.nan = s->nan, .infinite = s->infinite, .zeros = s->zeros, .finite = s->n};
	if (s->n == 0)
		return;
	one = value_of(w, s->low);
	other = value_of(w, s->high);
	ret->min = fmin(one, other); /* a negative scale turns them round */
	ret->max = fmax(one, other);
	ret->mean = s->sum / (double)s->n;
	if (quantized)
		ret->mean = ret->mean * w->scale + w->min;
}
