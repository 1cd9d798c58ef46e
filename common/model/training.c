/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/training.h"

#include "common/base/buf.h"
#include "common/model/layers_internal.h"

#include <string.h>

#define ROOT "/trainingConfig"

struct training {
	const struct layers_model *m;
	const struct layers_tensor *outputs;
	size_t outputs_n;                     /* 0: not known */
	const struct layers_class *optimizer; /* NULL: none that could be made */
	bool centered;                        /* of an RMSProp */
	bool words; /* a beta of an Adam is text, which its weights cannot be used with */
	struct findings *f;
};

/* ---- words --------------------------------------------------------------------------------- */

/* lossesMap of losses.ts and metricsMap of metrics.ts, and what compile() takes beside them. */
static const char *const losses[] = {"meanSquaredError", "meanAbsoluteError",
	"meanAbsolutePercentageError", "meanSquaredLogarithmicError", "squaredHinge", "hinge",
	"categoricalHinge", "logcosh", "categoricalCrossentropy", "sparseCategoricalCrossentropy",
	"binaryCrossentropy", "kullbackLeiblerDivergence", "poisson", "cosineProximity"};
static const char *const metrics[] = {"accuracy", "acc", "crossentropy", "ce", "binaryAccuracy",
	"categoricalAccuracy", "precision", "categoricalCrossentropy",
	"sparseCategoricalCrossentropy", "mse", "MSE", "mae", "MAE", "mape", "MAPE", "cosine"};

struct words {
	enum finding_rule rule;
	const char *const *known;
	size_t n;
	const char *what;
};

static const struct words loss_words = {RULE_TRAINING_LOSS, losses, ARRAY_SIZE(losses), "loss"};
static const struct words metric_words = {
	RULE_TRAINING_METRICS, metrics, ARRAY_SIZE(metrics), "metric"};

/* `camel` says whether TensorFlow.js converts the word before it looks it up. */
static void check_word(const struct training *t, const struct words *words, const char *pointer,
	const char *word, bool camel)
{
	for (size_t i = 0; i < words->n; i++)
		if (camel ? layers_config_camel_eq(word, words->known[i])
			  : strcmp(word, words->known[i]) == 0)
			return;
	findings_add(t->f, words->rule, "model.json", pointer,
		"'%s' is no %s that TensorFlow.js has%s; TensorFlow.js: Unknown %s %s", word,
		words->what,
		camel ? "" : " (names in a list by output are taken as they are written)",
		words->what, word);
}

/* toCamelCase() of what is no string throws, but for lists, which pass unread. */
static void check_entry(const struct training *t, const struct words *words, const char *pointer,
	const struct json *v)
{
	if (json_str(v))
		check_word(t, words, pointer, json_str(v), true);
	else if (json_type(v) == JSON_NULL)
		findings_add(t->f, words->rule, "model.json", pointer,
			"the name of a %s is expected, found null; TensorFlow.js: Cannot read "
			"properties of null (reading 'length')",
			words->what);
	else if (!json_is(v, JSON_ARRAY))
		findings_add(t->f, words->rule, "model.json", pointer,
			"the name of a %s is expected, found %s; TensorFlow.js: "
			"identifier.indexOf is not a function",
			words->what, json_type_name(json_type(v)));
}

static void check_list(const struct training *t, const struct words *words, const char *pointer,
	const struct json *list)
{
	CLEANUP_BUF struct buf at = BUF_INIT(4096);
	size_t i = 0;

	for (const struct json *v = json_first(list); v; v = json_next(v), i++) {
		buf_clear(&at);
		buf_addf(&at, "%s/%zu", pointer, i);
		check_entry(t, words, buf_str(&at), v);
	}
}

static bool is_output(const struct training *t, const char *name)
{
	for (size_t i = 0; i < t->outputs_n; i++)
		if (strcmp(t->outputs[i].name, name) == 0)
			return true;
	return false;
}

/* ---- loss ---------------------------------------------------------------------------------- */

static void check_loss_count(const struct training *t, size_t n)
{
	if (t->outputs_n > 0 && n != t->outputs_n)
		findings_add(t->f, RULE_TRAINING_LOSS, "model.json", ROOT "/loss",
			"%zu losses for %zu outputs; TensorFlow.js: When passing an Array as "
			"loss, it should have one entry per model output. The model has %zu "
			"output(s), but you passed loss=%s",
			n, t->outputs_n, t->outputs_n, n == 0 ? "" : "...");
}

static void check_loss_map(const struct training *t, const struct json *loss)
{
	CLEANUP_BUF struct buf at = BUF_INIT(4096);

	for (const struct json *v = json_first(loss); v; v = json_next(v)) {
		buf_clear(&at);
		buf_addf(&at, ROOT "/loss/%s", json_key(v));
		check_entry(t, &loss_words, buf_str(&at), v);
		if (t->outputs_n > 0 && !is_output(t, json_key(v)))
			findings_add(t->f, RULE_TRAINING_LOSS, "model.json", buf_str(&at),
				"the model has no output '%s'; TensorFlow.js: Unknown entry in "
				"loss dictionary: \"%s\"",
				json_key(v), json_key(v));
	}
}

/* A number or a truth value is taken for a map without members. */
static void check_loss(const struct training *t, const struct json *loss)
{
	if (json_str(loss)) {
		check_word(t, &loss_words, ROOT "/loss", json_str(loss), true);
	} else if (json_is(loss, JSON_ARRAY)) {
		check_list(t, &loss_words, ROOT "/loss", loss);
		check_loss_count(t, json_count(loss));
	} else if (json_is(loss, JSON_OBJECT)) {
		check_loss_map(t, loss);
	} else if (!loss) {
		check_loss_count(t, 0);
	}
}

/* ---- metrics ------------------------------------------------------------------------------- */

static void check_metric_list(const struct training *t, const char *pointer,
	const struct json *list)
{
	for (const struct json *v = json_first(list); v; v = json_next(v)) {
		if (json_str(v))
			check_word(t, &metric_words, pointer, json_str(v), false);
		else if (json_type(v) == JSON_NULL)
			findings_add(t->f, RULE_TRAINING_METRICS, "model.json", pointer,
				"the name of a metric is expected, found null; TensorFlow.js: "
				"Unknown metric null");
	}
}

/* Every value is read; those of outputs are looked up. */
static void check_metric_map(const struct training *t, const struct json *map)
{
	CLEANUP_BUF struct buf at = BUF_INIT(4096);

	for (const struct json *v = json_first(map); v; v = json_next(v)) {
		buf_clear(&at);
		buf_addf(&at, ROOT "/metrics/%s", json_key(v));
		if (!json_str(v) || is_output(t, json_key(v)))
			check_entry(t, &metric_words, buf_str(&at), v);
		if (json_is(v, JSON_ARRAY) && is_output(t, json_key(v)))
			check_metric_list(t, buf_str(&at), v);
	}
}

static void check_metrics(const struct training *t, const struct json *value)
{
	if (json_is(value, JSON_ARRAY))
		check_list(t, &metric_words, ROOT "/metrics", value);
	else if (json_is(value, JSON_OBJECT))
		check_metric_map(t, value);
}

/* ---- optimizer ----------------------------------------------------------------------------- */

static const struct layers_class *class_of(const char *name)
{
	for (size_t i = 0; i < LAYERS_CLASS_COUNT; i++)
		if (layers_config_camel_eq(name, layers_table[i].name))
			return &layers_table[i];
	return NULL;
}

/* A number that the constructor puts into a tensor: any primitive will do. */
static bool check_scalar(const struct training *t, const char *name, const struct json *config,
	const char *camel)
{
	const struct json *v = layers_config_set(config, camel);

	if (v && !json_is(v, JSON_OBJECT) && !json_is(v, JSON_ARRAY))
		return true;
	findings_add(t->f, RULE_TRAINING_OPTIMIZER, "model.json", ROOT "/optimizer_config/config",
		"%s needs a number %s, found %s; TensorFlow.js: values passed to tensor(values) "
		"must be a number/boolean/string",
		name, camel, v ? json_type_name(json_type(v)) : "none");
	return false;
}

static bool check_constructor(const struct training *t, const struct json *config)
{
	const struct layers_class *cls = t->optimizer;

	switch (cls - layers_table) {
	case LAYERS_CLASS_Adam:
		return check_scalar(t, cls->name, config, "beta1") &&
			check_scalar(t, cls->name, config, "beta2");
	case LAYERS_CLASS_Adamax:
		return check_scalar(t, cls->name, config, "beta1");
	case LAYERS_CLASS_Momentum:
		return check_scalar(t, cls->name, config, "momentum");
	case LAYERS_CLASS_RMSProp:
		if (layers_config_set(config, "learningRate"))
			return true;
		findings_add(t->f, RULE_TRAINING_OPTIMIZER, "model.json",
			ROOT "/optimizer_config/config",
			"TensorFlow.js: learningRate for RMSPropOptimizer must be defined.");
		return false;
	default:
		return true;
	}
}

static const struct layers_class *find_optimizer(const struct training *t, const char *name)
{
	const struct layers_class *cls = class_of(name);

	if (cls && cls->kind == LAYERS_KIND_OPTIMIZER)
		return cls;
	findings_add(t->f, RULE_TRAINING_OPTIMIZER, "model.json",
		ROOT "/optimizer_config/class_name",
		"'%s' is no optimizer that TensorFlow.js has (SGD, Momentum, Adam, Adamax, "
		"Adadelta, Adagrad, RMSProp); TensorFlow.js: %s%s",
		name,
		cls ? "User-defined optimizer must be an instance of tf.Optimizer."
		    : "Unknown layer: ",
		cls ? "" : name);
	return NULL;
}

static const struct json *optimizer_config(const struct training *t, const struct json *value,
	const char **ret_name)
{
	const struct json *config = layers_config_set(value, "config");

	*ret_name = json_str(layers_config_set(value, "className"));
	if (*ret_name && (json_is(config, JSON_OBJECT) || json_is(config, JSON_ARRAY)))
		return config;
	findings_add(t->f, RULE_TRAINING_OPTIMIZER, "model.json", ROOT "/optimizer_config",
		"an object with class_name and config is expected%s%s; TensorFlow.js: layer: "
		"Improper config format: 'className' and 'config' must set.",
		json_is(value, JSON_OBJECT) ? "" : ", found ",
		json_is(value, JSON_OBJECT) ? ""
			: value             ? json_type_name(json_type(value))
					    : "none");
	return NULL;
}

static void check_optimizer(struct training *t, const struct json *value)
{
	const char *name;
	const struct json *config = optimizer_config(t, value, &name);

	t->optimizer = config ? find_optimizer(t, name) : NULL;
	if (t->optimizer && !check_constructor(t, config))
		t->optimizer = NULL;
	t->words = json_str(layers_config_get(config, "beta1")) ||
		json_str(layers_config_get(config, "beta2"));
	t->centered = layers_config_truthy(layers_config_get(config, "centered"));
}

/* ---- the optimizer's weights --------------------------------------------------------------- */

static size_t trainable_weights(const struct layers_model *m)
{
	size_t n, count = 0;
	const struct layers_weight *weights = layers_weights(m, &n);

	for (size_t i = 0; i < n; i++)
		count += weights[i].trainable;
	return count;
}

/* How many tensors the optimizer keeps for each weight that it trains. */
static size_t slots(const struct training *t)
{
	switch (t->optimizer - layers_table) {
	case LAYERS_CLASS_Adam:
	case LAYERS_CLASS_Adadelta:
		return 2;
	case LAYERS_CLASS_RMSProp:
		return t->centered ? 3 : 2;
	default:
		return 1;
	}
}

static void check_slots(const struct training *t, size_t found)
{
	size_t trained = trainable_weights(t->m), wanted = slots(t) * trained;

	if (t->m->incomplete || t->m->open_n > 0 || found == wanted || found == 0)
		return;
	findings_add(t->f, RULE_TRAINING_WEIGHTS_COUNT, "model.json", "/weightsManifest",
		"behind the count of iterations the manifest has %zu weights of the optimizer, "
		"while %s keeps %zu for the %zu weights that the model trains; TensorFlow.js gives "
		"them out by their order",
		found, t->optimizer->name, wanted, trained);
}

/* Optimizer.setWeights(): the first one counts iterations. */
static void check_weights(const struct training *t, const struct manifest *manifest)
{
	const struct manifest_weight *first = NULL;
	size_t n = 0;

	for (size_t i = 0; i < manifest->weights_n; i++) {
		if (!manifest->weights[i].optimizer)
			continue;
		if (n++ == 0)
			first = &manifest->weights[i];
	}
	if (n == 0)
		return;
	if (layers_table_is(t->optimizer, LAYERS_CLASS_Adamax))
		findings_add(t->f, RULE_TRAINING_WEIGHTS, "model.json", "/weightsManifest",
			"the manifest has weights of the optimizer; TensorFlow.js: setWeights() is "
			"not implemented for Adamax yet.");
	else if (layers_table_is(t->optimizer, LAYERS_CLASS_SGD) && n > 1)
		findings_add(t->f, RULE_TRAINING_WEIGHTS, "model.json", "/weightsManifest",
			"the manifest has %zu weights of the optimizer, of which '%s' counts "
			"iterations; TensorFlow.js: SGD optimizer does not have settable weights.",
			n, first->name);
	else if (layers_table_is(t->optimizer, LAYERS_CLASS_Adam) &&
		(first->dtype == DTYPE_STRING || first->dtype == DTYPE_COMPLEX64))
		findings_add(t->f, RULE_TRAINING_WEIGHTS, "model.json", "/weightsManifest",
			"'%s', the first weight of the optimizer, counts iterations; it is a %s",
			first->name, dtype_name(first->dtype));
	else if (layers_table_is(t->optimizer, LAYERS_CLASS_Adam) && t->words)
		findings_add(t->f, RULE_TRAINING_OPTIMIZER, "model.json",
			ROOT "/optimizer_config/config",
			"beta1 and beta2 are numbers; TensorFlow.js: Argument 'base' passed to "
			"'pow' must be numeric tensor, but got string tensor");
	else if (!layers_table_is(t->optimizer, LAYERS_CLASS_SGD))
		check_slots(t, n - 1);
}

/* ---- the whole ----------------------------------------------------------------------------- */

static void check_unsupported(const struct training *t, const struct json *config)
{
	static const struct {
		const char *key, *pointer, *word;
	} members[] = {
		{"weighted_metrics",   ROOT "/weighted_metrics",   "weight_metrics"    },
		{"loss_weights",       ROOT "/loss_weights",       "loss_weights"      },
		{"sample_weight_mode", ROOT "/sample_weight_mode", "sample_weight_mode"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (json_get_set(config, members[i].key))
			findings_add(t->f, RULE_TRAINING_UNSUPPORTED, "model.json",
				members[i].pointer,
				"%s must be null or absent; TensorFlow.js: Loading %s is not "
				"supported yet.",
				members[i].key, members[i].word);
}

void training_check(const struct json *config, const struct layers_model *m,
	const struct manifest *manifest, struct findings *f)
{
	struct training t = {.m = m, .f = f};

	t.outputs = layers_outputs(m, &t.outputs_n);
	check_unsupported(&t, config);
	check_optimizer(&t, json_get_set(config, "optimizer_config"));
	check_loss(&t, json_get_set(config, "loss"));
	check_metrics(&t, json_get_set(config, "metrics"));
	if (t.optimizer && manifest)
		check_weights(&t, manifest);
}
