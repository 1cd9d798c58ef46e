/* SPDX-License-Identifier: Apache-2.0 */
/* The small objects in a layer's configuration: activations, initializers, regularizers and
 * constraints. TensorFlow.js looks all of them up in one map of classes. */
#include "common/model/layers_internal.h"

#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

/* Strings that stand for a class (the *_IDENTIFIER_REGISTRY_SYMBOL_MAPs). */
static const struct {
	const char *word;
	enum layers_class_id id;
} symbols[] = {
	{"constant",        LAYERS_CLASS_Constant       },
	{"glorotNormal",    LAYERS_CLASS_GlorotNormal   },
	{"glorotUniform",   LAYERS_CLASS_GlorotUniform  },
	{"heNormal",        LAYERS_CLASS_HeNormal       },
	{"heUniform",       LAYERS_CLASS_HeUniform      },
	{"identity",        LAYERS_CLASS_Identity       },
	{"leCunNormal",     LAYERS_CLASS_LeCunNormal    },
	{"leCunUniform",    LAYERS_CLASS_LeCunUniform   },
	{"ones",            LAYERS_CLASS_Ones           },
	{"orthogonal",      LAYERS_CLASS_Orthogonal     },
	{"randomNormal",    LAYERS_CLASS_RandomNormal   },
	{"randomUniform",   LAYERS_CLASS_RandomUniform  },
	{"truncatedNormal", LAYERS_CLASS_TruncatedNormal},
	{"varianceScaling", LAYERS_CLASS_VarianceScaling},
	{"zeros",           LAYERS_CLASS_Zeros          },
	{"l1l2",            LAYERS_CLASS_L1L2           },
	{"maxNorm",         LAYERS_CLASS_MaxNorm        },
	{"minMaxNorm",      LAYERS_CLASS_MinMaxNorm     },
	{"nonNeg",          LAYERS_CLASS_NonNeg         },
	{"unitNorm",        LAYERS_CLASS_UnitNorm       },
};

static const char *const kind_words[] = {
	[LAYERS_KIND_INITIALIZER] = "initializer",
	[LAYERS_KIND_REGULARIZER] = "regularizer",
	[LAYERS_KIND_CONSTRAINT] = "constraint",
	[LAYERS_KIND_ACTIVATION] = "activation",
};

static const struct layers_class *by_word(const char *text, enum layers_kind kind)
{
	if (kind != LAYERS_KIND_ACTIVATION)
		for (size_t i = 0; i < ARRAY_SIZE(symbols); i++)
			if (strcmp(text, symbols[i].word) == 0)
				return &layers_table[symbols[i].id];
	return layers_table_find(text);
}

/* Keras 3 writes functions as {"class_name": "function", "config": "relu"}. */
static bool is_function_object(const struct json *v)
{
	return layers_config_word(layers_config_get(v, "className"), "function") &&
		json_is(layers_config_get(v, "config"), JSON_STRING);
}

static bool unknown(struct layers_build *b, struct layers_layer *l, const char *camel,
	const char *word, const char *name)
{
	return layers_config_throw(b, l, RULE_LAYERS_UNKNOWN_OBJECT, camel,
		"TensorFlow.js: Unknown %s: %s. This may be due to one of the following reasons "
		"...",
		word, name);
}

/* The class that an identifier names and its config; false when TensorFlow.js finds none. */
static bool resolve(struct layers_build *b, struct layers_layer *l, const char *camel,
	const struct json *v, enum layers_kind kind, const struct layers_class **ret,
	const struct json **ret_config)
{
	const char *word = kind_words[kind];
	const struct json *name = layers_config_set(v, "className");
	const struct json *config = layers_config_set(v, "config");
	const char *text = json_str(v) ? json_str(v) : json_str(name);
	char *converted;

	if (!json_str(v) && (!name || !config))
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, camel,
			"TensorFlow.js: %s: Improper config format: 'className' and 'config' "
			"must set.",
			word);
	if (is_function_object(v))
		return layers_config_throw(b, l, RULE_KERAS3_FUNCTION_OBJECT, camel,
			"a function as an object, {\"class_name\": \"function\", \"config\": "
			"\"%s\"}, where the "
			"string \"%s\" is expected; TensorFlow.js: Unknown %s: function",
			json_str(config), json_str(config), word);
	if (config && !json_is(config, JSON_OBJECT) && !json_is(config, JSON_ARRAY))
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, camel,
			"the config of its %s is a %s; TensorFlow.js: Cannot create property "
			"'customObjects'",
			word, json_type_name(json_type(config)));
	converted = layers_config_camel(b, text ? text : "");
	if (!converted)
		return false;
	*ret = json_str(v) ? by_word(converted, kind) : layers_table_find(converted);
	*ret_config = json_str(v) ? NULL : config;
	return *ret || unknown(b, l, camel, word, converted);
}

/* Layers without weights do as activations: Layer.apply works on tensors. */
static bool acts_as_activation(const struct layers_class *cls)
{
	switch (cls - layers_table) {
	case LAYERS_CLASS_ReLU:
	case LAYERS_CLASS_LeakyReLU:
	case LAYERS_CLASS_ELU:
	case LAYERS_CLASS_ThresholdedReLU:
	case LAYERS_CLASS_Softmax:
		return true;
	default:
		return cls->kind == LAYERS_KIND_ACTIVATION;
	}
}

static bool check_activation_layer(struct layers_build *b, struct layers_layer *l,
	const struct layers_class *cls, const struct json *config)
{
	struct layers_layer *inner;

	if (cls->kind != LAYERS_KIND_LAYER || !config)
		return true;
	inner = layers_layer_make(b, cls, config, l->pointer, l->name, l->fast);
	return inner && !inner->opaque;
}

bool layers_objects_activation(struct layers_build *b, struct layers_layer *l, const char *camel)
{
	const struct json *v = layers_config_set(l->config, camel), *config = NULL;
	const struct layers_class *cls = NULL;

	if (!v)
		return true;
	if (!resolve(b, l, camel, v, LAYERS_KIND_ACTIVATION, &cls, &config))
		return false;
	if (!acts_as_activation(cls))
		return layers_config_throw(b, l, RULE_LAYERS_UNKNOWN_OBJECT, camel,
			"%s is no activation in TensorFlow.js", cls->name);
	return check_activation_layer(b, l, cls, config);
}

static bool one_of(const struct json *v, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (layers_config_word(v, words[i]))
			return true;
	return !v;
}

static bool check_variance_scaling(struct layers_build *b, struct layers_layer *l,
	const char *camel, const struct json *config)
{
	static const char *const modes[] = {"fanIn", "fanOut", "fanAvg"};
	static const char *const distributions[] = {"normal", "uniform", "truncatedNormal"};
	const struct json *v = layers_config_set(config, "scale");
	double scale = 0;

	if (v && !layers_config_number(v, &scale) && !l->fast)
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, camel,
			"the scale of its initializer is no number; TensorFlow.js draws for ever");
	if (scale < 0)
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, camel,
			"TensorFlow.js: scale must be a positive float. Got: %g", scale);
	if (!one_of(layers_config_set(config, "mode"), modes, ARRAY_SIZE(modes)))
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, camel,
			"the mode is not a valid FanMode.  Valid values are fanIn,fanOut,fanAvg");
	if (!one_of(layers_config_set(config, "distribution"), distributions,
		    ARRAY_SIZE(distributions)))
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, camel,
			"the distribution is not a valid Distribution.  Valid values are "
			"normal,uniform,truncatedNormal");
	return true;
}

static bool check_initializer(struct layers_build *b, struct layers_layer *l, const char *camel,
	const struct layers_class *cls, const struct json *config)
{
	if (cls->kind != LAYERS_KIND_INITIALIZER)
		return layers_config_throw(b, l, RULE_LAYERS_UNKNOWN_OBJECT, camel,
			"%s is no initializer in TensorFlow.js", cls->name);
	if (cls == &layers_table[LAYERS_CLASS_Constant] && !layers_config_get(config, "value"))
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, camel,
			"TensorFlow.js: config must have value set but got [object Object]");
	if (cls == &layers_table[LAYERS_CLASS_VarianceScaling])
		return check_variance_scaling(b, l, camel, config);
	return true;
}

/* A number where the constraint has one, or what it has without it. */
static bool limit(const struct json *config, const char *camel, double if_null, double *ret)
{
	const struct json *v = layers_config_set(config, camel);

	*ret = if_null;
	return !v || layers_config_number(v, ret) || json_is(v, JSON_TRUE) ||
		json_is(v, JSON_FALSE);
}

static bool bad_constraint(struct layers_build *b, struct layers_layer *l, const char *camel,
	const char *what)
{
	return layers_config_throw(b, l, RULE_LAYERS_CONFIG, camel,
		"TensorFlow.js applies the constraint to the weights that it loads: %s", what);
}

static bool check_constraint(struct layers_build *b, struct layers_layer *l, const char *camel,
	const struct layers_class *cls, const struct json *config)
{
	bool both = layers_table_is(cls, LAYERS_CLASS_MinMaxNorm);
	const struct json *axis = layers_config_set(config, "axis");
	double min = 0, max, rate, n;

	if (cls->kind != LAYERS_KIND_CONSTRAINT)
		return layers_config_throw(b, l, RULE_LAYERS_UNKNOWN_OBJECT, camel,
			"%s is no constraint in TensorFlow.js", cls->name);
	if (layers_table_is(cls, LAYERS_CLASS_NonNeg))
		return true;
	if (axis && !json_is(axis, JSON_ARRAY) && !layers_config_integer(axis, &n))
		return bad_constraint(b, l, camel,
			"All values in axis param must be integers, and in the range of the "
			"weight's dimensions");
	if (layers_table_is(cls, LAYERS_CLASS_UnitNorm))
		return true;
	if (!limit(config, "maxValue", both ? 1 : 2, &max) ||
		(both && !limit(config, "minValue", 0, &min)) || min > max)
		return bad_constraint(b, l, camel,
			"Error in clip: min must be less than or equal to max");
	if (both && !limit(config, "rate", 1, &rate))
		return bad_constraint(b, l, camel,
			"Argument 'a' passed to 'mul' must be numeric tensor");
	return true;
}

static bool check_object(struct layers_build *b, struct layers_layer *l, const char *camel,
	enum layers_kind kind)
{
	const struct json *v = layers_config_set(l->config, camel), *config = NULL;
	const struct layers_class *cls = NULL;

	if (!v || (kind == LAYERS_KIND_INITIALIZER && !layers_config_truthy(v)))
		return true;
	if (!resolve(b, l, camel, v, kind, &cls, &config))
		return false;
	if (kind == LAYERS_KIND_CONSTRAINT)
		return check_constraint(b, l, camel, cls, config);
	return kind != LAYERS_KIND_INITIALIZER || check_initializer(b, l, camel, cls, config);
}

static bool check_suffix(struct layers_build *b, struct layers_layer *l, const char *prefix,
	const char *suffix, enum layers_kind kind)
{
	char camel[64];

	(void)snprintf(camel, sizeof(camel), "%s%s", prefix, suffix);
	return check_object(b, l, camel, kind);
}

bool layers_objects_weight(struct layers_build *b, struct layers_layer *l, const char *prefix)
{
	bool ok = check_suffix(b, l, prefix, "Initializer", LAYERS_KIND_INITIALIZER);

	ok = check_suffix(b, l, prefix, "Regularizer", LAYERS_KIND_REGULARIZER) && ok;
	return check_suffix(b, l, prefix, "Constraint", LAYERS_KIND_CONSTRAINT) && ok;
}

bool layers_objects_activity(struct layers_build *b, struct layers_layer *l)
{
	l->activity = layers_config_set(l->config, "activityRegularizer") != NULL;
	return check_object(b, l, "activityRegularizer", LAYERS_KIND_REGULARIZER);
}

/* The axis over which the constraint that goes with an initializer takes the norm. */
static bool check_axis(struct layers_build *b, struct layers_layer *l, const char *initializer,
	unsigned rank)
{
	char camel[64];
	const struct json *config;
	double axis;

	(void)snprintf(camel, sizeof(camel), "%.*sConstraint",
		(int)(strlen(initializer) - strlen("Initializer")), initializer);
	config = layers_config_set(layers_config_set(l->config, camel), "config");
	if (!layers_config_integer(layers_config_set(config, "axis"), &axis) ||
		(axis >= -(double)rank && axis < rank))
		return true;
	return bad_constraint(b, l, camel,
		layers_arena_text(b,
			"All values in axis param must be in range [-%u, %u) but got axis %g", rank,
			rank, axis));
}

/* Only weights inside models that a functional model holds are really initialised. */
bool layers_objects_initial(struct layers_build *b, struct layers_layer *l, const char *camel,
	const struct layers_shape *shape)
{
	const struct json *v = camel ? layers_config_set(l->config, camel) : NULL;
	const char *name = json_str(v) ? json_str(v) : json_str(layers_config_get(v, "className"));
	const struct layers_class *cls = NULL;

	if (camel && shape && !check_axis(b, l, camel, shape->rank))
		return false;
	if (l->fast || !name || !shape)
		return true;
	name = layers_config_camel(b, name);
	cls = name ? by_word(name, LAYERS_KIND_INITIALIZER) : NULL;
	if (cls == &layers_table[LAYERS_CLASS_Identity] &&
		(shape->rank != 2 || !(shape->dims[0] == shape->dims[1])))
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, camel,
			"TensorFlow.js: Identity matrix initializer can only be used for 2D "
			"square matrices.");
	if (cls == &layers_table[LAYERS_CLASS_Orthogonal] && shape->rank < 2)
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, camel,
			"TensorFlow.js: Shape must be at least 2D.");
	return true;
}
