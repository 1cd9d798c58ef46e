/* SPDX-License-Identifier: Apache-2.0 */
/* model.json: ModelArtifacts as TensorFlow.js writes and reads them (tfjs-core/src/io/types.ts,
 * ModelJSON). Pure functions over bytes; nothing is ever re-serialised.
 */
#pragma once

#include "common/json/json.h"
#include "common/model/finding.h"
#include "common/model/manifest.h"

enum modeljson_kind {
	MODELJSON_LAYERS,  /* a Keras configuration: tf.loadLayersModel */
	MODELJSON_GRAPH,   /* a GraphDef: tf.loadGraphModel */
	MODELJSON_WEIGHTS, /* a manifest without topology */
};

struct modeljson {
	struct json_doc *doc;
	enum modeljson_kind kind; /* judged by the topology, never by `format` */
	const char *format; /* these three point into `doc`; NULL where there is no readable text */
	const char *generated_by;
	const char *converted_by;
	struct manifest *manifest; /* NULL: topology only */
	uint64_t topology_bytes;     /* of the JSON text of modelTopology */
	uint64_t weight_specs_bytes; /* of the JSON text of all `weights` arrays */
};

/* Parse and check. What makes it unloadable is an error in `f`, and *ret stays untouched then. Not
 * JSON at all is such a finding too (rule json.syntax), with the accident named where the bytes are
 * an HTML page, a Git LFS pointer or a gzip stream. Errors: out of memory. */
int modeljson_parse(const char *bytes, size_t n, struct modeljson **ret, struct findings *f,
	struct err *e);

/* To be called with the bytes that were parsed when all that is to be read of `doc` has been: a
 * name or another text that was read, and that the browser reads differently, is an error in `f`
 * (rule json.syntax). What is an unreadable value, and why one that nobody reads is accepted, says
 * json.h: TensorFlow.js hands such texts on, or passes over them. Errors: out of memory. */
int modeljson_check_read(const struct modeljson *m, const char *bytes, size_t n,
	struct findings *f, struct err *e);
void modeljson_free(struct modeljson *m);
DEFINE_CLEANUP(struct modeljson, modeljson_free)

/* "layers-model", "graph-model", "weights": the words of the API. */
const char *modeljson_kind_name(enum modeljson_kind kind);

/* True when the bytes are a JSON object with a member modelTopology or weightsManifest: how the
 * model is found when no file is called model.json. */
bool modeljson_recognise(const char *bytes, size_t n);

/* Copy model.json to `out` with each entry P of weightsManifest[].paths replaced by
 * "<prefix><P stripped of ./>", escaped as JSON; every other byte stays as it is. `prefix` is
 * "../<last segment>@<version>/". The bytes have passed modeljson_parse(). */
int modeljson_rewrite_paths(const char *bytes, size_t n, const char *prefix, struct buf *out,
	struct err *e);

/* Copy model.json to `out` with one group in weightsManifest: these paths, and the weights of all
 * groups in their order, each entry byte for byte as it was; what else the groups had is dropped.
 * Every other byte stays as it is. The bytes have passed modeljson_parse() and have a manifest. */
int modeljson_reshard(const char *bytes, size_t n, const char *const *paths, size_t paths_n,
	struct buf *out, struct err *e);

/* What a stream that should be weights looks like instead: "an HTML page", "an XML document", "a
 * Git LFS pointer", "a gzip stream", "a zip archive", "JSON", or NULL when nothing gives it
 * away. Looks at the first bytes only (at most MODELJSON_SNIFF of them). *ret_certain (may be NULL)
 * says that no numbers begin like that: so many bytes agree that chance is ruled out. */
#define MODELJSON_SNIFF 512
const char *modeljson_sniff(const uint8_t *bytes, size_t n, bool *ret_certain);
