/* SPDX-License-Identifier: Apache-2.0 */
/* What is measured of weights, and into which shards they are cut. */
#include "common/model/manifest_order.h"
#include "common/model/modeljson.h"
#include "common/model/sharding.h"
#include "common/model/weightscan.h"
#include "tests/unit/unit.h"

#include <float.h>
#include <math.h>

#define SHARD "{'paths':['a'],'weights':"

/* Single quotes stand for double ones. */
static char *quoted(const char *text)
{
	char *json = strdup(text);

	ck_assert_ptr_nonnull(json);
	for (char *p = json; *p; p++)
		if (*p == '\'')
			*p = '"';
	return json;
}

static struct modeljson *parse(const char *text, struct findings *f)
{
	CLEANUP_FREE char *json = quoted(text);
	struct modeljson *m = NULL;
	struct err e;

	findings_init(f);
	ck_ok(modeljson_parse(json, strlen(json), &m, f, &e));
	ck_assert_msg(m != NULL, "%s", f->n > 0 ? f->items[0].message : "no model");
	return m;
}

/* ---- statistics ---- */

static struct weightstats stats_in_pieces(const struct manifest_weight *w, const void *bytes,
	size_t n, size_t piece)
{
	struct weightstats_sum sum;
	struct weightstats stats;

	weightstats_begin(&sum, w);
	for (size_t at = 0; at < n; at += piece)
		weightstats_add(&sum, (const uint8_t *)bytes + at, n - at < piece ? n - at : piece);
	weightstats_end(&sum, &stats);
	return stats;
}

static struct weightstats stats_of(const struct manifest_weight *w, const void *bytes, size_t n)
{
	static const size_t pieces[] = {1, 3, 7, 64};
	struct weightstats whole = stats_in_pieces(w, bytes, n, n);

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		struct weightstats cut = stats_in_pieces(w, bytes, n, pieces[i]);
		ck_assert_uint_eq(cut.nan, whole.nan);
		ck_assert_uint_eq(cut.infinite, whole.infinite);
		ck_assert_uint_eq(cut.zeros, whole.zeros);
		ck_assert_uint_eq(cut.finite, whole.finite);
		ck_assert(whole.finite == 0 || (cut.min == whole.min && cut.max == whole.max));
		ck_assert(whole.finite == 0 || fabs(cut.mean - whole.mean) <=
			1e-9 * (fabs(whole.max) + fabs(whole.min)));
	}
	return whole;
}

static struct manifest_weight weight(enum dtype dtype, enum dtype stored, double scale, double min)
{
	return (struct manifest_weight){
		.name = "w", .dtype = dtype, .stored = stored, .scale = scale, .min = min};
}

START_TEST(floats_are_measured_beside_what_is_not_finite)
{
	static const float values[] = {
		3, -0.0F, NAN, 0, INFINITY, -2.5F, 7, -INFINITY, 1e-40F, 4.5F, -NAN};
	struct manifest_weight w = weight(DTYPE_FLOAT32, DTYPE_FLOAT32, 0, 0);
	struct weightstats x = stats_of(&w, values, sizeof(values));

	ck_assert_uint_eq(x.nan, 2);
	ck_assert_uint_eq(x.infinite, 2);
	ck_assert_uint_eq(x.zeros, 2);
	ck_assert_uint_eq(x.finite, 7);
	ck_assert_double_eq(x.min, -2.5);
	ck_assert_double_eq(x.max, 7);
	ck_assert_double_eq_tol(x.mean, 12.0 / 7, 1e-12);
}
END_TEST

START_TEST(the_extremes_of_float32_are_finite)
{
	static const float values[] = {FLT_MAX, -FLT_MAX, FLT_MAX, -FLT_MAX, FLT_MAX};
	struct manifest_weight w = weight(DTYPE_FLOAT32, DTYPE_FLOAT32, 0, 0);
	struct weightstats x = stats_of(&w, values, sizeof(values));

	ck_assert_uint_eq(x.finite, 5);
	ck_assert_double_eq(x.min, -(double)FLT_MAX);
	ck_assert_double_eq(x.max, (double)FLT_MAX);
}
END_TEST

START_TEST(nothing_finite_has_no_extremes)
{
	static const float values[] = {NAN, INFINITY, NAN, NAN, NAN};
	struct manifest_weight w = weight(DTYPE_FLOAT32, DTYPE_FLOAT32, 0, 0);
	struct weightstats x = stats_of(&w, values, sizeof(values));

	ck_assert_uint_eq(x.finite, 0);
	ck_assert_uint_eq(x.nan, 4);
	ck_assert_uint_eq(x.infinite, 1);
}
END_TEST

/* IEEE 754 binary16, by its definition. */
static double half_value(uint16_t h)
{
	int exponent = h >> 10 & 31, mantissa = h & 1023;
	double magnitude = exponent == 0 ? ldexp(mantissa, -24) :
					   ldexp(1024 + mantissa, exponent - 25);

	if (exponent == 31)
		magnitude = mantissa ? (double)NAN : (double)INFINITY;
	return h & 0x8000 ? -magnitude : magnitude;
}

START_TEST(every_half_is_widened_exactly)
{
	struct manifest_weight w = weight(DTYPE_FLOAT32, DTYPE_FLOAT16, 0, 0);

	for (uint32_t h = 0; h < 65536; h++) {
		uint16_t values[9];
		double want = half_value((uint16_t)h);
		struct weightstats x;
		for (size_t i = 0; i < ARRAY_SIZE(values); i++)
			values[i] = (uint16_t)h;
		x = stats_in_pieces(&w, values, sizeof(values), sizeof(values));
		ck_assert_uint_eq(x.nan, isnan(want) ? 9 : 0);
		ck_assert_uint_eq(x.infinite, isinf(want) ? 9 : 0);
		ck_assert_uint_eq(x.zeros, want == 0 ? 9 : 0);
		ck_assert(x.finite == 0 || (x.min == want && x.max == want && x.mean == want));
	}
}
END_TEST

START_TEST(whole_numbers_are_measured)
{
	static const int32_t values[] = {INT32_MIN, 0, INT32_MAX, 5, 0};
	static const uint8_t bools[] = {1, 0, 1, 1};
	struct manifest_weight w = weight(DTYPE_INT32, DTYPE_INT32, 0, 0);
	struct weightstats x = stats_of(&w, values, sizeof(values));

	ck_assert_double_eq(x.min, INT32_MIN);
	ck_assert_double_eq(x.max, INT32_MAX);
	ck_assert_double_eq_tol(x.mean, 0.8, 1e-12);
	ck_assert_uint_eq(x.zeros, 2);
	w = weight(DTYPE_BOOL, DTYPE_BOOL, 0, 0);
	x = stats_of(&w, bools, sizeof(bools));
	ck_assert_double_eq(x.mean, 0.75);
	ck_assert_uint_eq(x.zeros, 1);
}
END_TEST

/* As many as lanes have, one more and less, and many: extremes in each place. */
START_TEST(many_whole_numbers_are_measured_as_each_one_is)
{
	static int32_t values[4099];
	struct manifest_weight w = weight(DTYPE_INT32, DTYPE_INT32, 0, 0);
	uint32_t random = 7;

	for (size_t n = 1; n <= ARRAY_SIZE(values); n = n < 40 ? n + 1 : n + 1353) {
		int32_t low = INT32_MAX, high = INT32_MIN;
		uint64_t zeros = 0;
		int64_t sum = 0;
		for (size_t i = 0; i < n; i++) {
			random = random * 1664525 + 1013904223;
			values[i] = (int32_t)random >> (random >> 8 & 31);
			low = values[i] < low ? values[i] : low;
			high = values[i] > high ? values[i] : high;
			zeros += values[i] == 0;
			sum += values[i];
		}
		struct weightstats x = stats_of(&w, values, n * sizeof(*values));
		ck_assert_uint_eq(x.finite, n);
		ck_assert_uint_eq(x.zeros, zeros);
		ck_assert_double_eq(x.min, low);
		ck_assert_double_eq(x.max, high);
		ck_assert_double_eq(x.mean, (double)sum / (double)n);
	}
}
END_TEST

START_TEST(both_parts_of_complex_numbers_count)
{
	static const float values[] = {0, 0, 0, NAN, 1, 2};
	struct manifest_weight w = weight(DTYPE_COMPLEX64, DTYPE_COMPLEX64, 0, 0);
	struct weightstats x = stats_of(&w, values, sizeof(values));

	ck_assert_uint_eq(x.zeros, 3);
	ck_assert_uint_eq(x.nan, 1);
	ck_assert_uint_eq(x.finite, 5);
}
END_TEST

/* Each value made as TensorFlow.js makes it. */
static struct weightstats by_hand(const struct manifest_weight *w, const uint16_t *codes, size_t n)
{
	struct weightstats x = {.min = INFINITY, .max = -INFINITY};

	for (size_t i = 0; i < n; i++) {
		double value = codes[i] * w->scale + w->min;
		value = w->dtype == DTYPE_INT32 ? floor(value + 0.5) : (double)(float)value;
		x.zeros += value == 0;
		x.infinite += isinf(value) != 0;
		if (isinf(value))
			continue;
		x.finite++;
		x.min = fmin(x.min, value);
		x.max = fmax(x.max, value);
	}
	return x;
}

START_TEST(quantized_weights_are_measured_by_their_values)
{
	static const double scales[] = {1, 0.5, -0.25, 0, 1e-46, 3e34, -3e34, 1.0 / 3};
	static const double mins[] = {0, -0.0, -10, 4.25, -5e-46, -1, -300};
	uint16_t codes[600];
	uint8_t small[600];

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		codes[i] = small[i] = (uint8_t)(i * 7919);
	for (size_t i = 0; i < ARRAY_SIZE(scales) * ARRAY_SIZE(mins) * 2; i++) {
		double scale = scales[i / 2 % ARRAY_SIZE(scales)];
		double min = mins[i / 2 / ARRAY_SIZE(scales)];
		enum dtype dtype = i % 2 ? DTYPE_INT32 : DTYPE_FLOAT32;
		struct manifest_weight wide = weight(dtype, DTYPE_UINT16, scale, min);
		struct manifest_weight narrow = weight(dtype, DTYPE_UINT8, scale, min);
		struct weightstats want = by_hand(&wide, codes, ARRAY_SIZE(codes));
		struct weightstats got[] = {stats_of(&wide, codes, sizeof(codes)),
			stats_of(&narrow, small, sizeof(small))};
		for (size_t k = 0; k < ARRAY_SIZE(got); k++) {
			ck_assert_msg(got[k].zeros == want.zeros && got[k].finite == want.finite &&
				got[k].infinite == want.infinite,
				"%g * q + %g: %d zeros, %d infinite", scale, min, (int)got[k].zeros,
				(int)got[k].infinite);
			ck_assert(want.finite == 0 ||
				(got[k].min == want.min && got[k].max == want.max));
			ck_assert(want.finite == 0 || (got[k].mean >= want.min - 1 &&
				got[k].mean <= want.max + 1));
		}
	}
}
END_TEST

/* ---- the scan ---- */

static struct weightscan *scanned(const struct modeljson *m, const void *bytes, size_t n,
	size_t piece)
{
	struct weightscan *s = NULL;
	struct err e;

	ck_ok(weightscan_new(m->manifest, &s, &e));
	for (size_t at = 0; at < n; at += piece)
		ck_ok(weightscan_feed(s, (const uint8_t *)bytes + at,
			n - at < piece ? n - at : piece, &e));
	ck_ok(weightscan_finish(s, &e));
	return s;
}

/* More codes than are counted in one go, by a reader that takes them one at a time. */
static void check_codes(enum dtype stored, double scale, uint32_t and_mask, uint32_t or_mask)
{
	static uint8_t bytes[3 * 4096 + 38];
	struct manifest_weight w = weight(DTYPE_FLOAT32, stored, scale, -8 * scale);
	size_t size = dtype_bytes(stored), n = sizeof(bytes) / size;
	uint32_t random = 1, zeros = 0, low = UINT32_MAX, high = 0;
	uint64_t sum = 0;

	if (stored == DTYPE_BOOL)
		w.dtype = DTYPE_BOOL;
	for (size_t i = 0; i < n; i++) {
		random = random * 1664525 + 1013904223;
		uint16_t code = (uint16_t)((random >> 8 & and_mask) | or_mask);
		memcpy(bytes + i * size, &code, size);
		zeros += code == (stored == DTYPE_BOOL ? 0 : 8);
		low = code < low ? code : low;
		high = code > high ? code : high;
		sum += code;
	}
	struct weightstats x = stats_of(&w, bytes, n * size);
	double min = stored == DTYPE_BOOL ? 0 : -8 * scale, step = stored == DTYPE_BOOL ? 1 : scale;
	ck_assert_uint_eq(x.finite, n);
	ck_assert_uint_eq(x.zeros, zeros);
	ck_assert_double_eq(x.min, low * step + min);
	ck_assert_double_eq(x.max, high * step + min);
	ck_assert_double_eq_tol(x.mean, (double)sum / (double)n * step + min, 1e-9 * (x.max - min));
}

START_TEST(many_codes_are_measured_as_each_one_is)
{
	check_codes(DTYPE_UINT8, 0.5, 255, 0);
	check_codes(DTYPE_UINT8, 0.5, 0, 255);
	check_codes(DTYPE_UINT8, 0.5, 0, 8);
	check_codes(DTYPE_UINT8, 0.5, 15, 0);
	check_codes(DTYPE_BOOL, 0, 1, 0);
	check_codes(DTYPE_UINT16, 0.5, 65535, 0);
	check_codes(DTYPE_UINT16, 0.5, 0, 65535);
	check_codes(DTYPE_UINT16, 0.5, 0, 8);
	check_codes(DTYPE_UINT16, 0.5, 15, 0);
}
END_TEST

START_TEST(each_weight_has_its_place_and_digest)
{
	static const char text[] = "{'weightsManifest':[" SHARD "["
		"{'name':'e','shape':[0],'dtype':'float32'},"
		"{'name':'a','shape':[2],'dtype':'float32'},"
		"{'name':'s','shape':[2],'dtype':'string'},"
		"{'name':'b','shape':[3],'dtype':'bool'},"
		"{'name':'z','shape':[0,5],'dtype':'int32'}]}]}";
	static const uint8_t bytes[] = {
		0, 0, 128, 63, 0, 0, 0, 64, 2, 0, 0, 0, 'h', 'i', 0, 0, 0, 0, 1, 0, 1};
	CLEANUP_FINDINGS struct findings f;
	CLEANUP(modeljson_free_p) struct modeljson *m = parse(text, &f);
	struct digest want;
	struct err e;

	for (size_t piece = 1; piece <= sizeof(bytes); piece++) {
		CLEANUP(weightscan_free_p) struct weightscan *s =
			scanned(m, bytes, sizeof(bytes), piece);
		const struct weightscan_tensor *t = weightscan_tensors(s);
		static const uint64_t places[][2] = {{0, 0}, {0, 8}, {8, 10}, {18, 3}, {21, 0}};

		for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
			ck_assert_uint_eq(t[i].offset, places[i][0]);
			ck_assert_uint_eq(t[i].bytes, places[i][1]);
			ck_ok(digest_of(bytes + places[i][0], places[i][1], &want, &e));
			ck_assert(digest_eq(&want, &t[i].sha256));
		}
		ck_assert_double_eq(t[1].stats.mean, 1.5);
		ck_assert_uint_eq(t[3].stats.zeros, 1);
		ck_assert_uint_eq(weightscan_walk(s)->slice, 18);
		manifest_walk_finish(weightscan_walk(s), &f);
		weightscan_findings(s, &f);
		ck_assert_uint_eq(f.n, 0);
	}
}
END_TEST

START_TEST(the_scan_is_written_as_json)
{
	static const char text[] = "{'weightsManifest':[" SHARD "["
		"{'name':'a/\\u00e4','shape':[1,2],'dtype':'float32',"
		"'quantization':{'dtype':'uint8','min':-1,'scale':0.5}},"
		"{'name':'s','shape':[],'dtype':'string'}]}]}";
	static const uint8_t bytes[] = {2, 4, 0, 0, 0, 0};
	CLEANUP_FINDINGS struct findings f;
	CLEANUP(modeljson_free_p) struct modeljson *m = parse(text, &f);
	CLEANUP(weightscan_free_p) struct weightscan *s = scanned(m, bytes, sizeof(bytes), 6);
	CLEANUP_BUF struct buf out = BUF_INIT(4096);
	struct json_write w;

	json_write_init(&w, &out);
	weightscan_write(s, &w, NULL);
	ck_assert_str_eq(buf_str(&out),
		"[{\"name\":\"a/\xc3\xa4\",\"dtype\":\"float32\",\"shape\":[1,2],"
		"\"quantization\":\"uint8\",\"offset\":0,\"bytes\":2,\"min\":0,\"max\":1,"
		"\"mean\":0.5,\"zeros\":1,\"nan\":0,\"infinite\":0,\"sha256\":"
		"\"421dd6c30feb9149b349ae67525aae7556eb6c552e0b363edd78f8a8d8646ab8\"},"
		"{\"name\":\"s\",\"dtype\":\"string\",\"shape\":[],\"offset\":2,\"bytes\":4,"
		"\"sha256\":"
		"\"df3f619804a92fdb4057192dc43dd748ea778adc52bc498ce80524c014b81119\"}]");
}
END_TEST

static void expect_rule(const struct findings *f, const char *rule, const char *words)
{
	ck_assert_uint_eq(f->n, 1);
	ck_assert_str_eq(f->items[0].rule, rule);
	ck_assert_int_eq(f->items[0].severity, FINDING_WARNING);
	ck_assert_msg(strstr(f->items[0].message, words) != NULL, "%s", f->items[0].message);
}

START_TEST(weights_that_are_not_finite_are_named)
{
	static const char text[] = "{'weightsManifest':[" SHARD "["
		"{'name':'good','shape':[1],'dtype':'float32'},"
		"{'name':'bad','shape':[2],'dtype':'float32'}]}]}";
	static const float values[] = {1, NAN, INFINITY};
	CLEANUP_FINDINGS struct findings f;
	CLEANUP(modeljson_free_p) struct modeljson *m = parse(text, &f);
	CLEANUP(weightscan_free_p) struct weightscan *s =
		scanned(m, values, sizeof(values), sizeof(values));

	weightscan_findings(s, &f);
	expect_rule(&f, "weights.not-finite",
		"1 NaN and 1 infinite values in 1 of 2 weights: 'bad'");
}
END_TEST

START_TEST(only_tables_of_zeros_are_suspect)
{
	static const char text[] = "{'weightsManifest':[" SHARD "["
		"{'name':'kernel','shape':[1,2],'dtype':'float32'},"
		"{'name':'bias','shape':[2],'dtype':'float32'},"
		"{'name':'one','shape':[1,1],'dtype':'float32'},"
		"{'name':'slot','shape':[1,2],'dtype':'float32','group':'optimizer'},"
		"{'name':'q','shape':[2,1],'dtype':'float32',"
		"'quantization':{'dtype':'uint8','min':-1,'scale':0.5}}]}]}";
	uint8_t bytes[4 * 7 + 2] = {0};
	CLEANUP_FINDINGS struct findings f;
	CLEANUP(modeljson_free_p) struct modeljson *m = parse(text, &f);
	CLEANUP(weightscan_free_p) struct weightscan *s = NULL;

	bytes[28] = bytes[29] = 2;
	s = scanned(m, bytes, sizeof(bytes), sizeof(bytes));
	weightscan_findings(s, &f);
	expect_rule(&f, "weights.all-zero",
		"2 of 2 weights with two dimensions or more hold nothing but zeros: 'kernel', 'q'");
}
END_TEST

/* ---- shards ---- */

START_TEST(layouts_that_load_as_zeros_are_told)
{
	static const struct {
		uint64_t sizes[4];
		size_t n;
		uint64_t last_slice;
		enum sharding_fault fault;
	} cases[] = {
		{{12}, 1, 8, SHARDING_FINE},
		{{8, 8}, 2, 12, SHARDING_FINE},
		{{8, 4}, 2, 8, SHARDING_FINE},
		{{4, 8}, 2, 8, SHARDING_ZEROS},
		{{4, 8}, 2, 7, SHARDING_FINE}, /* one weight reaches over both */
		{{0, 8}, 2, 0, SHARDING_ZEROS},
		{{0, 0}, 2, 0, SHARDING_FINE},
		{{4, 4, 4, 9}, 4, 16, SHARDING_ZEROS},
		{{4, 4, 4, 9}, 4, 15, SHARDING_FINE},
		{{4, 5, 4, 9}, 4, 20, SHARDING_FINE}, /* found by searching */
		{{SHARDING_SHARD_MAX}, 1, 0, SHARDING_FINE},
		{{SHARDING_SHARD_MAX + 1}, 1, 0, SHARDING_TOO_LARGE},
		{{UINT64_MAX / 2, UINT64_MAX / 2, UINT64_MAX}, 3, 9, SHARDING_TOO_LARGE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_msg(sharding_judge(cases[i].sizes, cases[i].n, cases[i].last_slice) ==
			cases[i].fault, "case %zu", i);
}
END_TEST

START_TEST(a_plan_has_equal_shards_and_not_too_many)
{
	static const uint64_t totals[] = {1, 4 << 20, (4 << 20) + 1, UINT64_C(1) << 30,
		(UINT64_C(1) << 30) + 1, UINT64_C(5) << 36, UINT64_MAX};
	char name[SHARDING_NAME_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(totals); i++) {
		struct sharding_plan p = sharding_plan(totals[i]);
		ck_assert_uint_le(p.count, SHARDING_COUNT_MAX);
		ck_assert_uint_ge(p.count, 1);
		ck_assert_uint_le((p.count - 1) * p.size, totals[i] - 1);
		ck_assert_uint_ge(p.size, totals[i] - (p.count - 1) * p.size);
	}
	ck_assert_str_eq(sharding_name(&(struct sharding_plan){.count = 12, .group = 3}, 2, name),
		"group3-shard2of12.bin");
}
END_TEST

static void expect_order(const char *paths, const char *words)
{
	CLEANUP_FINDINGS struct findings f;
	CLEANUP_BUF struct buf text = BUF_INIT(4096);

	buf_addf(&text, "{'weightsManifest':[{'paths':[%s],'weights':[]}]}", paths);
	CLEANUP(modeljson_free_p) struct modeljson *m = parse(buf_str(&text), &f);
	ck_assert_uint_eq(m->manifest->weights_n, 0);
	ck_assert_msg(f.n == (words ? 1 : 0), "%s", paths);
	if (words)
		expect_rule(&f, "weights.shard-order", words);
}

START_TEST(numbered_shards_stand_in_order)
{
	expect_order("'group1-shard1of2.bin','group1-shard2of2.bin'", NULL);
	expect_order("'group1-shard1of2','group1-shard2of2','group2-shard1of1'", NULL);
	expect_order("'g-shard1of3.bin','g-shard3of3.bin','g-shard2of3.bin'",
		"'g-shard3of3.bin' stands where shard 2 of 3 belongs");
	expect_order("'s-shard1of11','s-shard10of11','s-shard11of11','s-shard2of11'",
		"'s-shard10of11' stands where shard 2 of 11 belongs");
	expect_order("'shard2of2.bin','shard1of2.bin'", "where shard 1 of 2 belongs");
	expect_order("'b.bin','a.bin','shardof','shard1of','shard99999999999of2'", NULL);
	expect_order("'a-shard1of2.bin','b.bin','a-shard2of2.bin'", "where shard 1 of 2 belongs");
}
END_TEST

static void expect_resharded(const char *text, const char *want)
{
	static const char *const paths[] = {"x1", "x2"};
	CLEANUP_FREE char *json = quoted(text), *want_json = quoted(want);
	CLEANUP_BUF struct buf out = BUF_INIT(4096);
	struct err e;

	ck_ok(modeljson_reshard(json, strlen(json), paths, 2, &out, &e));
	ck_assert_str_eq(buf_str(&out), want_json);
}

START_TEST(resharding_joins_the_groups_and_keeps_every_entry)
{
	expect_resharded(
		"{ 'a' : 1.50, 'weightsManifest' : [ {'paths':['p'],'weights': [ {'name':'n', "
		"'min':-0.0} , {'name':'\\u00e4'} ] , 'extra':1}, {'weights':[ ],'paths':[]},\n"
		"{'paths':['q'],'weights':[{'name':'weights'}]} ] , 'weights':[{'x':1}]}\n",
		"{ 'a' : 1.50, 'weightsManifest' : [{'paths':['x1','x2'],'weights':[{'name':'n', "
		"'min':-0.0} , {'name':'\\u00e4'},{'name':'weights'}]}] , 'weights':[{'x':1}]}\n");
	expect_resharded("{'weightsManifest':[]}",
		"{'weightsManifest':[{'paths':['x1','x2'],'weights':[]}]}");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("weights");
	TCase *t = tcase_create("weights");

	tcase_add_test(t, floats_are_measured_beside_what_is_not_finite);
	tcase_add_test(t, the_extremes_of_float32_are_finite);
	tcase_add_test(t, nothing_finite_has_no_extremes);
	tcase_add_test(t, every_half_is_widened_exactly);
	tcase_add_test(t, whole_numbers_are_measured);
	tcase_add_test(t, both_parts_of_complex_numbers_count);
	tcase_add_test(t, quantized_weights_are_measured_by_their_values);
	tcase_add_test(t, many_whole_numbers_are_measured_as_each_one_is);
	tcase_add_test(t, many_codes_are_measured_as_each_one_is);
	tcase_add_test(t, each_weight_has_its_place_and_digest);
	tcase_add_test(t, the_scan_is_written_as_json);
	tcase_add_test(t, weights_that_are_not_finite_are_named);
	tcase_add_test(t, only_tables_of_zeros_are_suspect);
	tcase_add_test(t, layouts_that_load_as_zeros_are_told);
	tcase_add_test(t, a_plan_has_equal_shards_and_not_too_many);
	tcase_add_test(t, numbered_shards_stand_in_order);
	tcase_add_test(t, resharding_joins_the_groups_and_keeps_every_entry);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
