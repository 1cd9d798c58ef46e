/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json/json_write.h"
#include "common/model/filepath.h"
#include "common/model/modeljson.h"
#include "common/model/modeljson_spot.h"

struct reshard {
	struct modeljson_spot_state spot;
	const char *bytes;
	const char *const *paths;
	size_t paths_n;
	size_t weights_begin; /* of a group's weights: behind the opening bracket */
	struct buf weights;   /* entries of all groups so far, with commas between */
	size_t copied;        /* bytes of the original that are in `out` or replaced */
	struct buf *out;
};

static void reshard_done(struct reshard *x)
{
	buf_done(&x->weights);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct str without_blanks(const char *from, const char *to)
{
	while (from < to && is_blank(*from))
		from++;
	while (from < to && is_blank(to[-1]))
		to--;
	return (struct str){from, (size_t)(to - from)};
}

static void take_weights(struct reshard *x, const struct json_token *t)
{
	struct str entries;

	if (t->event == JSON_EVENT_ARRAY_BEGIN) {
		x->weights_begin = t->offset + t->n;
		return;
	}
	entries = without_blanks(x->bytes + x->weights_begin, x->bytes + t->offset);
	if (entries.n == 0)
		return;
	if (x->weights.len > 0)
		buf_add_char(&x->weights, ',');
	buf_add(&x->weights, entries.p, entries.n);
}

static void write_manifest(struct reshard *x)
{
	struct json_write w;

	json_write_init(&w, x->out);
	json_write_array(&w, NULL);
	json_write_object(&w, NULL);
	json_write_array(&w, "paths");
	for (size_t i = 0; i < x->paths_n; i++)
		json_write_str(&w, NULL, x->paths[i]);
	json_write_array_end(&w);
	json_write_array(&w, "weights");
	json_write_raw(&w, NULL, buf_str(&x->weights), x->weights.len);
	json_write_array_end(&w);
	json_write_object_end(&w);
	json_write_array_end(&w);
}

static void take_manifest(struct reshard *x, const struct json_token *t)
{
	if (t->event == JSON_EVENT_ARRAY_BEGIN) {
		buf_add(x->out, x->bytes, t->offset);
		return;
	}
	write_manifest(x);
	x->copied = t->offset + t->n;
}

static int reshard_token(void *cls, const struct json_token *t, struct err *e)
{
	struct reshard *x = cls;
	enum modeljson_spot spot;
	int r = modeljson_spot_next(&x->spot, x->bytes, t, &spot, e);

	if (r < 0)
		return r;
	if (spot == MODELJSON_SPOT_GROUP_WEIGHTS)
		take_weights(x, t);
	else if (spot == MODELJSON_SPOT_MANIFEST)
		take_manifest(x, t);
	return 0;
}

int modeljson_reshard(const char *bytes, size_t n, const char *const *paths, size_t paths_n,
	struct buf *out, struct err *e)
{
	CLEANUP(reshard_done) struct reshard x = {
		.bytes = bytes,
		.paths = paths,
		.paths_n = paths_n,
		.weights = BUF_INIT(n),
		.out = out,
	};
	int r = json_scan(bytes, n, &JSON_LIMITS_MODEL, reshard_token, &x, e);

	if (r == 0)
		r = buf_check(&x.weights, "the weights of " FILEPATH_MODEL, e);
	if (r < 0)
		return r;
	buf_add(out, bytes + x.copied, n - x.copied);
	return buf_check(out, FILEPATH_MODEL " with other shards", e);
}
