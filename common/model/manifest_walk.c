/* SPDX-License-Identifier: Apache-2.0 */
/* Between two calls the walk stands in one of three places: behind the last weight; in a weight
 * of known size with `left` of its bytes to come; in an element of a string weight, either
 * gathering its length (`length_n` below 4, `left` 0) or inside its bytes (`length_n` 4, `left`
 * above 0). */
#include "common/model/manifest.h"
#include "common/model/filepath.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define SHAPE_MAX 96

static const struct manifest_weight *current(const struct manifest_walk *w)
{
	return &w->manifest->weights[w->weight];
}

static bool at_end(const struct manifest_walk *w)
{
	return w->weight >= w->manifest->weights_n;
}

/* Go to the next weight that takes bytes, from the current one on. */
static void enter(struct manifest_walk *w)
{
	w->element = 0;
	while (!at_end(w) && current(w)->elements == 0)
		w->weight++;
	w->left = at_end(w) ? 0 : current(w)->bytes;
	if (!at_end(w))
		w->slice = w->offset;
}

static void leave_weight(struct manifest_walk *w)
{
	w->weight++;
	enter(w);
}

static void leave_element(struct manifest_walk *w)
{
	w->length_n = 0;
	if (++w->element == current(w)->elements)
		leave_weight(w);
	else
		w->slice = w->offset;
}

void manifest_walk_init(struct manifest_walk *w, const struct manifest *m)
{
	*w = (struct manifest_walk){.manifest = m};
	enter(w);
}

/* Skip up to `n` bytes of what is left of a weight or a string; returns how many. */
static uint64_t skip(struct manifest_walk *w, uint64_t n)
{
	if (n > w->left)
		n = w->left;
	w->left -= n;
	w->offset += n;
	if (w->left == 0 && current(w)->dtype == DTYPE_STRING)
		leave_element(w);
	else if (w->left == 0)
		leave_weight(w);
	return n;
}

/* One byte of a string's length: little-endian, whatever the host is. */
static void add_length(struct manifest_walk *w, uint8_t byte)
{
	w->length[w->length_n++] = byte;
	w->offset++;
	if (w->length_n < sizeof(w->length))
		return;
	w->left = 0;
	for (unsigned i = 0; i < sizeof(w->length); i++)
		w->left |= (uint64_t)w->length[i] << 8 * i;
	if (w->left == 0)
		leave_element(w);
}

void manifest_walk_feed(struct manifest_walk *w, const uint8_t *bytes, size_t n)
{
	while (n > 0 && !at_end(w)) {
		size_t weight = w->weight;
		uint64_t step = 1;
		if (w->left > 0)
			step = skip(w, n);
		else
			add_length(w, *bytes);
		if (w->fn)
			w->fn(w->cls, weight, bytes, (size_t)step);
		bytes += step;
		n -= (size_t)step;
	}
	w->surplus += n;
	w->offset += n;
}

static const char *shape_text(const struct manifest_weight *x, char buf[SHAPE_MAX])
{
	size_t n = 0;

	buf[n++] = '[';
	for (size_t i = 0; i < x->rank; i++) {
		if (n > SHAPE_MAX - 32) {
			n += (size_t)snprintf(buf + n, SHAPE_MAX - n, ",...");
			break;
		}
		n += (size_t)snprintf(buf + n, SHAPE_MAX - n, "%s%" PRIu64, i > 0 ? "," : "",
			x->shape[i]);
	}
	(void)snprintf(buf + n, SHAPE_MAX - n, "]");
	return buf;
}

static void add_too_short(const struct manifest_walk *w, struct findings *f)
{
	const struct manifest_weight *x = current(w);
	char shape[SHAPE_MAX];

	if (x->dtype == DTYPE_STRING) {
		findings_add(f, RULE_WEIGHTS_TOO_SHORT, FILEPATH_MODEL, "/weightsManifest",
			"the shards hold %" PRIu64 " bytes and end inside weight %zu, '%.128s' "
			"(string, %s), in string %" PRIu64 " of %" PRIu64, w->offset, w->weight,
			x->name, shape_text(x, shape), w->element, x->elements);
		return;
	}
	findings_add(f, RULE_WEIGHTS_TOO_SHORT, FILEPATH_MODEL, "/weightsManifest",
		"the shards hold %" PRIu64 " bytes and end inside weight %zu, '%.128s' (%s, %s): "
		"it has %" PRIu64 " of its %" PRIu64 " bytes; TensorFlow.js says \"Based on the "
		"provided shape, %s, the tensor should have %" PRIu64 " values\"",
		w->offset, w->weight, x->name, dtype_name(x->stored), shape_text(x, shape),
		x->bytes - w->left, x->bytes, shape, x->elements);
}

void manifest_walk_finish(const struct manifest_walk *w, struct findings *f)
{
	if (!at_end(w))
		add_too_short(w, f);
	else if (w->surplus > 0)
		findings_add(f, RULE_WEIGHTS_TOO_LONG, FILEPATH_MODEL, "/weightsManifest",
			"the shards hold %" PRIu64 " bytes, the manifest describes %" PRIu64
			"; TensorFlow.js would leave the rest unread",
			w->offset, w->offset - w->surplus);
}
