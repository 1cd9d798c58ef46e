/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a model.json on stdin and prints what layers.h and training.h infer from it, for the
 * differential test: {"weights": [...], "inputs": [...], "outputs": [...], "refuse": bool,
 * "findings": [...]}.
 * With --lines it reads one model.json per line and answers with one line each. */
#include "common/base/buf.h"
#include "common/base/num.h"
#include "common/json/json_write.h"
#include "common/model/training.h"

#include <stdio.h>
#include <string.h>

#define INPUT_MAX (64 * MIB)

static void write_shape(struct json_write *w, const int64_t *shape, size_t rank, bool known)
{
	if (!known) {
		json_write_null(w, "shape");
		return;
	}
	json_write_array(w, "shape");
	for (size_t i = 0; i < rank; i++)
		json_write_int(w, NULL, shape[i]);
	json_write_array_end(w);
}

static void write_weights(struct json_write *w, const struct layers_model *m)
{
	size_t n;
	const struct layers_weight *weights = layers_weights(m, &n);

	json_write_array(w, "weights");
	for (size_t i = 0; i < n; i++) {
		json_write_object(w, NULL);
		json_write_str(w, "name", weights[i].name);
		write_shape(w, weights[i].shape, weights[i].rank, weights[i].rank_known);
		json_write_str(w, "dtype", dtype_name(weights[i].dtype));
		json_write_bool(w, "trainable", weights[i].trainable);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void write_tensors(struct json_write *w, const char *key, const struct layers_tensor *t,
	size_t n)
{
	json_write_array(w, key);
	for (size_t i = 0; i < n; i++) {
		json_write_object(w, NULL);
		json_write_str(w, "name", t[i].name);
		json_write_str(w, "dtype", t[i].dtype);
		write_shape(w, t[i].shape, t[i].rank, t[i].rank_known);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void write_model(struct json_write *w, const struct layers_model *m)
{
	const struct layers_tensor *t;
	size_t n;

	write_weights(w, m);
	t = layers_inputs(m, &n);
	write_tensors(w, "inputs", t, n);
	t = layers_outputs(m, &n);
	write_tensors(w, "outputs", t, n);
	json_write_uint(w, "layers", layers_count(m));
}

static int judge(const struct json *root, struct json_write *w, struct findings *f, struct err *e)
{
	CLEANUP(layers_free_p) struct layers_model *m = NULL;
	CLEANUP(manifest_free_p) struct manifest *manifest = NULL;
	const struct json *groups = json_get_set(root, "weightsManifest");
	const struct json *training = json_get_set(root, "trainingConfig");
	int r = layers_read(json_get(root, "modelTopology"), &m, f, e);

	if (r == 0 && groups)
		r = manifest_read(groups, &manifest, f, e);
	if (r == 0 && manifest)
		r = layers_match(m, manifest, f, e);
	if (r == 0 && training)
		training_check(training, m, manifest, f);
	if (r == 0)
		write_model(w, m);
	return r;
}

static int dump(const char *bytes, size_t n)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	CLEANUP_FINDINGS struct findings f;
	CLEANUP_BUF struct buf out = BUF_INIT(INPUT_MAX);
	struct json_limits limits = JSON_LIMITS_MODEL;
	struct json_write w;
	struct err e;
	int r = json_parse(bytes, n, &limits, &doc, &e);

	findings_init(&f);
	json_write_init(&w, &out);
	json_write_object(&w, NULL);
	if (r == 0)
		r = judge(json_root(doc), &w, &f, &e);
	if (r < 0)
		json_write_str(&w, "error", e.text);
	json_write_bool(&w, "refuse", r < 0 || findings_refuse(&f));
	findings_write(&f, &w, "findings");
	json_write_object_end(&w);
	printf("%s\n", buf_str(&out));
	return r < 0 ? 2 : 0;
}

static int dump_lines(void)
{
	CLEANUP_FREE char *line = NULL;
	size_t size = 0;
	ssize_t n;

	while ((n = getline(&line, &size, stdin)) > 0) {
		(void)dump(line, (size_t)n);
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	CLEANUP_BUF struct buf in = BUF_INIT(INPUT_MAX);
	char chunk[16384];
	size_t n;

	if (argc > 1 && strcmp(argv[1], "--lines") == 0)
		return dump_lines();
	while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
		buf_add(&in, chunk, n);
	return dump(buf_str(&in), in.len);
}
