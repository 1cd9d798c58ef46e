/* SPDX-License-Identifier: Apache-2.0 */
/* GET .../metadata: the signature of a version as TensorFlow Serving's REST API gives it, which is
 * GetModelMetadataResponse (tensorflow_serving/apis/get_model_metadata.proto) in the JSON of
 * protocol buffers: 64-bit numbers are strings, fields that are not set are there all the same.
 *
 * It is what validation stored with the version, in other words. A version of which no signature
 * is known (weights alone) has an empty signature_def, as a servable without signatures has there.
 */
#include "common/json/json.h"
#include "server/api/api.h"
#include "server/api/api_describe.h"
#include "server/api/api_json.h"
#include "server/api/api_metadata.h"

#include <stdio.h>

#define ANSWER_MAX (16u << 20) /* a dimension that takes 3 bytes where it is stored takes 24 here */

/* What is known of a version is at most 1 MiB. */
static const struct json_limits info_limits = {4u << 20, 2000000, 32, false};

/* Layers models are stored with the dtypes of TensorFlow.js, graph models with TensorFlow's. */
static const char *proto_dtype(const char *dtype)
{
	static const struct {
		const char *js, *proto;
	} names[] = {
		{"float32",   "DT_FLOAT"    },
		{"int32",     "DT_INT32"    },
		{"bool",      "DT_BOOL"     },
		{"string",    "DT_STRING"   },
		{"complex64", "DT_COMPLEX64"},
	};

	for (size_t i = 0; dtype && i < ARRAY_SIZE(names); i++)
		if (strcmp(dtype, names[i].js) == 0)
			return names[i].proto;
	return dtype && strncmp(dtype, "DT_", 3) == 0 ? dtype : "DT_INVALID";
}

/* A resource is given by the initializer, whether or not the model says what it is. */
static const char *dtype_of(const struct json *tensor)
{
	const char *dtype = proto_dtype(json_str(json_get(tensor, "dtype")));

	return strcmp(dtype, "DT_INVALID") == 0 && json_get(tensor, "resource_id") ? "DT_RESOURCE"
										   : dtype;
}

static void write_shape(struct json_write *w, const struct json *shape)
{
	json_write_object(w, "tensor_shape");
	json_write_array(w, "dim");
	for (const struct json *d = json_first(shape); d; d = json_next(d)) {
		char text[32];
		double size = -1;

		(void)json_double(d, &size);
		(void)snprintf(text, sizeof(text), "%.0f", size);
		json_write_object(w, NULL);
		json_write_str(w, "size", text);
		json_write_str(w, "name", "");
		json_write_object_end(w);
	}
	json_write_array_end(w);
	json_write_bool(w, "unknown_rank", !shape);
	json_write_object_end(w);
}

/* "node:output", which a model may leave out for the first one, as layers do. */
static int write_name(struct json_write *w, const char *name, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(info_limits.max_bytes);
	int r;

	buf_add_str(&text, name);
	if (!strchr(name, ':'))
		buf_add_str(&text, ":0");
	r = buf_check(&text, "the name of a tensor", e);
	if (r == 0)
		json_write_str(w, "name", buf_str(&text));
	return r;
}

static int write_tensors(struct json_write *w, const char *key, const struct json *tensors,
	struct err *e)
{
	int r = 0;

	json_write_object(w, key);
	for (const struct json *t = json_first(tensors); t && r == 0; t = json_next(t)) {
		const char *node = json_str(json_get(t, "name"));

		json_write_object(w, json_key(t));
		json_write_str(w, "dtype", dtype_of(t));
		write_shape(w, json_get(t, "shape"));
		r = write_name(w, node ? node : json_key(t), e);
		json_write_object_end(w);
	}
	json_write_object_end(w);
	return r;
}

static int write_signature(struct json_write *w, const struct json *signature, struct err *e)
{
	int r;

	json_write_object(w, "serving_default");
	r = write_tensors(w, "inputs", json_get(signature, "inputs"), e);
	if (r == 0)
		r = write_tensors(w, "outputs", json_get(signature, "outputs"), e);
	json_write_str(w, "method_name", "tensorflow/serving/predict");
	json_write_object_end(w);
	return r;
}

static void write_spec(struct json_write *w, const struct catalog_version *v)
{
	char number[24];

	(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)v->version);
	json_write_object(w, "model_spec");
	json_write_str(w, "name", v->model);
	json_write_str(w, "signature_name", "");
	json_write_str(w, "version", number);
	json_write_object_end(w);
}

/* `signature_source` is ours: outside what a client of TensorFlow Serving looks into. */
static int write_metadata(struct json_write *w, const struct catalog_version *v,
	const struct json *signature, struct err *e)
{
	int r = 0;

	json_write_object(w, NULL);
	write_spec(w, v);
	json_write_object(w, "metadata");
	json_write_object(w, "signature_def"); /* the kind of metadata */
	json_write_object(w, "signature_def"); /* the member of SignatureDefMap */
	if (signature)
		r = write_signature(w, signature, e);
	json_write_object_end(w);
	json_write_object_end(w);
	json_write_object_end(w);
	if (signature)
		json_write_str(w, "signature_source", json_str(json_get(signature, "source")));
	json_write_object_end(w);
	return r;
}

int api_metadata_reply(struct req *r, const struct catalog_version *v, struct err *e)
{
	CLEANUP(json_doc_free_p) struct json_doc *info = NULL;
	CLEANUP_BUF struct buf json = BUF_INIT(ANSWER_MAX);
	struct json_write w;
	int result;

	if (json_parse(v->info, strlen(v->info), &info_limits, &info, e) < 0) {
		e->code = ERR_CORRUPT;
		return err_prefix(e, "what is known of %s@%llu", v->model,
			(unsigned long long)v->version);
	}
	json_write_init(&w, &json);
	result = write_metadata(&w, v, json_get_set(json_root(info), "signature"), e);
	return result < 0 ? result : api_json_reply(r, &json, e);
}

static int metadata_work(struct req *r, struct err *e)
{
	struct app *app = req_app(r);
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct ref ref;
	int result = api_describe_ref(r, &ref, e);

	if (result < 0)
		return api_json_absent(e);
	result = registry_resolve(app->registry, &ref, &v, e);
	return result < 0 ? result : api_metadata_reply(r, v, e);
}

const struct handler api_metadata = {
	.name = "metadata",
	.scope = SCOPE_READ,
	.target = HANDLER_VERSION,
	.work = metadata_work,
};
