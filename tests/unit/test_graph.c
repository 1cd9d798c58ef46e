/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/graph.h"
#include "common/model/graph_names.h"
#include "common/model/graph_ops.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define OP(name, op, inputs, attrs) \
	"{'name':'" name "','op':'" op "','input':[" inputs "],'attr':{" attrs "}}"
#define X                   OP("x", "Placeholder", "", "'dtype':{'type':'DT_FLOAT'}")
#define RELU(name, input)   OP(name, "Relu", input, "")
#define CONST(name, attrs)  OP(name, "Const", "", attrs)
#define ENTER(name, input)  OP(name, "Enter", input, "'frame_name':{'s':'dw=='}," \
	"'is_constant':{'b':false}")
#define IF(name, then, other) \
	OP(name, "If", "'x','x'", "'then_branch':{'func':{'name':'" then "'}}," \
	"'else_branch':{'func':{'name':'" other "'}}")
#define POOL(padding, ksize) \
	OP("y", "MaxPool", "'x'", "'padding':{'s':" padding "},'ksize':{'list':{'i':" ksize "}}," \
	"'strides':{'list':{'i':[1,1,1,1]}}")
#define TABLE \
	OP("t", "HashTableV2", "", "'key_dtype':{'type':'DT_STRING'}," \
		"'value_dtype':{'type':'DT_STRING'}")
#define HANDLE              OP("h", "Placeholder", "", "'dtype':{'type':'DT_RESOURCE'}")
#define WEIGHT(name, dtype, shape) \
	"{'name':'" name "','dtype':'" dtype "','shape':" shape "}"
#define SIGNATURE(input, output) \
	",'signature':{'inputs':{'in':{'name':'" input "'}}," \
	"'outputs':{'out':{'name':'" output "'}}}"
#define FUNCTION(name, args, outputs, nodes, ret) \
	"{'signature':{'name':'" name "','inputArg':[<" args ">],'outputArg':[<" outputs ">]}," \
	"'nodeDef':[" nodes "],'ret':{'r':'" ret "'}}"
#define RESOURCE(id) \
	",'signature':{'inputs':{'h':{'name':'h:0','dtype':'DT_RESOURCE','resourceId':" id "}}}," \
	"'modelInitializer':{'node':[" TABLE "," CONST("k", "") "," \
	OP("i", "LookupTableImportV2", "'t','k','k'", "") "," \
	OP("o", "Identity", "'t','^i'", "") "]}," \
	"'initializerSignature':{'outputs':{'o':{'name':'o:0','resourceId':7}}}"

struct graph_case {
	const char *name, *more, *functions, *nodes, *weights, *rules;
};

static const struct graph_case cases[] = {
#define GRAPH_CASE(name, more, functions, nodes, weights, rules) \
	{#name, more, functions, nodes, weights, rules},
#include "tests/unit/graph_cases.def"
};

/* Arguments between < and > are names: <'a','b'> stands for [{"name":"a"},{"name":"b"}]. */
static void add_json(struct buf *out, const char *text)
{
	bool args = false, open = false;

	for (; *text; text++) {
		if (*text == '<' || *text == '>') {
			args = *text == '<';
		} else if (*text == '\'') {
			if (args && !open)
				buf_add_str(out, "{\"name\":");
			buf_add_char(out, '"');
			if (args && open)
				buf_add_char(out, '}');
			open = args && !open;
		} else {
			buf_add_char(out, *text);
		}
	}
}

static struct modeljson *parse(const struct graph_case *c, struct findings *f)
{
	CLEANUP_BUF struct buf text = BUF_INIT(1 << 20);
	struct modeljson *m = NULL;
	struct err e;

	add_json(&text, "{'modelTopology':{'versions':{},'library':{'function':[");
	add_json(&text, c->functions);
	add_json(&text, "]},'node':[");
	add_json(&text, c->nodes);
	add_json(&text, "]}");
	add_json(&text, c->more);
	add_json(&text, ",'weightsManifest':[{'paths':['w'],'weights':[");
	add_json(&text, c->weights);
	add_json(&text, "]}]}");
	ck_ok(modeljson_parse(text.data, text.len, &m, f, &e));
	ck_assert_msg(m, "%s: %s", c->name, f->n ? f->items[0].message : "");
	return m;
}

START_TEST(a_graph_has_the_findings_of_its_faults)
{
	const struct graph_case *c = &cases[_i];
	CLEANUP(graph_free_p) struct graph_model *g = NULL;
	CLEANUP(modeljson_free_p) struct modeljson *m = NULL;
	CLEANUP_FINDINGS struct findings f;
	CLEANUP_BUF struct buf rules = BUF_INIT(4096);
	struct err e;

	findings_init(&f);
	m = parse(c, &f);
	ck_ok(graph_read(m, &g, &f, &e));
	ck_assert_ptr_nonnull(g);
	for (size_t i = 0; i < f.n; i++) {
		buf_addf(&rules, "%s%s", i ? " " : "", f.items[i].rule);
		ck_assert_str_eq(f.items[i].file, "model.json");
		ck_assert_int_eq(f.items[i].pointer[0], '/');
	}
	ck_assert_msg(strcmp(buf_str(&rules), c->rules) == 0, "%s: %s\n%s", c->name,
		buf_str(&rules), f.n ? f.items[0].message : "");
}
END_TEST

/* ---- signatures ---- */

#define read_case(...) \
	CLEANUP(graph_free_p) struct graph_model *g = NULL; \
	CLEANUP(modeljson_free_p) struct modeljson *m = NULL; \
	CLEANUP_FINDINGS struct findings f; \
	struct err e; \
	findings_init(&f); \
	m = parse(&(struct graph_case){__VA_ARGS__}, &f); \
	ck_ok(graph_read(m, &g, &f, &e)); \
	ck_assert_ptr_nonnull(g)

START_TEST(a_signature_tells_names_types_shapes_and_resources)
{
	const struct graph_tensor *t;
	size_t n;

	read_case("signature", ",'signature':{'inputs':{'a':{'name':'x:0','dtype':1,'tensorShape':"
		"{'dim':[{'size':'-1'},{'size':3}]}},'h':{'name':'h:0','resourceId':'7'}}}", "",
		X "," HANDLE "," RELU("y", "'x'"), "", "");
	ck_assert_int_eq(graph_signature_source(g), GRAPH_DECLARED);
	t = graph_inputs(g, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(t[0].name, "a");
	ck_assert_str_eq(t[0].node, "x:0");
	ck_assert_str_eq(t[0].dtype, "DT_FLOAT");
	ck_assert(t[0].rank_known && t[0].rank == 2 && t[0].shape[0] == -1 && t[0].shape[1] == 3);
	ck_assert(!t[0].has_resource);
	ck_assert(t[1].has_resource && t[1].resource_id == 7 && !t[1].rank_known);
	ck_assert_str_eq(t[1].dtype, "DT_RESOURCE");
	t = graph_outputs(g, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(t[1].name, "y");
}
END_TEST

START_TEST(without_a_signature_it_is_derived)
{
	const struct graph_tensor *t;
	size_t n;

	read_case("derived", "", "", X "," OP("c", "Cast", "'x'", "'DstT':{'type':'DT_INT64'}") ","
		CONST("k", "'dtype':{'type':'DT_INT32'}"), WEIGHT("k", "int32", "[2]"), "");
	ck_assert_int_eq(graph_signature_source(g), GRAPH_DERIVED);
	ck_assert_str_eq(graph_source_name(GRAPH_DERIVED), "derived");
	t = graph_inputs(g, &n);
	ck_assert(n == 1 && strcmp(t[0].name, "x") == 0 && strcmp(t[0].dtype, "DT_FLOAT") == 0);
	t = graph_outputs(g, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(t[0].dtype, "DT_INT64");
	ck_assert(!t[0].rank_known);
	ck_assert(t[1].rank_known && t[1].rank == 1 && t[1].shape[0] == 2);
}
END_TEST

START_TEST(metadata_replaces_the_signature)
{
	size_t n;

	read_case("metadata", SIGNATURE("x", "y") ",'userDefinedMetadata':{'signature':{'inputs':"
		"{'m':{'name':'x'}}}}", "", X "," RELU("y", "'x'"), "", "");
	ck_assert_int_eq(graph_signature_source(g), GRAPH_METADATA);
	ck_assert_str_eq(graph_inputs(g, &n)[0].name, "m");
}
END_TEST

START_TEST(keys_of_the_structure_rename_outputs_by_position)
{
	const struct graph_tensor *t;
	size_t n;

	read_case("structured", ",'signature':{'outputs':{'b':{'name':'y'},'a':{'name':'x'}}},"
		"'userDefinedMetadata':{'structuredOutputKeys':['first','second']}", "",
		X "," RELU("y", "'x'"), "", "");
	t = graph_outputs(g, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(t[0].name, "b");
	ck_assert_str_eq(t[0].returned, "first");
	ck_assert_str_eq(t[1].name, "a");
	ck_assert_str_eq(t[1].returned, "second");
	ck_assert_uint_eq(f.n, 0);
}
END_TEST

START_TEST(names_that_are_array_indices_come_first)
{
	static const char *const expected[] = {"c", "b", "a", "d", "e"};
	const struct graph_tensor *t;
	size_t n;

	read_case("indices", ",'signature':{'outputs':{'a':{'name':'01'},'b':{'name':'10'},"
		"'c':{'name':'9'},'d':{'name':'4294967295'},'e':{'name':'0:0'}}}", "",
		X "," RELU("10", "'x'") "," RELU("9", "'x'") "," RELU("01", "'x'") ","
		RELU("4294967295", "'x'") "," RELU("0", "'x'"), "", "");
	t = graph_outputs(g, &n);
	ck_assert_uint_eq(n, ARRAY_SIZE(expected));
	for (size_t i = 0; i < n; i++)
		ck_assert_str_eq(t[i].name, expected[i]);
}
END_TEST

START_TEST(nodes_ops_and_functions_are_counted)
{
	read_case("counts", SIGNATURE("x", "y"),
		FUNCTION("f", "'a'", "'r'", RELU("n", "'a'"), "n:y:0"),
		X "," RELU("a", "'x'") "," RELU("b", "'a'") "," IF("y", "f", "f"), "", "");
	ck_assert_uint_eq(graph_counts(g)->nodes, 4);
	ck_assert_uint_eq(graph_counts(g)->ops, 3);
	ck_assert_uint_eq(graph_counts(g)->functions, 1);
	ck_assert(graph_counts(g)->async);
}
END_TEST

/* ---- size ---- */

START_TEST(a_chain_of_many_nodes_takes_no_stack_and_no_time)
{
	CLEANUP_BUF struct buf text = BUF_INIT(32 << 20);
	CLEANUP(graph_free_p) struct graph_model *g = NULL;
	CLEANUP(modeljson_free_p) struct modeljson *m = NULL;
	CLEANUP_FINDINGS struct findings f;
	struct err e;

	findings_init(&f);
	buf_add_str(&text, "{\"modelTopology\":{\"versions\":{},\"node\":["
		"{\"name\":\"0\",\"op\":\"Placeholder\"}");
	for (int i = 1; i < 150000; i++)
		buf_addf(&text, ",{\"name\":\"%d\",\"op\":\"Relu\",\"input\":[\"%d\"]}", i, i - 1);
	buf_add_str(&text, "]},\"weightsManifest\":[]}");
	ck_ok(modeljson_parse(text.data, text.len, &m, &f, &e));
	ck_ok(graph_read(m, &g, &f, &e));
	ck_assert_uint_eq(f.n, 0);
	ck_assert_uint_eq(graph_counts(g)->nodes, 150000);
}
END_TEST

START_TEST(more_outputs_than_are_read_are_refused)
{
	CLEANUP_BUF struct buf text = BUF_INIT(32 << 20);
	CLEANUP(graph_free_p) struct graph_model *g = NULL;
	CLEANUP(modeljson_free_p) struct modeljson *m = NULL;
	CLEANUP_FINDINGS struct findings f;
	struct err e;

	findings_init(&f);
	buf_add_str(&text, "{\"modelTopology\":{\"versions\":{},\"node\":[");
	for (int i = 0; i <= GRAPH_TENSORS_MAX; i++)
		buf_addf(&text, "%s{\"name\":\"%d\",\"op\":\"NoOp\"}", i ? "," : "", i);
	buf_add_str(&text, "]},\"weightsManifest\":[]}");
	ck_ok(modeljson_parse(text.data, text.len, &m, &f, &e));
	ck_ok(graph_read(m, &g, &f, &e));
	ck_assert_ptr_null(g);
	ck_assert_uint_eq(f.n, 1);
	ck_assert_str_eq(f.items[0].rule, "graph.limit");
}
END_TEST

/* ---- tables ---- */

START_TEST(every_op_is_found_by_its_name)
{
	static const char *const names[] = {
#define GRAPH_OP(name, ...) name,
#include "common/model/graph_ops.def"
#undef GRAPH_OP
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct graph_ops_op *op = graph_ops_find(names[i]);
		ck_assert_ptr_nonnull(op);
		ck_assert_str_eq(op->name, names[i]);
		for (size_t k = 0; k < op->attrs_n; k++)
			ck_assert_ptr_nonnull(op->attrs[k].name);
	}
	ck_assert_ptr_null(graph_ops_find("RaggedGather"));
	ck_assert_ptr_null(graph_ops_find(""));
	ck_assert_str_eq(graph_release(), "4.22.0");
}
END_TEST

START_TEST(dtypes_are_known_by_name_and_number)
{
	ck_assert_str_eq(graph_ops_dtype(1), "DT_FLOAT");
	ck_assert_str_eq(graph_ops_dtype(23), "DT_UINT64");
	ck_assert_ptr_null(graph_ops_dtype(24));
	ck_assert_str_eq(graph_ops_dtype_js("DT_INT64"), "int32");
	ck_assert_ptr_null(graph_ops_dtype_js("DT_VARIANT"));
	ck_assert_ptr_null(graph_ops_dtype_find("float32"));
}
END_TEST

START_TEST(names_keep_the_last_number)
{
	CLEANUP(graph_names_done) struct graph_names t = {0};
	char text[1000][8];
	struct err e;
	uint32_t v;

	ck_assert(!graph_names_get(&t, STR_LIT("a"), &v));
	ck_ok(graph_names_init(&t, 1000, &e));
	for (uint32_t i = 0; i < 1000; i++) {
		(void)snprintf(text[i], sizeof(text[i]), "%u", i);
		ck_assert(!graph_names_set(&t, str_of(text[i]), i));
	}
	ck_assert(graph_names_set(&t, STR_LIT("7"), 77));
	for (uint32_t i = 0; i < 1000; i++) {
		ck_assert(graph_names_get(&t, str_of(text[i]), &v));
		ck_assert_uint_eq(v, i == 7 ? 77 : i);
	}
	ck_assert(!graph_names_get(&t, STR_LIT("1000"), &v));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("graph");
	TCase *t = tcase_create("graph");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, a_graph_has_the_findings_of_its_faults, 0, ARRAY_SIZE(cases));
	tcase_add_test(t, a_signature_tells_names_types_shapes_and_resources);
	tcase_add_test(t, without_a_signature_it_is_derived);
	tcase_add_test(t, metadata_replaces_the_signature);
	tcase_add_test(t, keys_of_the_structure_rename_outputs_by_position);
	tcase_add_test(t, names_that_are_array_indices_come_first);
	tcase_add_test(t, nodes_ops_and_functions_are_counted);
	tcase_add_test(t, a_chain_of_many_nodes_takes_no_stack_and_no_time);
	tcase_add_test(t, more_outputs_than_are_read_are_refused);
	tcase_add_test(t, every_op_is_found_by_its_name);
	tcase_add_test(t, dtypes_are_known_by_name_and_number);
	tcase_add_test(t, names_keep_the_last_number);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
