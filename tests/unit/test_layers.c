/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/layers_case.h"

#include "common/model/layers_internal.h"

#define SEQUENTIAL(layers) \
	"{'modelTopology': {'class_name': 'Sequential', " \
	"'config': {'name': 's', 'layers': [" layers "]}}}"
#define LAYER(cls, config) "{'class_name': '" cls "', 'config': {'name': 'it'" config "}}"
#define FUNCTIONAL(layers, ins, outs) \
	"{'modelTopology': {'model_config': {'class_name': 'Functional', 'config': {'name': 'm', " \
	"'layers': [" layers "], 'input_layers': [" ins "], 'output_layers': [" outs "]}}}}"
#define INPUT(name, shape) \
	"{'name': '" name "', 'class_name': 'InputLayer', 'config': {'name': '" name "', " \
	"'batch_input_shape': " shape ", 'dtype': 'float32'}, 'inbound_nodes': []}"
#define NODE(name, cls, config, inbound) \
	"{'name': '" name "', 'class_name': '" cls "', 'config': {'name': '" name "'" config \
	"}, 'inbound_nodes': " inbound "}"

static void check(const char *json, const char *weights, const char *outputs, const char *rules)
{
	struct layers_case c;

	layers_case_read(&c, json);
	ck_assert_str_eq(layers_case_rules(&c), rules);
	ck_assert_str_eq(layers_case_weights(&c), weights);
	ck_assert_str_eq(layers_case_outputs(&c), outputs);
	layers_case_done(&c);
}

/* The one layer that TensorFlow.js refuses, and under which rule. */
static void refused(const char *json, const char *rules)
{
	struct layers_case c;

	layers_case_read(&c, json);
	ck_assert_str_eq(layers_case_rules(&c), rules);
	layers_case_done(&c);
}

START_TEST(every_registered_layer_is_known)
{
	for (size_t i = 0; i < LAYERS_CLASS_COUNT; i++) {
		enum layers_kind kind = layers_table[i].kind;
		bool is_layer = kind == LAYERS_KIND_LAYER || kind == LAYERS_KIND_CELL ||
			kind == LAYERS_KIND_MODEL;

		ck_assert_msg(is_layer == (layers_table_ops(&layers_table[i]) != NULL), "%s",
			layers_table[i].name);
	}
}
END_TEST

START_TEST(keys_and_words_are_read_in_camel_case)
{
	ck_assert(layers_config_camel_eq("batch_input_shape", "batchInputShape"));
	ck_assert(layers_config_camel_eq("a__b", "aB"));
	ck_assert(layers_config_camel_eq("units_", "units"));
	ck_assert(layers_config_camel_eq("_units", "Units"));
	ck_assert(layers_config_camel_eq("_", "_"));
	ck_assert(layers_config_camel_eq("a_-b", "a_-b"));
	ck_assert(!layers_config_camel_eq("hard_sigmoid", "hard_sigmoid"));
	ck_assert(!layers_config_camel_eq("unit", "units"));
}
END_TEST

START_TEST(sequential_in_both_forms)
{
	check(SEQUENTIAL(LAYER("Dense", ", 'units': 3, 'batch_input_shape': [null, 4]")),
		"it/kernel[4,3] it/bias[3]", "it:float32[-1,3]", "");
	check("{'modelTopology': {'class_name': 'Sequential', 'config': [" LAYER("Dense",
		      ", 'units': 3, 'batch_input_shape': [null, 4], 'use_bias': false") "]}}",
		"it/kernel[4,3]", "it:float32[-1,3]", "");
}
END_TEST

START_TEST(a_sequential_model_needs_an_input_shape)
{
	refused(SEQUENTIAL(LAYER("Dense", ", 'units': 3")), "layers.config");
	refused(SEQUENTIAL(""), "layers.config");
}
END_TEST

START_TEST(an_input_layer_that_cannot_be_read_is_refused)
{
	refused("{'modelTopology': {'class_name': 'Sequential', 'config': {'name': 's', 'layers': ["
		"{'class_name': 'InputLayer', 'config': 7}," LAYER("ReLU", "") "]}}}",
		"layers.config");
	refused("{'modelTopology': {'class_name': 'Sequential', 'config': {'name': 's', 'layers': ["
		"{'class_name': 'InputLayer'}]}}}",
		"layers.config");
}
END_TEST

START_TEST(frozen_weights_come_last)
{
	check(SEQUENTIAL(
		      "{'class_name': 'Dense', 'config': {'name': 'a', 'units': 2, 'trainable': "
		      "false, "
		      "'batch_input_shape': [null, 4]}}, "
		      "{'class_name': 'Dense', 'config': {'name': 'b', 'units': 1}}"),
		"b/kernel[2,1] b/bias[1] a/kernel[4,2] a/bias[2]", "b:float32[-1,1]", "");
}
END_TEST

START_TEST(convolutions_follow_padding_strides_and_dilation)
{
	check(SEQUENTIAL(LAYER("Conv2D",
		      ", 'filters': 4, 'kernel_size': [3, 2], 'strides': [2, 1], "
		      "'padding': 'same', 'batch_input_shape': [null, 9, 8, 3]")),
		"it/kernel[3,2,3,4] it/bias[4]", "it:float32[-1,5,8,4]", "");
	check(SEQUENTIAL(LAYER("Conv1D",
		      ", 'filters': 4, 'kernel_size': 3, 'dilation_rate': 2, "
		      "'batch_input_shape': [null, 9, 5]")),
		"it/kernel[3,5,4] it/bias[4]", "it:float32[-1,5,4]", "");
	check(SEQUENTIAL(LAYER("Conv2DTranspose",
		      ", 'filters': 4, 'kernel_size': 3, 'strides': 2, "
		      "'batch_input_shape': [null, 5, 5, 2]")),
		"it/kernel[3,3,4,2] it/bias[4]", "it:float32[-1,11,11,4]", "");
	check(SEQUENTIAL(LAYER("DepthwiseConv2D",
		      ", 'kernel_size': 3, 'depth_multiplier': 2, "
		      "'batch_input_shape': [null, 5, null, 2]")),
		"it/depthwise_kernel[3,3,2,2] it/bias[4]", "it:float32[-1,3,-1,4]", "");
}
END_TEST

START_TEST(what_tensorflow_js_computes_wrongly_is_refused)
{
	refused(SEQUENTIAL(LAYER("DepthwiseConv2D",
			", 'kernel_size': 3, 'dilation_rate': 2, "
			"'batch_input_shape': [null, 5, 5, 2]")),
		"layers.ignored");
	refused(SEQUENTIAL(LAYER("GlobalAveragePooling2D",
			", 'keepdims': true, 'batch_input_shape': [null, 5, 5, 2]")),
		"layers.ignored");
	refused(SEQUENTIAL(LAYER("LeakyReLU",
			", 'negative_slope': 0.1, 'batch_input_shape': [null, 5]")),
		"layers.ignored");
	refused(SEQUENTIAL(LAYER("Conv1D",
			", 'filters': 1, 'kernel_size': 2, 'padding': 'causal', "
			"'batch_input_shape': [null, 5, 2]")),
		"layers.unsupported");
	refused(SEQUENTIAL(LAYER("GRU",
			", 'units': 1, 'reset_after': true, "
			"'batch_input_shape': [null, 5, 2]")),
		"layers.reset-after");
}
END_TEST

START_TEST(recurrent_layers_scope_their_weights)
{
	check(SEQUENTIAL(LAYER("Bidirectional",
		      ", 'batch_input_shape': [null, 7, 5], 'merge_mode': 'concat', 'layer': "
		      "{'class_name': "
		      "'LSTM', 'config': {'name': 'l', 'units': 2, 'return_sequences': true}}")),
		"it/forward_l/kernel[5,8] it/forward_l/recurrent_kernel[2,8] it/forward_l/bias[8] "
		"it/backward_l/kernel[5,8] it/backward_l/recurrent_kernel[2,8] "
		"it/backward_l/bias[8]",
		"it:float32[-1,7,4]", "");
	check(SEQUENTIAL(LAYER("TimeDistributed",
		      ", 'batch_input_shape': [null, 7, 5], 'layer': {'class_name': 'Dense', "
		      "'config': "
		      "{'name': 'd', 'units': 2}}")),
		"it/kernel[5,2] it/bias[2]", "it:float32[-1,7,2]", "");
	check(SEQUENTIAL(LAYER("RNN",
		      ", 'batch_input_shape': [null, 7, 5], 'cell': {'class_name': "
		      "'StackedRNNCells', "
		      "'config': {'cells': [{'class_name': 'GRUCell', 'config': {'name': 'g', "
		      "'units': 2, "
		      "'use_bias': false}}, {'class_name': 'SimpleRNNCell', 'config': {'name': "
		      "'s', 'units': "
		      "3}}]}}")),
		"it/RNNCell_0/kernel[5,6] it/RNNCell_0/recurrent_kernel[2,6] "
		"it/RNNCell_1/kernel[2,3] "
		"it/RNNCell_1/recurrent_kernel[3,3] it/RNNCell_1/bias[3]",
		"it:float32[-1,3]", "");
}
END_TEST

START_TEST(functional_models_share_layers_and_join_them)
{
	check(FUNCTIONAL(INPUT("x", "[null,4]") "," INPUT("y", "[null,4]") "," NODE("d", "Dense",
				 ", 'units': 3", "[[['x',0,0,{}]],[['y',0,0,{}]]]") "," NODE("c",
				 "Concatenate", "", "[[['d',0,0],['d',1,0],['x',0,0]]]"),
		      "['x',0,0],['y',0,0]", "['c',0,0],['d',1,0]"),
		"d/kernel[4,3] d/bias[3]", "c:float32[-1,10] d:float32[-1,3]", "");
}
END_TEST

START_TEST(layers_may_come_in_any_order)
{
	check(FUNCTIONAL(NODE("b", "Dense", ", 'units': 2", "[[['a',0,0,{}]]]") "," NODE("a",
				 "Dense", ", 'units': 3",
				 "[[['x',0,0,{}]]]") "," INPUT("x", "[null,4]"),
		      "['x',0,0]", "['b',0,0]"),
		"a/kernel[4,3] a/bias[3] b/kernel[3,2] b/bias[2]", "b:float32[-1,2]", "");
}
END_TEST

START_TEST(layers_without_use_have_no_weights)
{
	check(FUNCTIONAL(INPUT("x", "[null,4]") "," NODE("a", "Dense", ", 'units': 3",
				 "[[['x',0,0,{}]]]") "," NODE("b", "Dense", ", 'units': 2",
				 "[[['x',0,0,{}]]]"),
		      "['x',0,0]", "['b',0,0]"),
		"b/kernel[4,2] b/bias[2]", "b:float32[-1,2]", "");
}
END_TEST

START_TEST(wiring_that_never_ends_is_refused)
{
	refused(FUNCTIONAL(INPUT("x", "[null,4]") "," NODE("a", "Dense", ", 'units': 4",
				   "[[['b',0,0,{}]]]") "," NODE("b", "Dense", ", 'units': 4",
				   "[[['a',0,0,{}]]]"),
			"['x',0,0]", "['b',0,0]"),
		"layers.wiring layers.wiring");
	refused(FUNCTIONAL(INPUT("x", "[null,4]") "," NODE("a", "Dense", ", 'units': 4",
				   "[[['nobody',0,0,{}]]]"),
			"['x',0,0]", "['a',0,0]"),
		"layers.wiring");
	refused(FUNCTIONAL(INPUT("x", "[null,4]") "," INPUT("y", "[null,4]") "," NODE("a", "Add",
				   "", "[[['x',0,0],['y',0,0]]]"),
			"['x',0,0]", "['a',0,0]"),
		"layers.wiring");
}
END_TEST

START_TEST(shapes_that_do_not_meet_are_refused)
{
	refused(FUNCTIONAL(INPUT("x", "[null,4]") "," INPUT("y", "[null,5]") "," NODE("a", "Add",
				   "", "[[['x',0,0],['y',0,0]]]"),
			"['x',0,0],['y',0,0]", "['a',0,0]"),
		"layers.shape");
	refused(SEQUENTIAL(LAYER("Flatten", ", 'batch_input_shape': [null, 4]")), "layers.shape");
	refused(SEQUENTIAL(LAYER("Dense", ", 'units': 2, 'batch_input_shape': [null, null]")),
		"layers.shape");
	refused(SEQUENTIAL(LAYER("MaxPooling2D",
			", 'pool_size': 9, 'strides': 1, "
			"'batch_input_shape': [null, 4, 4, 1]")),
		"layers.shape");
}
END_TEST

START_TEST(several_faults_are_all_named)
{
	refused(SEQUENTIAL("{'class_name': 'Dense', 'config': {'name': 'a', 'units': 0, "
			   "'batch_input_shape': [null, 4], 'activation': 'silu'}}, "
			   "{'class_name': 'Dense', 'config': {'name': 'b', 'units': 'x'}}"),
		"layers.config layers.unknown-object layers.config");
}
END_TEST

START_TEST(unknown_classes_leave_the_rest_open)
{
	check(SEQUENTIAL(
		      "{'class_name': 'Lambda', 'config': {'name': 'f', 'batch_input_shape': "
		      "[null, 4]}}, "
		      "{'class_name': 'Dense', 'config': {'name': 'b', 'units': 2}}"),
		"b/kernel[-1,2] b/bias[2]", "b:float32[*]", "layers.unknown-class");
}
END_TEST

START_TEST(a_subclassed_model_is_refused)
{
	refused("{'modelTopology': {'class_name': 'MyModel', 'config': {}}}", "layers.root");
	refused("{'modelTopology': {'node': []}}", "layers.root");
}
END_TEST

START_TEST(keras_3_is_named_and_read_on)
{
	check(FUNCTIONAL(
		      "{'name': 'x', 'class_name': 'InputLayer', 'config': {'name': 'x', "
		      "'batch_shape': "
		      "[null,4], 'dtype': 'float32'}, 'inbound_nodes': []}," NODE("a", "Dense",
			      ", 'units': 3, 'dtype': {'class_name': 'DTypePolicy', 'config': "
			      "{'name': "
			      "'float32'}}",
			      "[{'args': [{'class_name': '__keras_tensor__', 'config': "
			      "{'keras_history': "
			      "['x',0,0]}}], 'kwargs': {}}]"),
		      "'x',0,0", "['a',0,0]"),
		"a/kernel[4,3] a/bias[3]", "a:float32[-1,3]",
		"keras3.batch-shape keras3.inbound-nodes keras3.input-layers");
	refused(SEQUENTIAL(LAYER("Dense",
			", 'units': 3, 'batch_input_shape': [null, 4], 'activation': "
			"{'class_name': 'function', 'config': 'relu'}")),
		"keras3.function-object");
	refused("{'modelTopology': {'keras_version': '3.4.1', 'model_config': {'class_name': "
		"'Sequential', 'config': {'name': 's', 'layers': [" LAYER("Dense",
			", 'units': 3, 'batch_input_shape': [null, 4]") "]}}}}",
		"keras3.version");
	refused(SEQUENTIAL(LAYER("Dense",
			", 'units': 3, 'batch_input_shape': [null, 4], 'dtype': {'class_name': "
			"'DTypePolicy', 'config': {'name': 'float32'}}")),
		"keras3.dtype-policy");
}
END_TEST

START_TEST(what_runs_at_loading_or_in_predict_only_is_judged)
{
	refused(SEQUENTIAL(LAYER("Resizing",
			", 'height': 3, 'width': 3, 'batch_input_shape': [null, 4, 4, 1]")),
		"layers.unsupported");
	refused(SEQUENTIAL(LAYER("ReLU", ", 'batch_input_shape': [null, 2, 2, 2, 2, 2, 2]")),
		"layers.unsupported");
	refused(SEQUENTIAL(LAYER("Rescaling", ", 'batch_input_shape': [null, 4]")),
		"layers.config");
	refused(SEQUENTIAL(LAYER("Dense",
			", 'units': 3, 'batch_input_shape': [null, 4], 'kernel_constraint': "
			"{'class_name': 'MaxNorm', 'config': {'axis': 2}}")),
		"layers.config");
	refused(SEQUENTIAL(LAYER("Dense",
			", 'units': 3, 'batch_input_shape': [null, 4], 'kernel_constraint': "
			"{'class_name': 'MinMaxNorm', 'config': {'min_value': 2}}")),
		"layers.config");
	refused(FUNCTIONAL(INPUT("x", "[null,4]"), "['x',0,0]", "['x',0,0],['x',0,0]"),
		"layers.wiring");
}
END_TEST

START_TEST(nested_models_have_flat_names_and_bounded_work)
{
	struct layers_case c;
	struct buf json = BUF_INIT(1 << 20);

	/* Each model calls the one inside it twice: 2^25 calls, were they followed. */
	buf_add_str(&json, "{'modelTopology': ");
	for (int i = 0; i < 25; i++)
		buf_addf(&json,
			"{'class_name': 'Functional', 'name': 'm', 'inbound_nodes': "
			"[[['x',0,0]],[['m',1,0]]], "
			"'config': {'name': 'm', 'input_layers': [['x',0,0]], 'output_layers': "
			"[['m',%d,0]], "
			"'layers': [" INPUT("x", "[null,4]") ",",
			i < 24 ? 2 : 0);
	buf_add_str(&json,
		"{'class_name': 'ReLU', 'name': 'm', 'config': {'name': 'm'}, "
		"'inbound_nodes': [[['x',0,0]]]}");
	for (int i = 0; i < 25; i++)
		buf_add_str(&json, "]}}");
	buf_add_str(&json, "}");
	layers_case_read(&c, buf_str(&json));
	ck_assert_str_eq(layers_case_rules(&c), "layers.limit");
	layers_case_done(&c);
	buf_done(&json);
}
END_TEST

START_TEST(depth_is_bounded)
{
	struct layers_case c;
	struct buf json = BUF_INIT(1 << 20);

	buf_add_str(&json, "{'modelTopology': ");
	for (int i = 0; i < 60; i++)
		buf_add_str(&json,
			"{'class_name': 'Sequential', 'config': {'name': 's', 'layers': [");
	buf_add_str(&json, LAYER("Dense", ", 'units': 3, 'batch_input_shape': [null, 4]"));
	for (int i = 0; i < 60; i++)
		buf_add_str(&json, "]}}");
	buf_add_str(&json, "}");
	layers_case_read(&c, buf_str(&json));
	ck_assert_str_eq(layers_case_rules(&c), "layers.limit");
	layers_case_done(&c);
	buf_done(&json);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("layers");
	TCase *c = tcase_create("layers");

	tcase_add_test(c, every_registered_layer_is_known);
	tcase_add_test(c, keys_and_words_are_read_in_camel_case);
	tcase_add_test(c, sequential_in_both_forms);
	tcase_add_test(c, a_sequential_model_needs_an_input_shape);
	tcase_add_test(c, an_input_layer_that_cannot_be_read_is_refused);
	tcase_add_test(c, frozen_weights_come_last);
	tcase_add_test(c, convolutions_follow_padding_strides_and_dilation);
	tcase_add_test(c, what_tensorflow_js_computes_wrongly_is_refused);
	tcase_add_test(c, recurrent_layers_scope_their_weights);
	tcase_add_test(c, functional_models_share_layers_and_join_them);
	tcase_add_test(c, layers_may_come_in_any_order);
	tcase_add_test(c, layers_without_use_have_no_weights);
	tcase_add_test(c, wiring_that_never_ends_is_refused);
	tcase_add_test(c, shapes_that_do_not_meet_are_refused);
	tcase_add_test(c, several_faults_are_all_named);
	tcase_add_test(c, unknown_classes_leave_the_rest_open);
	tcase_add_test(c, a_subclassed_model_is_refused);
	tcase_add_test(c, keras_3_is_named_and_read_on);
	tcase_add_test(c, what_runs_at_loading_or_in_predict_only_is_judged);
	tcase_add_test(c, nested_models_have_flat_names_and_bounded_work);
	tcase_add_test(c, depth_is_bounded);
	suite_add_tcase(s, c);
	return s;
}

UNIT_MAIN
