/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/artifact.h"
#include "tests/unit/unit.h"

#define INPUT(name) \
	"{\"name\":\"" name "\",\"class_name\":\"InputLayer\",\"config\":{\"name\":\"" name "\"," \
	"\"batch_input_shape\":[null,2],\"dtype\":\"float32\"},\"inbound_nodes\":[]}"
#define RELU(name, inbound) \
	"{\"name\":\"" name "\",\"class_name\":\"ReLU\",\"config\":{\"name\":\"" name "\"}," \
	"\"inbound_nodes\":[" inbound "]}"
#define CALL(of)         "[[\"" of "\",0,0,{}]]"
#define OUTPUT(of, call) "[\"" of "\"," call ",0]"
#define FUNCTIONAL(layers, outputs) \
	"{\"modelTopology\":{\"class_name\":\"Functional\",\"config\":{\"name\":\"m\"," \
	"\"layers\":[" layers "],\"input_layers\":[[\"x\",0,0]],\"output_layers\":[" outputs "]}}}"

/* What is told of a model.json, as a document of its own: keys that stand twice would not pass. */
static struct json_doc *told(const char *text)
{
	CLEANUP(modeljson_free_p) struct modeljson *m = NULL;
	CLEANUP(artifact_free_p) struct artifact *a = NULL;
	CLEANUP_FINDINGS struct findings f;
	CLEANUP_BUF struct buf out = BUF_INIT(1 << 20);
	struct json_doc *doc = NULL;
	struct json_write w;
	struct err e;

	findings_init(&f);
	ck_ok(modeljson_parse(text, strlen(text), &m, &f, &e));
	ck_assert_ptr_nonnull(m);
	ck_ok(artifact_read(m, &a, &f, &e));
	ck_assert(!findings_refuse(&f));
	json_write_init(&w, &out);
	json_write_object(&w, NULL);
	artifact_write(a, &w);
	json_write_object_end(&w);
	ck_ok(json_parse(out.data, out.len, &JSON_LIMITS_SMALL, &doc, &e));
	return doc;
}

static const struct json *outputs_of(const struct json_doc *doc)
{
	return json_get(json_get(json_root(doc), "signature"), "outputs");
}

static void check_outputs(const char *text, const char *const *names, size_t n)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc = told(text);
	const struct json *v = json_first(outputs_of(doc));

	ck_assert_uint_eq(json_count(outputs_of(doc)), n);
	for (size_t i = 0; i < n; i++, v = json_next(v))
		ck_assert_str_eq(json_key(v), names[i]);
}

START_TEST(outputs_of_one_layer_have_names_of_their_own)
{
	static const char *const names[] = {"r", "r_1", "r_2"};

	check_outputs(FUNCTIONAL(INPUT("x") "," RELU("r", CALL("x") "," CALL("x") "," CALL("x")),
		OUTPUT("r", "0") "," OUTPUT("r", "1") "," OUTPUT("r", "2")), names,
		ARRAY_SIZE(names));
}
END_TEST

START_TEST(a_name_that_is_made_is_none_that_is_there)
{
	static const char *const names[] = {"r_1", "r", "r_2", "r_1_1"};

	check_outputs(FUNCTIONAL(INPUT("x") "," RELU("r", CALL("x") "," CALL("x")) ","
		RELU("r_1", CALL("x") "," CALL("x")), OUTPUT("r_1", "0") "," OUTPUT("r", "0") ","
		OUTPUT("r", "1") "," OUTPUT("r_1", "1")), names, ARRAY_SIZE(names));
}
END_TEST

START_TEST(an_output_that_is_renamed_has_its_key_too)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc = told(
		"{\"modelTopology\":{\"versions\":{},\"node\":[{\"name\":\"x\",\"op\":"
		"\"Placeholder\"},{\"name\":\"y\",\"op\":\"Relu\",\"input\":[\"x\"]}]},"
		"\"signature\":{\"outputs\":{\"a\":{\"name\":\"y:0\"},\"b\":{\"name\":\"x:0\"}}},"
		"\"userDefinedMetadata\":{\"structuredOutputKeys\":[\"c\",\"b\"]},"
		"\"weightsManifest\":[]}");
	const struct json *v = json_first(outputs_of(doc));

	ck_assert_str_eq(json_key(v), "c");
	ck_assert_str_eq(json_str(json_get(v, "key")), "a");
	ck_assert_str_eq(json_str(json_get(v, "name")), "y:0");
	v = json_next(v);
	ck_assert_str_eq(json_key(v), "b");
	ck_assert_ptr_null(json_get(v, "key"));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("artifact");
	TCase *t = tcase_create("artifact");

	tcase_add_test(t, outputs_of_one_layer_have_names_of_their_own);
	tcase_add_test(t, a_name_that_is_made_is_none_that_is_there);
	tcase_add_test(t, an_output_that_is_renamed_has_its_key_too);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
