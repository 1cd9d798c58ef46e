/* SPDX-License-Identifier: Apache-2.0 */
/* Container.fromConfig: layers by name, and their calls in the order in which TensorFlow.js makes
 * them, since that order numbers the nodes.
 *
 * TensorFlow.js passes over the list of layers again and again, and makes each call whose inputs
 * exist by then. Here a call waits in the layer that it lacks, and a heap ordered by (pass,
 * position, call) replays the passes without repeating them.
 */
#include "common/model/layers_internal.h"

#include "common/base/num.h"

#include <stdlib.h>
#include <string.h>

struct ref {
	struct entry *from; /* NULL: no such layer */
	const char *name;
	uint64_t node, tensor;
};

struct pending {
	struct entry *entry;
	const struct json *kwargs;
	struct ref *refs;
	size_t refs_n;
	size_t order; /* among the calls of its layer */
	uint64_t pass;
	struct pending *next_waiting;
	bool done;
};

struct entry {
	const char *name; /* as other layers refer to it */
	struct layers_layer *layer;
	const char *pointer;
	const struct json *inbound;
	size_t position;
	struct pending *waiting; /* calls that lack a node of this layer */
};

struct wiring {
	struct layers_layer *model;
	struct entry *entries;
	size_t n;
	struct entry **by_name;
	struct pending **all;
	size_t all_n;
	struct pending **heap;
	size_t heap_n, heap_room;
};

/* ---- layers by name ------------------------------------------------------------------------ */

static int entry_cmp(const void *x, const void *y)
{
	const struct entry *a = *(struct entry *const *)x, *b = *(struct entry *const *)y;
	int order = strcmp(a->name, b->name);

	return order ? order : (a->position > b->position) - (a->position < b->position);
}

static struct entry *find(const struct wiring *w, const char *name)
{
	size_t low = 0, high = w->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(w->by_name[middle]->name, name);

		if (order == 0)
			return w->by_name[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static bool index_names(struct layers_build *b, struct wiring *w)
{
	bool ok = true;

	w->by_name = layers_arena_array(b, w->n ? w->n : 1, sizeof(struct entry *));
	if (!w->by_name)
		return false;
	for (size_t i = 0; i < w->n; i++)
		w->by_name[i] = &w->entries[i];
	qsort(w->by_name, w->n, sizeof(*w->by_name), entry_cmp);
	for (size_t i = 1; i < w->n; i++)
		if (strcmp(w->by_name[i - 1]->name, w->by_name[i]->name) == 0)
			ok = layers_config_throw(b, w->by_name[i]->layer,
				RULE_LAYERS_DUPLICATE_NAME, NULL,
				"two layers of the model are named '%s'; TensorFlow.js takes the "
				"last one for both",
				w->by_name[i]->name);
	return ok;
}

static bool read_layers(struct layers_build *b, struct wiring *w)
{
	const struct json *list = layers_config_set(w->model->config, "layers");
	size_t i = 0;

	if (!json_is(list, JSON_ARRAY))
		return layers_config_throw(b, w->model, RULE_LAYERS_CONFIG, "layers",
			"a functional model needs its list of layers");
	w->n = json_count(list);
	w->entries = layers_arena_array(b, w->n ? w->n : 1, sizeof(struct entry));
	if (!w->entries)
		return false;
	for (const struct json *v = json_first(list); v; v = json_next(v), i++) {
		struct entry *e = &w->entries[i];

		e->position = i;
		e->pointer = layers_arena_text(b, "%s/config/layers/%zu", w->model->pointer, i);
		e->layer = layers_layer_new(b, v, e->pointer, w->model->fast, false);
		e->name = json_str(layers_config_get(v, "name"));
		e->inbound = layers_config_get(v, "inboundNodes");
		if (!e->layer)
			return false;
		if (!e->name) /* JavaScript's name of an undefined property */
			e->name = "undefined";
	}
	return index_names(b, w);
}

/* ---- calls --------------------------------------------------------------------------------- */

static bool throw_at(struct layers_build *b, const struct entry *e, enum finding_rule rule,
	const char *what)
{
	CLEANUP_BUF struct buf pointer = BUF_INIT(4096);

	buf_addf(&pointer, "%s/inbound_nodes", e->pointer);
	findings_add(b->f, rule, "model.json", buf_str(&pointer), "layer '%s': %s", e->name, what);
	return false;
}

/* [name, node, tensor, kwargs?] */
static bool read_ref(const struct wiring *w, const struct json *v, struct ref *ret)
{
	const struct json *name = json_first(v), *node = json_next(name), *tensor = json_next(node);

	if (!json_is(v, JSON_ARRAY) || !json_str(name) ||
		!json_uint(node, NUM_SAFE_INTEGER_MAX, &ret->node) ||
		!json_uint(tensor, NUM_SAFE_INTEGER_MAX, &ret->tensor))
		return false;
	ret->name = json_str(name);
	ret->from = find(w, ret->name);
	return true;
}

static struct pending *add_pending(struct layers_build *b, struct wiring *w, struct entry *e,
	size_t order)
{
	struct pending *p = layers_arena_alloc(b, sizeof(*p));

	if (!p)
		return NULL;
	p->entry = e;
	p->order = order;
	return LAYERS_PUSH(b, w->all, w->all_n, p) ? p : NULL;
}

static bool read_call(struct layers_build *b, struct wiring *w, struct entry *e, size_t order,
	const struct json *data)
{
	struct pending *p = json_count(data) > 0 ? add_pending(b, w, e, order) : NULL;

	for (const struct json *v = p ? json_first(data) : NULL; v; v = json_next(v)) {
		const struct json *kwargs;
		struct ref ref = {0};

		if (!read_ref(w, v, &ref))
			return throw_at(b, e, RULE_LAYERS_WIRING,
				"an inbound node is no list of [layer, node index, tensor index, "
				"arguments]");
		kwargs = json_next(json_next(json_next(json_first(v))));
		p->kwargs = json_is(kwargs, JSON_OBJECT) ? kwargs : NULL;
		if (!LAYERS_PUSH(b, p->refs, p->refs_n, ref))
			return false;
	}
	return true;
}

static bool is_keras_tensor(const struct json *v)
{
	const char *name = json_str(json_get(v, "class_name"));

	return name && strcmp(name, "__keras_tensor__") == 0;
}

/* Keras 3's {"args": [...], "kwargs": {...}} with tensors somewhere inside. */
static bool read_keras3(struct layers_build *b, struct wiring *w, struct pending *p,
	const struct json *v, unsigned depth)
{
	if (depth > LAYERS_DEPTH_MAX || !(json_is(v, JSON_ARRAY) || json_is(v, JSON_OBJECT)))
		return true;
	if (is_keras_tensor(v)) {
		struct ref ref = {0};

		return !read_ref(w, json_get(json_get(v, "config"), "keras_history"), &ref) ||
			LAYERS_PUSH(b, p->refs, p->refs_n, ref);
	}
	for (const struct json *c = json_first(v); c; c = json_next(c))
		if (!read_keras3(b, w, p, c, depth + 1))
			return false;
	return true;
}

static bool read_call_object(struct layers_build *b, struct wiring *w, struct entry *e,
	size_t order, const struct json *data)
{
	struct pending *p = add_pending(b, w, e, order);

	(void)throw_at(b, e, RULE_KERAS3_INBOUND_NODES,
		"inbound_nodes holds an object with args and kwargs, as Keras 3 writes it, where "
		"[[[layer, node index, tensor index, arguments]]] is expected; TensorFlow.js: "
		"Corrupted "
		"configuration, expected array for nodeData: [object Object]");
	return p && read_keras3(b, w, p, data, 0);
}

static bool read_calls(struct layers_build *b, struct wiring *w, struct entry *e)
{
	size_t order = 0;
	bool ok = true;

	if (!json_is(e->inbound, JSON_ARRAY))
		return throw_at(b, e, RULE_LAYERS_WIRING, "it has no list inbound_nodes");
	for (const struct json *v = json_first(e->inbound); v; v = json_next(v), order++) {
		if (json_is(v, JSON_ARRAY))
			ok = read_call(b, w, e, order, v) && ok;
		else if (json_is(v, JSON_OBJECT))
			ok = read_call_object(b, w, e, order, v) && ok;
		else
			ok = throw_at(b, e, RULE_LAYERS_WIRING,
				"TensorFlow.js: Corrupted configuration, expected array for "
				"nodeData");
	}
	return ok;
}

/* ---- the replay of the passes -------------------------------------------------------------- */

static bool before(const struct pending *a, const struct pending *b)
{
	if (a->pass != b->pass)
		return a->pass < b->pass;
	if (a->entry->position != b->entry->position)
		return a->entry->position < b->entry->position;
	return a->order < b->order;
}

static bool heap_push(struct layers_build *b, struct wiring *w, struct pending *p)
{
	size_t i;

	if (!LAYERS_PUSH_ROOM(b, w->heap, w->heap_n, &w->heap_room, p))
		return false;
	for (i = w->heap_n - 1; i > 0 && before(p, w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = p;
	return true;
}

static struct pending *heap_pop(struct wiring *w)
{
	struct pending *first = w->heap[0], *last = w->heap[--w->heap_n];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < w->heap_n) {
		if (child + 1 < w->heap_n && before(w->heap[child + 1], w->heap[child]))
			child++;
		if (!before(w->heap[child], last))
			break;
		w->heap[i] = w->heap[child];
		i = child;
	}
	w->heap[i] = last;
	return first;
}

/* Those that waited for a node of `made` come to the heap again: in this pass when the list has not
 * passed them yet, else in the next one. */
static bool wake(struct layers_build *b, struct wiring *w, const struct pending *made)
{
	struct pending *p = made->entry->waiting;

	made->entry->waiting = NULL;
	while (p) {
		struct pending *next = p->next_waiting;

		p->pass = made->pass;
		if (before(p, made))
			p->pass++;
		if (!heap_push(b, w, p))
			return false;
		p = next;
	}
	return true;
}

/* The first input that does not exist yet. */
static struct ref *lacking(const struct pending *p)
{
	for (size_t i = 0; i < p->refs_n; i++)
		if (!p->refs[i].from || p->refs[i].from->layer->nodes_n <= p->refs[i].node)
			return &p->refs[i];
	return NULL;
}

static bool make_call(struct layers_build *b, struct wiring *w, struct pending *p)
{
	struct layers_sym **in = layers_arena_array(b, p->refs_n, sizeof(*in));

	if (!in || !layers_layer_work(b, p->entry->layer, p->refs_n))
		return false;
	for (size_t i = 0; i < p->refs_n; i++) {
		struct layers_layer *from = p->refs[i].from->layer;

		in[i] = layers_layer_output(
			b, from, (size_t)p->refs[i].node, (size_t)p->refs[i].tensor);
		if (!in[i])
			return throw_at(b, p->entry, RULE_LAYERS_WIRING,
				layers_arena_text(b, "its input '%s' has no tensor %llu",
					p->refs[i].name, (unsigned long long)p->refs[i].tensor));
	}
	p->done = true;
	return layers_layer_apply(b, p->entry->layer, in, p->refs_n, p->kwargs) && wake(b, w, p);
}

static bool report_stuck(struct layers_build *b, const struct wiring *w)
{
	bool ok = true;

	for (size_t i = 0, told = 0; i < w->all_n && told < FINDINGS_MAX; i++) {
		const struct pending *p = w->all[i];
		const struct ref *ref = p->done ? NULL : lacking(p);
		const char *why = "which waits for others in turn, so that the layers form a cycle";

		if (!ref)
			continue;
		told++;
		if (!ref->from)
			why = "which is no layer of the model";
		else if (ref->from->layer->nodes_n > 0 ||
			json_count(ref->from->inbound) <= ref->node)
			why = "which is never called that often";
		ok = throw_at(b, p->entry, RULE_LAYERS_WIRING,
			layers_arena_text(b,
				"it waits for node %llu of '%s', %s; TensorFlow.js never returns "
				"from such a model",
				(unsigned long long)ref->node, ref->name, why));
	}
	return ok;
}

static bool replay(struct layers_build *b, struct wiring *w)
{
	for (size_t i = 0; i < w->all_n; i++)
		if (!heap_push(b, w, w->all[i]))
			return false;
	while (w->heap_n > 0) {
		struct pending *p = heap_pop(w);
		struct ref *ref = lacking(p);

		if (!layers_layer_work(b, p->entry->layer, 1))
			return false;
		if (!ref) {
			if (!make_call(b, w, p))
				return false;
		} else if (ref->from) {
			p->next_waiting = ref->from->waiting;
			ref->from->waiting = p;
		}
	}
	return report_stuck(b, w);
}

/* ---- inputs and outputs -------------------------------------------------------------------- */

static bool add_end(struct layers_build *b, struct wiring *w, const char *camel,
	const struct json *v, struct layers_sym ***syms, size_t *n)
{
	struct ref ref = {0};
	struct layers_sym *sym;

	if (!read_ref(w, v, &ref))
		return layers_config_throw(b, w->model, RULE_LAYERS_WIRING, camel,
			"%s holds something else than [layer, node index, tensor index]", camel);
	if (!ref.from || ref.from->layer->nodes_n <= ref.node)
		return layers_config_throw(b, w->model, RULE_LAYERS_WIRING, camel,
			"%s names node %llu of '%s', which does not exist", camel,
			(unsigned long long)ref.node, ref.name);
	sym = layers_layer_output(b, ref.from->layer, (size_t)ref.node, (size_t)ref.tensor);
	if (!sym)
		return layers_config_throw(b, w->model, RULE_LAYERS_WIRING, camel,
			"%s names tensor %llu of '%s', which does not exist", camel,
			(unsigned long long)ref.tensor, ref.name);
	return LAYERS_PUSH(b, *syms, *n, sym);
}

/* execute() finds a tensor by its name among the outputs, so that the second stays null. */
static bool check_twice(struct layers_build *b, struct wiring *w)
{
	const struct layers_container *c = w->model->model;

	b->epoch++;
	for (size_t i = 0; i < c->outputs_n; i++) {
		if (c->outputs[i]->epoch == b->epoch)
			return layers_config_throw(b, w->model, RULE_LAYERS_WIRING, "outputLayers",
				"two outputs are one tensor, of layer '%s'; TensorFlow.js, when "
				"the model runs: Argument 'tensors[0]' passed to 'concat' must be "
				"a Tensor or TensorLike, but got 'null'",
				c->outputs[i]->source->name);
		c->outputs[i]->epoch = b->epoch;
	}
	return true;
}

static bool read_ends(struct layers_build *b, struct wiring *w, const char *camel,
	struct layers_sym ***syms, size_t *n)
{
	const struct json *list = layers_config_set(w->model->config, camel);

	if (!json_is(list, JSON_ARRAY) && !json_is(list, JSON_OBJECT))
		return layers_config_throw(b, w->model, RULE_LAYERS_WIRING, camel,
			"a functional model needs its list %s", camel);
	if (json_str(json_first(list)) || json_is(list, JSON_OBJECT)) {
		(void)layers_config_throw(b, w->model, RULE_KERAS3_INPUT_LAYERS, camel,
			"%s is not a list of [layer, node index, tensor index] but, as Keras 3 "
			"writes it, %s; "
			"TensorFlow.js throws an AssertionError without words",
			camel, json_is(list, JSON_OBJECT) ? "an object" : "such a triple itself");
		if (json_is(list, JSON_ARRAY))
			return add_end(b, w, camel, list, syms, n);
	}
	for (const struct json *v = json_first(list); v; v = json_next(v))
		if (!add_end(b, w, camel, v, syms, n))
			return false;
	return true;
}

bool layers_wiring_functional(struct layers_build *b, struct layers_layer *model)
{
	struct layers_container *c = model->model;
	struct wiring w = {.model = model};
	bool ok;

	if (!read_layers(b, &w))
		return false;
	ok = true;
	for (size_t i = 0; i < w.n; i++)
		ok = read_calls(b, &w, &w.entries[i]) && ok;
	return ok && replay(b, &w) && read_ends(b, &w, "inputLayers", &c->inputs, &c->inputs_n) &&
		read_ends(b, &w, "outputLayers", &c->outputs, &c->outputs_n) && check_twice(b, &w);
}
