/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/layers_case.h"

#define FUNCTIONAL(layers, output) OF_NODE(layers, output, "0")
#define OF_NODE(layers, output, node)                                                             \
	"{'modelTopology': {'class_name': 'Functional', 'config': {'name': 'm', 'layers': [" TEXT \
	"," layers "], 'input_layers': [['x',0,0]], 'output_layers': [['" output "'," node        \
	",0]]}}}"
/* Nine words, and their masked embedding 'e'. */
#define TEXT                                                                 \
	"{'name': 'x', 'class_name': 'InputLayer', 'config': {'name': 'x', " \
	"'batch_input_shape': [null,9]}, 'inbound_nodes': []}," EMBEDDING("e", "true")
#define EMBEDDING(name, mask) \
	NODE(name, "Embedding", ", 'input_dim': 20, 'output_dim': 4, 'mask_zero': " mask, "x")
#define NODE(name, cls, config, from)                                                        \
	"{'name': '" name "', 'class_name': '" cls "', 'config': {'name': '" name "'" config \
	"}, 'inbound_nodes': [[['" from "',0,0]]]}"
#define JOIN(name, cls, config, inbound)                                                     \
	"{'name': '" name "', 'class_name': '" cls "', 'config': {'name': '" name "'" config \
	"}, 'inbound_nodes': [[" inbound "]]}"
#define SERIES ", 'units': 4, 'return_sequences': true"
#define LAST   ", 'units': 4"

static void check(const char *json, const char *rules, const char *words)
{
	struct layers_case c;

	layers_case_read(&c, json);
	ck_assert_str_eq(layers_case_rules(&c), rules);
	if (words)
		ck_assert_msg(strstr(c.f.items[0].message, words), "%s", c.f.items[0].message);
	layers_case_done(&c);
}

START_TEST(masks_that_fit_are_accepted)
{
	check(FUNCTIONAL(NODE("l", "LSTM", LAST, "e"), "l"), "", NULL);
	check(FUNCTIONAL(NODE("l", "LSTM", SERIES, "e") "," NODE("g", "GRU", LAST, "l"), "g"), "",
		NULL);
	check(FUNCTIONAL(NODE("f", "Flatten", "", "e") "," NODE("d", "Dense", LAST, "f"), "d"), "",
		NULL);
	check(FUNCTIONAL(EMBEDDING("f", "true") "," JOIN("c", "Concatenate", "",
				 "['e',0,0],['f',0,0]") "," NODE("l", "LSTM", LAST, "c"),
		      "l"),
		"", NULL);
	check(FUNCTIONAL(EMBEDDING("f", "false") "," JOIN("c", "Concatenate", "",
				 "['e',0,0],['f',0,0]") "," NODE("l", "LSTM", LAST, "c"),
		      "l"),
		"", NULL);
}
END_TEST

START_TEST(a_merged_mask_has_a_dimension_too_many)
{
	check(FUNCTIONAL(NODE("l", "LSTM", SERIES, "e") "," JOIN("s", "Add", "",
				 "['e',0,0],['l',0,0]") "," NODE("g", "GRU", LAST, "s"),
		      "g"),
		"layers.mask", "it gets the mask of layer 'e', of shape [1,null,9]");
	check(FUNCTIONAL(NODE("l", "LSTM", SERIES, "e") "," JOIN("s", "Add", "",
				 "['e',0,0],['l',0,0]") "," NODE("f", "Flatten", "", "s"),
		      "f"),
		"", NULL);
}
END_TEST

START_TEST(inputs_of_a_merge_have_masks_that_join)
{
	check(FUNCTIONAL(EMBEDDING("f", "false") "," JOIN("s", "Add", "",
				 "['e',0,0],['f',0,0],['e',0,0]"),
		      "s"),
		"layers.mask", "while another of its inputs has none");
	check(FUNCTIONAL(EMBEDDING("f", "false") "," JOIN("s", "Concatenate", ", 'axis': 1",
				 "['e',0,0],['f',0,0]"),
		      "s"),
		"layers.mask", "which does not join those of its other inputs");
}
END_TEST

#define DECODER(steps)                                                                         \
	FUNCTIONAL(NODE("l", "LSTM", LAST, "e") "," NODE("r", "RepeatVector", ", 'n': " steps, \
			   "l") "," NODE("g", "GRU", LAST, "r"),                               \
		"g")

/* TensorFlow.js keeps the last mask for all layers behind. */
START_TEST(a_mask_goes_on_to_layers_that_have_none)
{
	check(DECODER("12"), "layers.mask",
		"which has too few steps for an input of shape [null,12,4]");
	check(DECODER("5"), "layers.mask-stale", "that of layer 'e'");
}
END_TEST

START_TEST(wrapped_layers_get_the_mask_of_all_steps)
{
	check(FUNCTIONAL(NODE("t", "TimeDistributed",
				 ", 'layer': {'class_name': 'Dense', 'config': {'name': 'd', "
				 "'units': 4}}",
				 "e"),
		      "t"),
		"", NULL);
	check(FUNCTIONAL(NODE("b", "Bidirectional",
				 ", 'layer': {'class_name': 'LSTM', 'config': {'name': 'l', "
				 "'units': 4}}",
				 "e") "," NODE("r", "RepeatVector", ", 'n': 12", "b") "," NODE("t",
				 "TimeDistributed",
				 ", 'layer': {'class_name': 'Softmax', 'config': {'name': 's', "
				 "'axis': -1}}",
				 "r"),
		      "t"),
		"layers.mask", "layer 's' (Softmax)");
}
END_TEST

#define INNER(layers, output)                                                                    \
	"{'name': 'inner', 'class_name': 'Functional', 'inbound_nodes': [[['d',0,0]]], "         \
	"'config': {'name': 'inner', 'layers': [{'name': 'y', 'class_name': 'InputLayer', "      \
	"'config': {'name': 'y', 'batch_input_shape': [null,9,4]}, 'inbound_nodes': []}," layers \
	"], 'input_layers': [['y',0,0]], 'output_layers': [['" output "',0,0]]}}"

START_TEST(nested_models_get_the_mask_and_keep_states)
{
	check(OF_NODE(NODE("d", "Dense", LAST, "e") "," INNER(NODE("l", "LSTM", LAST, "y"), "l"),
		      "inner", "1"),
		"", NULL);
	check(OF_NODE(NODE("d", "Dense", LAST,
			      "e") "," INNER(NODE("s", "Softmax", ", 'axis': -1", "y"), "s"),
		      "inner", "1"),
		"layers.mask", "layer 's' (Softmax)");
	check(OF_NODE(NODE("d", "Dense", LAST,
			      "e") "," INNER(NODE("l", "LSTM", LAST ", 'return_state': true",
						     "y") "," JOIN("p", "LSTM", SERIES,
						     "['y',0,0],['l',0,1],['l',0,2]") "," NODE("q",
						     "GRU", LAST, "p"),
			      "q"),
		      "inner", "1"),
		"layers.state-stale", "the initial states of layer 'p'");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("layers_mask");
	TCase *c = tcase_create("layers_mask");

	tcase_add_test(c, masks_that_fit_are_accepted);
	tcase_add_test(c, a_merged_mask_has_a_dimension_too_many);
	tcase_add_test(c, inputs_of_a_merge_have_masks_that_join);
	tcase_add_test(c, a_mask_goes_on_to_layers_that_have_none);
	tcase_add_test(c, wrapped_layers_get_the_mask_of_all_steps);
	tcase_add_test(c, nested_models_get_the_mask_and_keep_states);
	suite_add_tcase(s, c);
	return s;
}

UNIT_MAIN
