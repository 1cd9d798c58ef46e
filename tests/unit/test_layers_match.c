/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/layers_case.h"

#define MODEL(layers, weights) \
	"{'modelTopology': {'class_name': 'Sequential', 'config': {'name': 's', " \
	"'layers': [" layers "]}}, 'weightsManifest': [{'paths': ['w'], 'weights': [" weights "]}]}"
#define LAYER(cls, config) "{'class_name': '" cls "', 'config': {" config "}}"
#define INPUT ", 'batch_input_shape': [null,4]"
#define DENSE(weights) MODEL(LAYER("Dense", "'name': 'd', 'units': 3" INPUT), weights)
#define WEIGHT(name, shape) "{'name': '" name "', 'shape': " shape ", 'dtype': 'float32'}"

static void check(const char *json, const char *rules, const char *words)
{
	struct layers_case c;

	layers_case_read(&c, json);
	ck_assert_str_eq(layers_case_rules(&c), rules);
	if (words)
		ck_assert_msg(strstr(c.f.items[0].message, words), "%s", c.f.items[0].message);
	layers_case_done(&c);
}

START_TEST(exact_names_match)
{
	check(DENSE(WEIGHT("d/kernel", "[4,3]") "," WEIGHT("d/bias", "[3]")), "", NULL);
}
END_TEST

START_TEST(a_last_component_but_one_may_be_dropped)
{
	check(DENSE(WEIGHT("d/cell/kernel", "[4,3]") "," WEIGHT("d/bias", "[3]")), "", NULL);
}
END_TEST

START_TEST(a_first_name_that_ends_in_a_digit_means_indices)
{
	check(DENSE(WEIGHT("d/0", "[4,3]") "," WEIGHT("d/1", "[3]")), "", NULL);
	check(DENSE(WEIGHT("d/0", "[4,3]") "," WEIGHT("d/bias", "[3]")),
		"layers.weight-surplus layers.weight-missing", "ends in a digit");
	check(DENSE(WEIGHT("d/kernel", "[4,3]") "," WEIGHT("d/1", "[3]")),
		"layers.weight-surplus layers.weight-missing", NULL);
}
END_TEST

START_TEST(names_of_keras_3_files_are_recognised)
{
	check(DENSE(WEIGHT("layers/d/vars/0", "[4,3]") "," WEIGHT("layers/d/vars/1", "[3]")),
		"keras3.weight-vars", "2 weights are named as in a file of Keras 3");
	check(DENSE(WEIGHT("d/vars/0", "[4,3]") "," WEIGHT("d/vars/1", "[3]")), "", NULL);
}
END_TEST

START_TEST(missing_and_surplus_weights_are_named)
{
	check(DENSE(WEIGHT("d/kernel", "[4,3]")), "layers.weight-missing",
		"1 of 2 weights are not set: d/bias");
	check(DENSE(WEIGHT("d/kernel", "[4,3]") "," WEIGHT("d/bias", "[3]") "," WEIGHT("e/bias",
		      "[3]")),
		"layers.weight-surplus", "Provided weight data has no target variable: e/bias");
	check(DENSE(""), "layers.weight-missing", "2 of 2 weights are not set: d/bias,d/kernel");
}
END_TEST

START_TEST(shapes_and_dtypes_must_be_equal)
{
	check(DENSE(WEIGHT("d/kernel", "[3,4]") "," WEIGHT("d/bias", "[3]")), "layers.weight-shape",
		"Shape mismatch: [4,3] vs. [3,4]");
	check(DENSE(WEIGHT("d/kernel",
		      "[4,3]") ",{'name': 'd/bias', 'shape': [3], 'dtype': 'int32'}"),
		"layers.weight-dtype",
		"dtype of the new value (int32) and previous value (float32)");
}
END_TEST

START_TEST(optimizer_weights_are_no_model_weights)
{
	check(DENSE(WEIGHT("d/kernel", "[4,3]") "," WEIGHT("d/bias",
		      "[3]") ",{'name': 'iter', 'shape': [], 'dtype': 'float32', 'group': "
		      "'optimizer'}"),
		"", NULL);
	check(DENSE(WEIGHT("d/kernel",
		      "[4,3]") ",{'name': 'd/bias', 'shape': [3], 'dtype': 'float32', "
			       "'group': 'optimizer'}"),
		"layers.weight-missing", NULL);
}
END_TEST

START_TEST(the_model_before_the_layer_is_keras_3)
{
	check(DENSE(WEIGHT("s/d/kernel", "[4,3]") "," WEIGHT("s/d/bias", "[3]")),
		"keras3.weight-prefix", "2 weights have the model's name before the layer's");
}
END_TEST

START_TEST(a_name_twice_is_said_and_the_later_one_counts)
{
	check(DENSE(WEIGHT("d/bias", "[9]") "," WEIGHT("d/kernel", "[4,3]") "," WEIGHT("d/bias",
		      "[3]")),
		"layers.weight-twice", NULL);
}
END_TEST

#define INNER(name) \
	LAYER("Dense", "'name': '" name "', 'units': 4, 'use_bias': false" INPUT)
#define NESTED(weights) \
	MODEL(LAYER("Sequential", "'name': 'i', 'layers': [" INNER("a") "]") "," \
		INNER("b"), weights)

START_TEST(nested_models_share_one_space_of_names)
{
	check(NESTED(WEIGHT("a/kernel", "[4,4]") "," WEIGHT("b/kernel", "[4,4]")), "",
		NULL);
	check(NESTED(WEIGHT("i/a/kernel", "[4,4]") "," WEIGHT("b/kernel", "[4,4]")),
		"keras3.weight-prefix", NULL);
}
END_TEST

#define LAMBDA(weights) \
	MODEL(LAYER("Custom", "'name': 'c'" INPUT) "," \
		LAYER("Dense", "'name': 'd', 'units': 3"), weights)

START_TEST(weights_under_an_unknown_layer_are_not_judged)
{
	check(LAMBDA(WEIGHT("c/x/y", "[7]") "," WEIGHT("d/kernel", "[9,3]") "," WEIGHT("d/bias",
		      "[3]")),
		"layers.unknown-class", NULL);
	check(LAMBDA(WEIGHT("d/kernel", "[9,2]") "," WEIGHT("d/bias", "[3]")),
		"layers.unknown-class layers.weight-shape", NULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("layers_match");
	TCase *c = tcase_create("layers_match");

	tcase_add_test(c, exact_names_match);
	tcase_add_test(c, a_last_component_but_one_may_be_dropped);
	tcase_add_test(c, a_first_name_that_ends_in_a_digit_means_indices);
	tcase_add_test(c, names_of_keras_3_files_are_recognised);
	tcase_add_test(c, missing_and_surplus_weights_are_named);
	tcase_add_test(c, shapes_and_dtypes_must_be_equal);
	tcase_add_test(c, optimizer_weights_are_no_model_weights);
	tcase_add_test(c, the_model_before_the_layer_is_keras_3);
	tcase_add_test(c, a_name_twice_is_said_and_the_later_one_counts);
	tcase_add_test(c, nested_models_share_one_space_of_names);
	tcase_add_test(c, weights_under_an_unknown_layer_are_not_judged);
	suite_add_tcase(s, c);
	return s;
}

UNIT_MAIN
