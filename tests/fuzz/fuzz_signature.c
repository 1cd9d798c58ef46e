/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures: the input is members of a model.json beside a graph that has tensors of every kind
 * ("signature": {...}, "modelInitializer": {...}, "userDefinedMetadata": {...}). Whatever they say,
 * what is told of inputs and outputs is strict JSON, by names that differ, with dtypes and shapes.
 */
#include "common/json/json.h"
#include "common/model/artifact.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (16u << 20)

static const char graph[] =
	"{\"modelTopology\":{\"versions\":{},\"node\":["
	"{\"name\":\"x\",\"op\":\"Placeholder\",\"attr\":{\"dtype\":{\"type\":\"DT_FLOAT\"},"
	"\"shape\":{\"shape\":{\"dim\":[{\"size\":\"-1\"},{\"size\":\"4\"}]}}}},"
	"{\"name\":\"h\",\"op\":\"Placeholder\",\"attr\":{\"dtype\":{\"type\":\"DT_RESOURCE\"}}},"
	"{\"name\":\"w\",\"op\":\"Const\",\"attr\":{\"dtype\":{\"type\":\"DT_FLOAT\"}}},"
	"{\"name\":\"k\",\"op\":\"Const\",\"attr\":{\"dtype\":{\"type\":\"DT_STRING\"}}},"
	"{\"name\":\"y\",\"op\":\"Add\",\"input\":[\"x\",\"w\"]},"
	"{\"name\":\"7\",\"op\":\"Relu\",\"input\":[\"y\"]},"
	"{\"name\":\"10\",\"op\":\"Relu\",\"input\":[\"y\"]},"
	"{\"name\":\"s\",\"op\":\"Split\",\"input\":[\"w\",\"x\"],"
	"\"attr\":{\"num_split\":{\"i\":\"2\"}}},"
	"{\"name\":\"f\",\"op\":\"LookupTableFindV2\",\"input\":[\"h\",\"k\",\"k\"]}]},"
	"\"weightsManifest\":[{\"paths\":[\"p\"],\"weights\":["
	"{\"name\":\"w\",\"shape\":[],\"dtype\":\"float32\"},"
	"{\"name\":\"k\",\"shape\":[2],\"dtype\":\"string\"}]}],";

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void must_be_dims(const struct json *shape)
{
	for (const struct json *d = json_first(shape); d; d = json_next(d)) {
		double size;

		must(json_double(d, &size) && size >= -1);
	}
}

static void must_be_tensors(const struct json *side)
{
	must(json_is(side, JSON_OBJECT));
	for (const struct json *t = json_first(side); t; t = json_next(t)) {
		const char *dtype = json_str(json_get(t, "dtype"));

		must(json_str(json_get(t, "name")) && dtype && strncmp(dtype, "DT_", 3) == 0);
		must_be_dims(json_get(t, "shape"));
	}
}

static void must_tell(const struct artifact *a)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	CLEANUP_BUF struct buf out = BUF_INIT(TEXT_MAX);
	const struct json *signature;
	struct json_write w;
	struct err e;

	json_write_init(&w, &out);
	json_write_object(&w, NULL);
	artifact_write(a, &w);
	json_write_object_end(&w);
	must(buf_check(&out, "what is told", &e) == 0);
	must(json_parse(out.data, out.len, &JSON_LIMITS_MODEL, &doc, &e) == 0);
	signature = json_get(json_root(doc), "signature");
	if (!signature) /* nothing could be learned: refused */
		return;
	must_be_tensors(json_get(signature, "inputs"));
	must_be_tensors(json_get(signature, "outputs"));
	must(json_str(json_get(signature, "source")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_BUF struct buf text = BUF_INIT(TEXT_MAX);
	CLEANUP(modeljson_free_p) struct modeljson *m = NULL;
	CLEANUP(artifact_free_p) struct artifact *a = NULL;
	CLEANUP_FINDINGS struct findings f;
	struct err e;

	findings_init(&f);
	buf_add_str(&text, graph);
	buf_add(&text, data, n);
	buf_add_char(&text, '}');
	if (buf_failed(&text))
		return 0;
	must(modeljson_parse(text.data, text.len, &m, &f, &e) == 0);
	if (!m)
		return 0;
	must(artifact_read(m, &a, &f, &e) == 0);
	must_tell(a);
	return 0;
}
