/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/artifact.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#define TWO_OUTPUTS                                                                         \
	"'modelTopology': {'class_name': 'Functional', 'config': {'name': 'm', 'layers': [" \
	"{'name': 'x', 'class_name': 'InputLayer', 'config': {'name': 'x', "                \
	"'batch_input_shape': [null,2]}, 'inbound_nodes': []}," DENSE("a") "," DENSE(       \
		"b") "], "                                                                  \
		     "'input_layers': [['x',0,0]], 'output_layers': [['a',0,0],['b',0,0]]}}"
#define DENSE(name)                                                                               \
	"{'name': '" name "', 'class_name': 'Dense', 'config': {'name': '" name "', 'units': 1, " \
	"'use_bias': false}, 'inbound_nodes': [[['x',0,0]]]}"
#define MANIFEST(more)                                                         \
	"'weightsManifest': [{'paths': ['w'], 'weights': [" WEIGHT("a/kernel", \
		"") "," WEIGHT("b/kernel", "") more "]}]"
#define WEIGHT(name, more) "{'name': '" name "', 'shape': [2,1], 'dtype': 'float32'" more "}"
#define OF_OPTIMIZER       ", 'group': 'optimizer'"
#define ITER               "{'name': 'iter', 'shape': [], 'dtype': 'int32'" OF_OPTIMIZER "}"
#define SLOT(name)         "," WEIGHT(name, OF_OPTIMIZER)

#define SGD "{'class_name': 'SGD', 'config': {'learningRate': 0.1}}"
#define ADAM                     \
	"{'class_name': 'Adam', 'config': {'learningRate': 0.1, 'beta1': 0.9, 'beta2': 0.99}}"
#define CONFIG(optimizer, loss, more) "{'optimizer_config': " optimizer ", 'loss': " loss more "}"

struct result {
	char rules[256];
	char first[256];  /* pointer of the first finding */
	char words[1024]; /* and its message */
};

static void judge(const char *training, const char *weights, struct result *ret)
{
	CLEANUP(modeljson_free_p) struct modeljson *m = NULL;
	CLEANUP(artifact_free_p) struct artifact *a = NULL;
	CLEANUP_FINDINGS struct findings f;
	char json[8192];
	struct err e;
	int n = snprintf(json, sizeof(json),
		"{" TWO_OUTPUTS ", " MANIFEST("%s") ", 'trainingConfig': %s}", weights, training);

	for (char *p = json; *p; p++)
		if (*p == '\'')
			*p = '"';
	findings_init(&f);
	ck_ok(modeljson_parse(json, (size_t)n, &m, &f, &e));
	ck_assert_ptr_nonnull(m);
	ck_ok(artifact_read(m, &a, &f, &e));
	*ret = (struct result){.rules = ""};
	for (size_t i = 0; i < f.n; i++) {
		size_t at = strlen(ret->rules);

		(void)snprintf(ret->rules + at, sizeof(ret->rules) - at, i ? " %s" : "%s",
			f.items[i].rule);
		ck_assert_ptr_nonnull(f.items[i].fix);
	}
	if (f.n > 0) {
		(void)snprintf(ret->first, sizeof(ret->first), "%s", f.items[0].pointer);
		(void)snprintf(ret->words, sizeof(ret->words), "%s", f.items[0].message);
	}
}

static void check(const char *training, const char *weights, const char *rules, const char *pointer,
	const char *words)
{
	struct result r;

	judge(training, weights, &r);
	ck_assert_str_eq(r.rules, rules);
	ck_assert_str_eq(r.first, pointer);
	ck_assert_msg(strstr(r.words, words), "%s", r.words);
}

static void loads(const char *training)
{
	check(training, "", "", "", "");
}

START_TEST(what_tensorflow_js_compiles_is_accepted)
{
	loads("null");
	loads(CONFIG(SGD, "'mean_squared_error'", ""));
	loads(CONFIG(ADAM, "['hinge','poisson']", ", 'metrics': ['acc','binary_accuracy']"));
	loads(CONFIG(ADAM, "{'a': 'hinge'}", ", 'metrics': {'a': 'mse', 'b': ['mae'], 'c': 'x'}"));
	loads(CONFIG(SGD, "3", ", 'loss_weights': null, 'metrics': 'nonsense', 'other': 1"));
	loads(CONFIG("{'class_name': 'Adam', 'config': {'beta_1': 0.9, 'beta_2': 0.9}}", "'hinge'",
		""));
	loads(CONFIG("{'class_name': 'Adagrad', 'config': {}}", "'hinge'", ""));
}
END_TEST

START_TEST(what_is_not_supported_is_refused)
{
	check(CONFIG(SGD, "'hinge'", ", 'loss_weights': [1]"), "", "training.unsupported",
		"/trainingConfig/loss_weights", "Loading loss_weights is not supported yet.");
	check(CONFIG(SGD, "'hinge'", ", 'weighted_metrics': []"), "", "training.unsupported",
		"/trainingConfig/weighted_metrics", "Loading weight_metrics is not supported yet.");
	check(CONFIG(SGD, "'hinge'", ", 'sample_weight_mode': 0"), "", "training.unsupported",
		"/trainingConfig/sample_weight_mode", "Loading sample_weight_mode");
}
END_TEST

START_TEST(an_optimizer_is_registered_and_has_its_numbers)
{
	check("{'loss': 'hinge'}", "", "training.optimizer", "/trainingConfig/optimizer_config",
		"found none");
	check(CONFIG("'SGD'", "'hinge'", ""), "", "training.optimizer",
		"/trainingConfig/optimizer_config", "found string");
	check(CONFIG("{'class_name': 'Nadam', 'config': {}}", "'hinge'", ""), "",
		"training.optimizer", "/trainingConfig/optimizer_config/class_name",
		"Unknown layer: Nadam");
	check(CONFIG("{'class_name': 'RMSprop', 'config': {}}", "'hinge'", ""), "",
		"training.optimizer", "/trainingConfig/optimizer_config/class_name",
		"Unknown layer: RMSprop");
	check(CONFIG("{'class_name': 'Dense', 'config': {}}", "'hinge'", ""), "",
		"training.optimizer", "/trainingConfig/optimizer_config/class_name",
		"must be an instance of tf.Optimizer");
	check(CONFIG("{'class_name': 'Adam', 'config': {'beta1': 0.9}}", "'hinge'", ""), "",
		"training.optimizer", "/trainingConfig/optimizer_config/config",
		"Adam needs a number beta2, found none");
	check(CONFIG("{'class_name': 'RMSProp', 'config': {'decay': 0.9}}", "'hinge'", ""), "",
		"training.optimizer", "/trainingConfig/optimizer_config/config",
		"learningRate for RMSPropOptimizer must be defined.");
}
END_TEST

START_TEST(each_output_has_a_known_loss)
{
	check(CONFIG(SGD, "'mse'", ""), "", "training.loss", "/trainingConfig/loss",
		"Unknown loss mse");
	check(CONFIG(SGD, "null", ""), "", "training.loss", "/trainingConfig/loss",
		"0 losses for 2 outputs");
	check(CONFIG(SGD, "['hinge']", ""), "", "training.loss", "/trainingConfig/loss",
		"1 losses for 2 outputs");
	check(CONFIG(SGD, "['hinge', 7]", ""), "", "training.loss", "/trainingConfig/loss/1",
		"identifier.indexOf is not a function");
	check(CONFIG(SGD, "{'c': 'hinge'}", ""), "", "training.loss", "/trainingConfig/loss/c",
		"the model has no output 'c'");
	check(CONFIG(SGD, "{'a': null}", ""), "", "training.loss", "/trainingConfig/loss/a",
		"found null");
}
END_TEST

START_TEST(metrics_are_known_by_name)
{
	check(CONFIG(SGD, "'hinge'", ", 'metrics': ['recall']"), "", "training.metrics",
		"/trainingConfig/metrics/0", "Unknown metric recall");
	check(CONFIG(SGD, "'hinge'",
		      ", 'metrics': [{'class_name': 'MeanMetricWrapper', 'config': {}}]"),
		"", "training.metrics", "/trainingConfig/metrics/0", "found object");
	check(CONFIG(SGD, "'hinge'", ", 'metrics': {'a': ['binary_accuracy']}"), "",
		"training.metrics", "/trainingConfig/metrics/a",
		"names in a list by output are taken as they are written");
}
END_TEST

START_TEST(an_optimizer_takes_its_weights)
{
	check(CONFIG(SGD, "'hinge'", ""), "," ITER, "", "", "");
	check(CONFIG(ADAM, "'hinge'", ""), "," ITER SLOT("a/m") SLOT("b/m") SLOT("a/v") SLOT("b/v"),
		"", "", "");
	check(CONFIG(SGD, "'hinge'", ""), "," ITER SLOT("a/m"), "training.weights",
		"/weightsManifest", "SGD optimizer does not have settable weights.");
	check(CONFIG("{'class_name': 'Adamax', 'config': {'beta1': 0.9}}", "'hinge'", ""), "," ITER,
		"training.weights", "/weightsManifest",
		"setWeights() is not implemented for Adamax yet.");
	check(CONFIG(ADAM, "'hinge'", ""), "," ITER SLOT("a/m"), "training.weights-count",
		"/weightsManifest", "has 1 weights of the optimizer, while Adam keeps 4");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("training");
	TCase *c = tcase_create("training");

	tcase_add_test(c, what_tensorflow_js_compiles_is_accepted);
	tcase_add_test(c, what_is_not_supported_is_refused);
	tcase_add_test(c, an_optimizer_is_registered_and_has_its_numbers);
	tcase_add_test(c, each_output_has_a_known_loss);
	tcase_add_test(c, metrics_are_known_by_name);
	tcase_add_test(c, an_optimizer_takes_its_weights);
	suite_add_tcase(s, c);
	return s;
}

UNIT_MAIN
