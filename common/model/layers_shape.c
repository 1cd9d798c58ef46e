/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/layers_internal.h"

#include "common/base/buf.h"

#include <stdarg.h>
#include <string.h>

struct layers_shape *layers_shape_new(struct layers_build *b, unsigned rank)
{
	struct layers_shape *s;

	if (rank > LAYERS_RANK_MAX)
		return NULL;
	s = layers_arena_alloc(b, sizeof(*s) + rank * sizeof(s->dims[0]));
	if (s)
		s->rank = rank;
	return s;
}

struct layers_shape *layers_shape_of(struct layers_build *b, unsigned rank, ...)
{
	struct layers_shape *s = layers_shape_new(b, rank);
	va_list args;

	if (!s)
		return NULL;
	va_start(args, rank);
	for (unsigned i = 0; i < rank; i++)
		s->dims[i] = va_arg(args, double);
	va_end(args);
	return s;
}

struct layers_shape *layers_shape_slice(struct layers_build *b, const struct layers_shape *s,
	unsigned from, unsigned to)
{
	unsigned n = to > from ? to - from : 0;
	struct layers_shape *out = layers_shape_new(b, n);

	if (out && n)
		memcpy(out->dims, s->dims + from, n * sizeof(s->dims[0]));
	return out;
}

struct layers_shape *layers_shape_copy(struct layers_build *b, const struct layers_shape *s)
{
	return s ? layers_shape_slice(b, s, 0, s->rank) : NULL;
}

bool layers_shape_list(struct layers_build *b, struct layers_shapes *out, size_t n)
{
	out->items = layers_arena_array(b, n ? n : 1, sizeof(out->items[0]));
	out->n = out->items ? n : 0;
	return out->items != NULL;
}

bool layers_shape_set(struct layers_build *b, struct layers_shapes *out, struct layers_shape *s)
{
	if (!layers_shape_list(b, out, 1))
		return false;
	out->items[0] = s;
	return true;
}

double layers_shape_dim(const struct layers_shape *s, unsigned axis)
{
	return s && axis < s->rank ? s->dims[axis] : DIM_ANY;
}

double layers_shape_last(const struct layers_shape *s)
{
	return s && s->rank > 0 ? s->dims[s->rank - 1] : DIM_ANY;
}

bool layers_shape_equal(const struct layers_shape *a, const struct layers_shape *b)
{
	if (a->rank != b->rank)
		return false;
	for (unsigned i = 0; i < a->rank; i++)
		if (!(a->dims[i] == b->dims[i]))
			return false;
	return true;
}

const char *layers_shape_text(struct layers_build *b, const struct layers_shape *s)
{
	CLEANUP_BUF struct buf out = BUF_INIT(4096);

	if (!s)
		return "unknown";
	buf_add_char(&out, '[');
	for (unsigned i = 0; i < s->rank; i++) {
		if (i > 0)
			buf_add_char(&out, ',');
		if (s->dims[i] == DIM_NULL)
			buf_add_str(&out, "null");
		else if (s->dims[i] == DIM_ANY)
			buf_add_char(&out, '?');
		else
			buf_addf(&out, "%.17g", s->dims[i]);
	}
	buf_add_char(&out, ']');
	return layers_arena_text(b, "%s", buf_str(&out));
}

/* An overflow must not become one of the two special values. */
static double settled(double d)
{
	return isinf(d) ? (double)NAN : d;
}

double layers_shape_add(double a, double b)
{
	if (a == DIM_ANY || b == DIM_ANY)
		return DIM_ANY;
	return settled((a == DIM_NULL ? 0 : a) + (b == DIM_NULL ? 0 : b));
}

double layers_shape_mul(double a, double b)
{
	if (a == DIM_ANY || b == DIM_ANY)
		return DIM_ANY;
	return settled((a == DIM_NULL ? 0 : a) * (b == DIM_NULL ? 0 : b));
}

double layers_shape_conv(double length, double kernel, enum layers_padding padding, double stride,
	double dilation)
{
	double out = length;

	if (isinf(length))
		return length;
	if (padding != LAYERS_SAME)
		out = length - (kernel + (kernel - 1) * (dilation - 1)) + 1;
	return settled(layers_dim_floor((out + stride - 1) / stride));
}

double layers_shape_deconv(double length, double stride, double kernel, enum layers_padding padding)
{
	if (isinf(length))
		return length;
	if (padding == LAYERS_SAME)
		return settled(length * stride);
	return settled(length * stride + (kernel > stride ? kernel - stride : 0));
}
