/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json/json_scan.h"
#include "common/model/dtype.h"
#include "common/model/filepath.h"
#include "common/model/modeljson.h"
#include "tests/unit/unit.h"

/* ---- findings ---- */

START_TEST(findings_carry_rule_severity_and_fix)
{
	CLEANUP_FINDINGS struct findings f;
	CLEANUP_BUF struct buf b = BUF_INIT(4096);
	struct json_write w;

	findings_init(&f);
	ck_assert(!findings_refuse(&f));
	findings_add(&f, RULE_WEIGHTS_DTYPE, "model.json", "/a/0", "weight %d", 7);
	findings_add(&f, RULE_WEIGHTS_SHAPE, NULL, NULL, "no \"shape\"");
	ck_assert(findings_refuse(&f));
	ck_assert_uint_eq(f.counts[FINDING_ERROR], 2);
	json_write_init(&w, &b);
	json_write_object(&w, NULL);
	findings_write(&f, &w, "findings");
	json_write_object_end(&w);
	ck_assert_str_eq(buf_str(&b),
		"{\"findings\":[{\"rule\":\"weights.dtype\",\"severity\":\"error\","
		"\"pointer\":\"/a/0\",\"file\":\"model.json\",\"message\":\"weight 7\","
		"\"fix\":\"Convert the weight, or save again with a current converter\"},"
		"{\"rule\":\"weights.shape\",\"severity\":\"error\",\"message\":\"no "
		"\\\"shape\\\"\"}]}");
}
END_TEST

START_TEST(findings_beyond_the_limit_are_counted)
{
	CLEANUP_FINDINGS struct findings f;
	struct err e;

	findings_init(&f);
	for (int i = 0; i < FINDINGS_MAX + 50; i++)
		findings_add(&f, RULE_WEIGHTS_SHAPE, NULL, NULL, "number %d", i);
	ck_assert_uint_eq(f.n, FINDINGS_MAX);
	ck_assert_uint_eq(f.counts[FINDING_ERROR], FINDINGS_MAX + 50);
	ck_err(findings_to_err(&f, &e), ERR_NOT_LOADABLE);
	ck_assert_str_eq(e.text, "number 0 (and 149 more errors)");
}
END_TEST

START_TEST(one_error_is_told_as_it_is)
{
	CLEANUP_FINDINGS struct findings f;
	struct err e;

	findings_init(&f);
	findings_add(&f, RULE_JSON_ROOT, NULL, "", "only this");
	ck_err(findings_to_err(&f, &e), ERR_NOT_LOADABLE);
	ck_assert_str_eq(e.text, "only this");
	findings_add(&f, RULE_JSON_ROOT, NULL, "", "and that");
	ck_err(findings_to_err(&f, &e), ERR_NOT_LOADABLE);
	ck_assert_str_eq(e.text, "only this (and 1 more error)");
}
END_TEST

START_TEST(every_rule_has_an_id_of_its_own_and_words)
{
	for (enum finding_rule i = 0; i < FINDING_RULE_COUNT; i++) {
		ck_assert_ptr_nonnull(strchr(finding_rule_id(i), '.'));
		ck_assert(strlen(finding_rule_doc(i)) > 10);
		ck_assert(finding_rule_severity(i) <= FINDING_ERROR);
		for (enum finding_rule j = 0; j < i; j++)
			ck_assert_str_ne(finding_rule_id(i), finding_rule_id(j));
	}
	ck_assert_str_eq(finding_severity_name(FINDING_WARNING), "warning");
}
END_TEST

/* ---- dtypes ---- */

START_TEST(dtypes_are_those_of_tensorflow_js)
{
	enum dtype t;

	ck_assert(dtype_parse_weight("complex64", &t) && t == DTYPE_COMPLEX64 &&
		dtype_bytes(t) == 8);
	ck_assert(dtype_parse_weight("bool", &t) && dtype_bytes(t) == 1);
	ck_assert(dtype_parse_weight("string", &t) && dtype_bytes(t) == 0);
	ck_assert(dtype_parse_quantized("float16", &t) && dtype_bytes(t) == 2);
	ck_assert(!dtype_parse_weight("float16", &t));
	ck_assert(!dtype_parse_weight("uint8", &t));
	ck_assert(!dtype_parse_quantized("float32", &t));
	ck_assert(!dtype_parse_weight("", &t));
	for (t = 0; t <= DTYPE_FLOAT16; t++) {
		enum dtype again;
		ck_assert(dtype_parse_weight(dtype_name(t), &again) ||
			dtype_parse_quantized(dtype_name(t), &again));
		ck_assert_int_eq(t, again);
	}
}
END_TEST

/* ---- model.json ---- */

struct model_case {
	const char *text;
	size_t n;
	enum modeljson_kind kind;
	const char *rule; /* NULL: accepted */
	const char *pointer, *words;
	bool accepted;
};

static const struct model_case cases[] = {
#define ACCEPT(kind, text) {text, sizeof(text) - 1, MODELJSON_##kind, NULL, NULL, NULL, true},
#define WARN(rule, pointer, words, text) {text, sizeof(text) - 1, 0, rule, pointer, words, true},
#define REFUSE(rule, pointer, words, text) {text, sizeof(text) - 1, 0, rule, pointer, words, false},
#include "tests/unit/model_cases.def"
#undef ACCEPT
#undef REFUSE
#undef WARN
};

/* The text with double quotes for single ones, without a byte behind it. */
static char *quoted(const char *text, size_t n)
{
	char *copy = malloc(n + 1);

	ck_assert_ptr_nonnull(copy);
	for (size_t i = 0; i < n; i++)
		copy[i] = (char)(text[i] == '\'' ? '"' : text[i]);
	return realloc(copy, n > 0 ? n : 1);
}

static struct modeljson *parse(const char *text, struct findings *f)
{
	CLEANUP_FREE char *json = quoted(text, strlen(text));
	struct modeljson *m = NULL;
	struct err e;

	findings_init(f);
	ck_ok(modeljson_parse(json, strlen(text), &m, f, &e));
	return m;
}

START_TEST(judgement_on_a_model_json)
{
	const struct model_case *c = &cases[_i];
	CLEANUP_FREE char *text = quoted(c->text, c->n);
	CLEANUP(modeljson_free_p) struct modeljson *m = NULL;
	CLEANUP_FINDINGS struct findings f;
	struct err e;

	findings_init(&f);
	ck_ok(modeljson_parse(text, c->n, &m, &f, &e));
	if (!c->rule) {
		ck_assert_msg(f.n == 0, "%s: %s", c->text, f.n ? f.items[0].message : "");
		ck_assert_int_eq(m->kind, c->kind);
		return;
	}
	ck_assert_msg((m != NULL) == c->accepted, "%s", c->text);
	ck_assert_uint_eq(f.n, 1);
	ck_assert_str_eq(f.items[0].rule, c->rule);
	ck_assert_str_eq(f.items[0].file, "model.json");
	ck_assert_pstr_eq(f.items[0].pointer, c->pointer);
	ck_assert_msg(strstr(f.items[0].message, c->words), "%s: \"%s\" lacks \"%s\"", c->text,
		f.items[0].message, c->words);
}
END_TEST

static const char saved[] =
	"{ 'modelTopology' : {'class_name':'Sequential','config':{'layers':[]}} ,"
	"'format':'layers-model','generatedBy':'TensorFlow.js tfjs-layers v4.22.0',"
	"'convertedBy':null,"
	"'weightsManifest':[{'paths':['./model.weights.bin','b/c.bin'],'weights':["
	"{'name':'dense/kernel','shape':[2,3],'dtype':'float32'},"
	"{'name':'dense/bias','shape':[3],'dtype':'float32','quantization':{'dtype':'uint8',"
	"'min':0,'scale':1}}"
	"]},{'weights':[{'name':'iter','shape':[],'dtype':'int32','group':'optimizer'},"
	"{'name':'words','shape':[2,2],'dtype':'string'}],'paths':['d.bin']}]}";

START_TEST(a_saved_model_is_understood)
{
	CLEANUP_FINDINGS struct findings f;
	CLEANUP(modeljson_free_p) struct modeljson *m = parse(saved, &f);
	const struct manifest *x;

	ck_assert_ptr_nonnull(m);
	ck_assert_int_eq(m->kind, MODELJSON_LAYERS);
	ck_assert_str_eq(modeljson_kind_name(m->kind), "layers-model");
	ck_assert_str_eq(m->format, "layers-model");
	ck_assert_str_eq(m->generated_by, "TensorFlow.js tfjs-layers v4.22.0");
	ck_assert_ptr_null(m->converted_by);
	x = m->manifest;
	ck_assert_uint_eq(x->groups, 2);
	ck_assert_uint_eq(x->paths_n, 3);
	ck_assert_str_eq(x->paths[0], "model.weights.bin");
	ck_assert_str_eq(x->paths[1], "b/c.bin");
	ck_assert_str_eq(x->paths[2], "d.bin");
	ck_assert_uint_eq(x->weights_n, 4);
	ck_assert_str_eq(x->weights[0].name, "dense/kernel");
	ck_assert_uint_eq(x->weights[0].rank, 2);
	ck_assert_uint_eq(x->weights[0].shape[1], 3);
	ck_assert_uint_eq(x->weights[0].bytes, 24);
	ck_assert_int_eq(x->weights[1].dtype, DTYPE_FLOAT32);
	ck_assert_int_eq(x->weights[1].stored, DTYPE_UINT8);
	ck_assert_uint_eq(x->weights[1].bytes, 3);
	ck_assert(x->weights[2].optimizer && !x->weights[1].optimizer);
	ck_assert_uint_eq(x->weights[2].elements, 1);
	ck_assert_uint_eq(x->weights[3].elements, 4);
	ck_assert_uint_eq(x->fixed_bytes, 24 + 3 + 4);
	ck_assert(x->has_strings);
	ck_assert_uint_eq(m->topology_bytes,
		strlen("{'class_name':'Sequential','config':{'layers':[]}}"));
	ck_assert_uint_eq(m->weight_specs_bytes,
		(size_t)(strstr(saved, "]},{'w") + 1 - strstr(saved, "[{'name':'dense/k")) +
			(size_t)(strstr(saved, "],'paths':['d") + 1 -
				strstr(saved, "[{'name':'iter")));
}
END_TEST

START_TEST(every_fault_of_a_manifest_is_told)
{
	CLEANUP_FINDINGS struct findings f;
	struct modeljson *m = parse("{'modelTopology':{},'weightsManifest':[{"
		"'paths':['/a','b','b'],"
		"'weights':[{},{'name':'x','shape':[-1],'dtype':'f'}]},{}]}", &f);

	ck_assert_ptr_null(m);
	/* topology; path, path twice; shape, dtype; shape, dtype; paths, weights */
	ck_assert_uint_eq(f.counts[FINDING_ERROR], 9);
	ck_assert_uint_eq(f.counts[FINDING_WARNING], 1);
}
END_TEST

static void add_numbered(struct buf *b, const char *before, const char *behind, size_t times)
{
	for (size_t i = 0; i < times; i++)
		buf_addf(b, "%s%zu%s", before, i, behind);
}

static const char *rule_of(const struct buf *json)
{
	CLEANUP(modeljson_free_p) struct modeljson *m = NULL;
	CLEANUP_FINDINGS struct findings f;
	struct err e;

	findings_init(&f);
	ck_ok(modeljson_parse(json->data, json->len, &m, &f, &e));
	ck_assert_int_eq(m != NULL, f.n == 0);
	return f.n > 0 ? f.items[0].rule : "none";
}

START_TEST(manifest_limits_are_kept)
{
	CLEANUP_BUF struct buf b = BUF_INIT(32 << 20);

	for (size_t more = 0; more < 2; more++) {
		const char *want = more ? "manifest.limit" : "none";
		buf_clear(&b);
		buf_add_str(&b, "{\"weightsManifest\":[{\"weights\":[],\"paths\":[\"x\"");
		add_numbered(&b, ",\"", "\"", MANIFEST_PATHS_MAX - 1 + more);
		buf_add_str(&b, "]}]}");
		ck_assert_str_eq(rule_of(&b), want);
		buf_clear(&b);
		buf_add_str(&b, "{\"weightsManifest\":[{\"paths\":[],\"weights\":[");
		add_numbered(&b, "{\"name\":\"w", "\",\"shape\":[],\"dtype\":\"bool\"},",
			MANIFEST_WEIGHTS_MAX - 1 + more);
		buf_add_str(&b, "{\"name\":\"w\",\"shape\":[],\"dtype\":\"bool\"}]}]}");
		ck_assert_str_eq(rule_of(&b), want);
		buf_clear(&b);
		buf_add_str(&b, "{\"weightsManifest\":[{\"paths\":[],\"weights\":[{\"name\":\"w\","
			"\"dtype\":"
			"\"bool\",\"shape\":[1");
		for (size_t i = 0; i < MANIFEST_RANK_MAX - 1 + more; i++)
			buf_add_str(&b, ",1");
		buf_add_str(&b, "]}]}]}");
		ck_assert_str_eq(rule_of(&b), want);
	}
}
END_TEST

START_TEST(endless_names_make_no_endless_messages)
{
	CLEANUP_BUF struct buf b = BUF_INIT(32 << 20);
	CLEANUP(modeljson_free_p) struct modeljson *m = NULL;
	CLEANUP_FINDINGS struct findings f;
	struct err e;

	findings_init(&f);
	buf_add_str(&b,
		"{\"weightsManifest\":[{\"paths\":[],\"weights\":[{\"shape\":0,\"dtype\":\"");
	for (size_t i = 0; i < 100000; i++)
		buf_add_char(&b, 'd');
	buf_add_str(&b, "\",\"name\":\"");
	for (size_t i = 0; i < 100000; i++)
		buf_add_char(&b, 'n');
	buf_add_str(&b, "\"}]}]}");
	ck_ok(modeljson_parse(b.data, b.len, &m, &f, &e));
	ck_assert_uint_eq(f.n, 2);
	ck_assert(strlen(f.items[0].message) < 512);
	ck_assert(strlen(f.items[1].message) < 512);
}
END_TEST

START_TEST(a_model_is_recognised_by_its_root_keys)
{
	static const struct {
		const char *text;
		bool found;
	} rows[] = {
		{"{\"modelTopology\":{}}", true},
		{"{\"a\":{\"b\":[1,2]},\"weightsManifest\":[]}", true},
		{"\xEF\xBB\xBF {\"weightsManifest\":[]}", true},
		{"{\"modelTopolog\\u0079\":{}}", true},
		{"{\"modelTopology\":{} and then it breaks", true},
		{"{\"modelTopology\"", true},
		{"{\"a\":{\"modelTopology\":{}}}", false},
		{"[{\"modelTopology\":{}}]", false},
		{"{\"ModelTopology\":{}}", false},
		{"{\"a\":\"weightsManifest\"}", false},
		{"{\"labels\":[\"cat\"]}", false},
		{"\"modelTopology\"", false},
		{"", false},
		{"\xFF\xFE", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ck_assert_msg(modeljson_recognise(rows[i].text,
			strlen(rows[i].text)) == rows[i].found, "%s",
			rows[i].text);
}
END_TEST

/* ---- walking the weights ---- */

static const char mixed[] = "{'weightsManifest':[{'paths':['a'],'weights':["
	"{'name':'none','shape':[0],'dtype':'string'},"
	"{'name':'words','shape':[3],'dtype':'string'},"
	"{'name':'empty','shape':[0,5],'dtype':'float32'},"
	"{'name':'half','shape':[3],'dtype':'float32','quantization':{'dtype':'float16'}},"
	"{'name':'more','shape':[],'dtype':'string'},"
	"{'name':'flag','shape':[],'dtype':'bool'},"
	"{'name':'last','shape':[2,0],'dtype':'string'}]}]}";
static const uint8_t stream[] = {
	2, 0, 0, 0, 'h', 'i', 0, 0, 0, 0, 5, 0, 0, 0, 'w', 'o', 'r', 'l', 'd', /* words */
	1, 2, 3, 4, 5, 6,                                                     /* half */
	1, 0, 0, 0, '!',                                                      /* more */
	1,                                                                    /* flag */
};

/* The rule that `n` bytes of the stream (zeros behind its end) end with, fed in two pieces. */
static const char *walk(const struct manifest *m, size_t n, size_t split)
{
	CLEANUP_FINDINGS struct findings f;
	CLEANUP_FREE uint8_t *first = calloc(1, split + 1), *second = calloc(1, n - split + 1);
	struct manifest_walk w;
	const char *rule;

	findings_init(&f);
	for (size_t i = 0; i < n && i < sizeof(stream); i++)
		*(i < split ? &first[i] : &second[i - split]) = stream[i];
	manifest_walk_init(&w, m);
	manifest_walk_feed(&w, first, split);
	manifest_walk_feed(&w, second, n - split);
	manifest_walk_finish(&w, &f);
	ck_assert_uint_eq(w.offset, n);
	rule = f.n > 0 ? f.items[0].rule : "none";
	return rule;
}

START_TEST(a_stream_is_judged_alike_however_it_is_cut)
{
	CLEANUP_FINDINGS struct findings f;
	CLEANUP(modeljson_free_p) struct modeljson *m = parse(mixed, &f);

	ck_assert_ptr_nonnull(m);
	for (size_t n = 0; n <= sizeof(stream) + 5; n++) {
		const char *want = n < sizeof(stream) ? "weights.too-short" :
			n > sizeof(stream)            ? "weights.too-long" :
							"none";
		for (size_t split = 0; split <= n; split++)
			ck_assert_str_eq(walk(m->manifest, n, split), want);
	}
}
END_TEST

START_TEST(a_stream_fed_byte_by_byte_is_judged_alike)
{
	CLEANUP_FINDINGS struct findings f;
	CLEANUP(modeljson_free_p) struct modeljson *m = parse(mixed, &f);
	struct manifest_walk w;

	manifest_walk_init(&w, m->manifest);
	for (size_t i = 0; i < sizeof(stream); i++)
		manifest_walk_feed(&w, &stream[i], 1);
	manifest_walk_feed(&w, NULL, 0);
	manifest_walk_finish(&w, &f);
	ck_assert_uint_eq(f.n, 0);
	ck_assert_uint_eq(w.surplus, 0);
}
END_TEST

static void expect_walk(const char *text, const uint8_t *bytes, size_t n, const char *words)
{
	CLEANUP_FINDINGS struct findings f;
	CLEANUP(modeljson_free_p) struct modeljson *m = parse(text, &f);
	struct manifest_walk w;

	ck_assert_ptr_nonnull(m);
	manifest_walk_init(&w, m->manifest);
	manifest_walk_feed(&w, bytes, n);
	manifest_walk_finish(&w, &f);
	ck_assert_uint_eq(f.n, 1);
	ck_assert_msg(strstr(f.items[0].message, words), "%s", f.items[0].message);
}

START_TEST(a_wrong_length_is_explained)
{
	static const char two[] = "{'weightsManifest':[{'paths':['a'],'weights':["
		"{'name':'w','shape':[2],'dtype':'float32'},{'name':'b','shape':[3,1],"
		"'dtype':'int32'}]}]}";
	static const uint8_t endless[] = {0xFF, 0xFF, 0xFF, 0xFF, 'x'};

	expect_walk(two, stream, 12,
		"12 bytes and end inside weight 1, 'b' (int32, [3,1]): it has 4 of its 12 "
		"bytes; TensorFlow.js says \"Based on the provided shape, [3,1], the tensor should "
		"have 3");
	expect_walk(two, stream, 21, "hold 21 bytes, the manifest describes 20");
	expect_walk(mixed, stream, 9, "'words' (string, [3]), in string 1 of 3");
	expect_walk(mixed, endless, 5, "in string 0 of 3");
	expect_walk("{'weightsManifest':[]}", stream, 1, "hold 1 bytes, the manifest describes 0");
}
END_TEST

START_TEST(a_long_shape_is_cut_in_messages)
{
	CLEANUP_BUF struct buf b = BUF_INIT(4096);

	buf_add_str(&b,
		"{'weightsManifest':[{'paths':[],'weights':[{'name':'w','dtype':'bool','shape':[0");
	for (int i = 0; i < 40; i++)
		buf_add_str(&b, ",9007199254740991");
	buf_add_str(&b, "]},{'name':'v','dtype':'bool','shape':[9007199254740991");
	for (int i = 0; i < 62; i++)
		buf_add_str(&b, ",1");
	buf_add_str(&b, "]}]}]}");
	expect_walk(buf_str(&b), stream, 1, "(bool, [9007199254740991,1,1,1,");
	expect_walk(buf_str(&b), stream, 1, ",...]");
}
END_TEST

START_TEST(the_stream_ends_where_the_weights_do)
{
	static const char text[] = "{'weightsManifest':[{'paths':['a'],'weights':["
		"{'name':'a','shape':[3],'dtype':'float32'},{'name':'z','shape':[0],"
		"'dtype':'int32'},"
		"{'name':'b','shape':[5],'dtype':'float32','quantization':{'dtype':'uint8','min':0,"
		"'scale':1}},"
		"{'name':'c','shape':[],'dtype':'complex64'}]}]}";
	CLEANUP_FINDINGS struct findings f;
	CLEANUP(modeljson_free_p) struct modeljson *m = parse(text, &f);
	static const uint8_t zeros[40];

	ck_assert_uint_eq(m->manifest->fixed_bytes, 25);
	for (uint64_t total = 0; total < sizeof(zeros); total++) {
		CLEANUP_FINDINGS struct findings g;
		struct manifest_walk w;
		findings_init(&g);
		manifest_walk_init(&w, m->manifest);
		manifest_walk_feed(&w, zeros, total);
		manifest_walk_finish(&w, &g);
		ck_assert_uint_eq(g.n, total != 25);
		if (g.n > 0)
			ck_assert_str_eq(g.items[0].rule,
				total < 25 ? "weights.too-short" : "weights.too-long");
	}
}
END_TEST

/* ---- rewriting ---- */

static char *rewritten(const char *text, const char *prefix)
{
	CLEANUP_FREE char *json = quoted(text, strlen(text));
	CLEANUP_BUF struct buf out = BUF_INIT(1 << 20);
	struct err e;

	ck_ok(modeljson_rewrite_paths(json, strlen(text), prefix, &out, &e));
	return buf_take(&out, NULL);
}

static void expect_rewritten(const char *text, const char *want)
{
	CLEANUP_FREE char *out = rewritten(text, "../m@7/");
	CLEANUP_FREE char *want_json = quoted(want, strlen(want) + 1);

	ck_assert_str_eq(out, want_json);
}

START_TEST(rewriting_replaces_paths_and_nothing_else)
{
	expect_rewritten(
		"\xEF\xBB\xBF{ 'x' : 9007199254740993, 'weightsManifest' :\n[ {'paths' : [ "
		"'./a.bin' ,'b/c.bin'],"
		" 'weights':[{'name':'paths','min':-0.0}]},{'weights':[],'paths':['d']} ], "
		"'y':'\\u00e4\\/'} \n",
		"\xEF\xBB\xBF{ 'x' : 9007199254740993, 'weightsManifest' :\n[ {'paths' : [ "
		"'../m@7/a.bin' ,"
		"'../m@7/b/c.bin'], "
		"'weights':[{'name':'paths','min':-0.0}]},{'weights':[],'paths':['../m@7/d']} ],"
		" 'y':'\\u00e4\\/'} \n");
}
END_TEST

START_TEST(rewriting_leaves_lookalikes_alone)
{
	static const char *const texts[] = {
		"{'modelTopology':{'weightsManifest':[{'paths':['a']}]}}",
		"{'userDefinedMetadata':{'weightsManifest':[{'paths':['a']}],'paths':['b']},"
		"'paths':['c']}",
		"{'weightsManifest':[{'weights':[{'paths':['a']}],'x':['b'],'paths':[]}],"
		"'z':[{'paths':['c']}]}",
		"{'weightsManifest':null,'paths':[['a']],'x':{'paths':['a']}}",
		"[{'weightsManifest':[{'paths':['a']}]}]",
		"{'weightsManifest':{'paths':['a'],'b':{'paths':['c']}}}",
		"{'weightsManifest':[[{'paths':['a']}]]}",
		"{'weightsManifest':[{'paths':{'k':'v'},'x':['paths']}]}",
		"{'weightsManifest':[{'paths':[['a'],{'k':'v'}]}]}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		expect_rewritten(texts[i], texts[i]);
}
END_TEST

START_TEST(rewriting_understands_and_writes_escapes)
{
	expect_rewritten("{'weights\\u004danifest':[{'p\\u0061ths':['.\\/\\u0061 \\u00e4.bin']}]}",
		"{'weights\\u004danifest':[{'p\\u0061ths':['../m@7/a \xC3\xA4.bin']}]}");
}
END_TEST

START_TEST(rewriting_stops_at_the_ceiling)
{
	CLEANUP_BUF struct buf out = BUF_INIT(40);
	static const char text[] = "{\"weightsManifest\":[{\"paths\":[\"a\"]}]}";
	struct err e;

	ck_err(modeljson_rewrite_paths(text, sizeof(text) - 1, "../m@7/", &out, &e), ERR_TOO_LARGE);
}
END_TEST

/* ---- accidents ---- */

START_TEST(accidents_are_recognised)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *name;
	} rows[] = {
#define ROW(bytes, name) {bytes, sizeof(bytes) - 1, name},
		ROW("<!doctype HTML><html>", "an HTML page")
		ROW("\r\n  <html lang=en>", "an HTML page")
		ROW("\xEF\xBB\xBF<!DOCTYPE html>", "an HTML page")
		ROW("<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code>", "an XML document")
		ROW("version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer")
		ROW("\x1f\x8b\x08\0\0\0\0\0\0\x03", "a gzip stream")
		ROW("\x1f\x8b\x08\x08\x12\x34\x56\x78\x02\xff" "name", "a gzip stream")
		ROW("PK\x03\x04\x14\0\0\0\x08\0aaaabbbbccccddddeeeeffff", "a zip archive")
		ROW("{\"error\": \"not found\"}", "JSON")
		ROW(" [\n {\"a\":1}]", "JSON")
		ROW("{\"error\": \"caf\xC3", "JSON")
		ROW("", NULL)
		ROW("{", NULL)
		ROW("{}", NULL)
		ROW("\x1f\x8b\x08\xff\0\0\0\0\0\x03", NULL)
		ROW("\x1f\x8b\x3f\x80\0\0\0\0\0\x03", NULL)
		ROW("\0\0\x80\x3f\0\0\0\x40", NULL)
		ROW("{\"a\":1,\0\0\0\0\0\0", NULL)
		ROW("\x04\0\0\0<html>", NULL)
		ROW("<h\xff\xfftml>", NULL)
		ROW("[0.123, 0.456, 0.789]", NULL)
		ROW("{abcdefghijkl", NULL)
#undef ROW
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ck_assert_pstr_eq(modeljson_sniff((const uint8_t *)rows[i].bytes, rows[i].n, NULL),
			rows[i].name);
}
END_TEST

START_TEST(only_what_chance_cannot_make_is_certain)
{
	static const struct {
		const char *bytes;
		bool certain;
	} rows[] = {
		{"<!DOCTYPE html>", true},
		{"\n<html lang=\"en\">", true},
		{"version https://git-lfs.github.com/spec/v1\noid", true},
		{"<!-- ", false},
		{"{\"error\": \"not found\"}", false},
		{"\x1f\x8b\x08\x08\x12\x34\x56\x78\x02\xff" "name", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool certain = !rows[i].certain;
		const char *name = modeljson_sniff((const uint8_t *)rows[i].bytes,
			strlen(rows[i].bytes), &certain);
		ck_assert_ptr_nonnull(name);
		ck_assert_msg(certain == rows[i].certain, "%s", rows[i].bytes);
	}
}
END_TEST

START_TEST(only_the_first_bytes_are_looked_at)
{
	uint8_t bytes[MODELJSON_SNIFF + 64];

	memset(bytes, ' ', sizeof(bytes));
	memcpy(bytes, "{\"", 2);
	ck_assert_pstr_eq(modeljson_sniff(bytes, sizeof(bytes), NULL), "JSON");
	bytes[MODELJSON_SNIFF] = 0;
	ck_assert_pstr_eq(modeljson_sniff(bytes, sizeof(bytes), NULL), "JSON");
	bytes[MODELJSON_SNIFF - 1] = 0;
	ck_assert_pstr_eq(modeljson_sniff(bytes, sizeof(bytes), NULL), NULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("model");
	TCase *findings = tcase_create("findings");
	TCase *json = tcase_create("modeljson");
	TCase *walking = tcase_create("walk");
	TCase *rewrite = tcase_create("rewrite");

	tcase_add_test(findings, findings_carry_rule_severity_and_fix);
	tcase_add_test(findings, findings_beyond_the_limit_are_counted);
	tcase_add_test(findings, one_error_is_told_as_it_is);
	tcase_add_test(findings, every_rule_has_an_id_of_its_own_and_words);
	tcase_add_test(findings, dtypes_are_those_of_tensorflow_js);
	suite_add_tcase(s, findings);
	tcase_set_timeout(json, 60);
	tcase_add_loop_test(json, judgement_on_a_model_json, 0, ARRAY_SIZE(cases));
	tcase_add_test(json, a_saved_model_is_understood);
	tcase_add_test(json, every_fault_of_a_manifest_is_told);
	tcase_add_test(json, manifest_limits_are_kept);
	tcase_add_test(json, endless_names_make_no_endless_messages);
	tcase_add_test(json, a_model_is_recognised_by_its_root_keys);
	suite_add_tcase(s, json);
	tcase_add_test(walking, a_stream_is_judged_alike_however_it_is_cut);
	tcase_add_test(walking, a_stream_fed_byte_by_byte_is_judged_alike);
	tcase_add_test(walking, a_wrong_length_is_explained);
	tcase_add_test(walking, a_long_shape_is_cut_in_messages);
	tcase_add_test(walking, the_stream_ends_where_the_weights_do);
	suite_add_tcase(s, walking);
	tcase_add_test(rewrite, rewriting_replaces_paths_and_nothing_else);
	tcase_add_test(rewrite, rewriting_leaves_lookalikes_alone);
	tcase_add_test(rewrite, rewriting_understands_and_writes_escapes);
	tcase_add_test(rewrite, rewriting_stops_at_the_ceiling);
	tcase_add_test(rewrite, accidents_are_recognised);
	tcase_add_test(rewrite, only_what_chance_cannot_make_is_certain);
	tcase_add_test(rewrite, only_the_first_bytes_are_looked_at);
	suite_add_tcase(s, rewrite);
	return s;
}

UNIT_MAIN
