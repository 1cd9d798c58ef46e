/* SPDX-License-Identifier: Apache-2.0 */
/* model.json texts and the judgement on them; a single quote stands for a double one. A row is
 *   ACCEPT(kind, text) or REFUSE(rule, JSON pointer or NULL, words of the message, text). */

#define LAYERS  "'modelTopology':{'class_name':'Sequential','config':{'layers':[]}}"
#define GRAPH   "'modelTopology':{'node':[],'versions':{}}"
#define NO_DATA "'weightsManifest':[]"

/* One group of one shard; `weights` are its entries. */
#define ONE_GROUP(weights) "{" GRAPH ",'weightsManifest':[{'paths':['w.bin'],'weights':[" weights "]}]}"
#define PATHS(paths) "{" GRAPH ",'weightsManifest':[{'paths':" paths ",'weights':[]}]}"
#define WEIGHT(members) ONE_GROUP("{'name':'w'," members "}")
#define QUANTIZED(dtype, quantization) \
	WEIGHT("'shape':[2],'dtype':'" dtype "','quantization':" quantization)

/* ---- the root and the kinds ---- */
ACCEPT(LAYERS, "{" LAYERS "}")
ACCEPT(LAYERS, "{" LAYERS "," NO_DATA "}")
ACCEPT(LAYERS, "{" LAYERS ",'weightsManifest':null}")
ACCEPT(LAYERS, "{'modelTopology':{'model_config':{'class_name':'Model','config':{}},'keras_version':'2'}}")
ACCEPT(LAYERS, "{'modelTopology':{'class_name':'Sequential','config':[]}}")
ACCEPT(LAYERS, "{'format':'graph-model'," LAYERS "}")
ACCEPT(GRAPH, "{" GRAPH "," NO_DATA "}")
ACCEPT(GRAPH, "{'format':'layers-model'," GRAPH "," NO_DATA "}")
ACCEPT(WEIGHTS, "{" NO_DATA "}")
ACCEPT(WEIGHTS, "{'modelTopology':null," NO_DATA "}")
ACCEPT(WEIGHTS, "\xEF\xBB\xBF{" NO_DATA "}")
REFUSE("json.root", "", "is an object, not array", "[]")
REFUSE("json.root", "", "is an object, not null", "null")
REFUSE("json.root", "", "is an object, not string", "'{}'")
REFUSE("json.root", "", "neither model topology or manifest", "{}")
REFUSE("json.root", "", "neither model topology or manifest", "{'modelTopology':null,'weightsManifest':null}")
REFUSE("json.root", "", "neither modelTopology nor", "{'ModelTopology':{},'weightsmanifest':[]}")
REFUSE("json.type", "/modelTopology", "not string", "{'modelTopology':'{}'}")
REFUSE("json.type", "/modelTopology", "not array", "{'modelTopology':[]," NO_DATA "}")
REFUSE("json.type", "/modelTopology", "not false", "{'modelTopology':false," NO_DATA "}")
REFUSE("topology.kind", "/modelTopology", "neither a Keras", "{'modelTopology':{}," NO_DATA "}")
REFUSE("topology.kind", "/modelTopology", "neither a Keras", "{'modelTopology':{'config':{}}}")
REFUSE("topology.kind", "/modelTopology", "config of a Keras configuration is an object, not nothing",
	"{'modelTopology':{'class_name':'Model'}}")
REFUSE("topology.kind", "/modelTopology", "must set", "{'modelTopology':{'class_name':'Model','config':null}}")
REFUSE("topology.kind", "/modelTopology", "must set", "{'modelTopology':{'class_name':7,'config':{}}}")
REFUSE("topology.kind", "/modelTopology/model_config", "not string", "{'modelTopology':{'model_config':'{}'}}")
REFUSE("topology.kind", "/modelTopology/model_config", "must set", "{'modelTopology':{'model_config':{}}}")
REFUSE("topology.kind", "/modelTopology", "reading 'producer'", "{'modelTopology':{'node':[]}," NO_DATA "}")
REFUSE("topology.kind", "/modelTopology", "reading 'producer'",
	"{'modelTopology':{'node':[],'versions':null}," NO_DATA "}")
REFUSE("topology.kind", "/modelTopology", "reading 'reduce'", "{'modelTopology':{'versions':{}}," NO_DATA "}")
REFUSE("topology.kind", "/modelTopology", "an array, not object",
	"{'modelTopology':{'node':{},'versions':{}}," NO_DATA "}")
REFUSE("manifest.type", "", "undefined is not iterable", "{" GRAPH "}")

/* ---- members beside them ---- */
ACCEPT(LAYERS, "{" LAYERS ",'format':1,'generatedBy':{},'convertedBy':[]}")
ACCEPT(LAYERS, "{" LAYERS ",'trainingConfig':null,'userDefinedMetadata':null,'signature':null}")
ACCEPT(LAYERS, "{" LAYERS ",'signature':1,'modelInitializer':1,'initializerSignature':1}")
ACCEPT(GRAPH, "{" GRAPH "," NO_DATA ",'trainingConfig':1}")
ACCEPT(GRAPH, "{" GRAPH "," NO_DATA ",'signature':{},'modelInitializer':{},'initializerSignature':{}}")
ACCEPT(LAYERS, "{" LAYERS ",'somethingElse':[1,2,{'weightsManifest':7}]}")
REFUSE("json.type", "/trainingConfig", "not string", "{" LAYERS ",'trainingConfig':'x'}")
REFUSE("json.type", "/userDefinedMetadata", "not array", "{" LAYERS ",'userDefinedMetadata':[]}")
REFUSE("json.type", "/userDefinedMetadata", "not number", "{" GRAPH "," NO_DATA ",'userDefinedMetadata':1}")
REFUSE("json.type", "/signature", "not string", "{" GRAPH "," NO_DATA ",'signature':'x'}")
REFUSE("json.type", "/modelInitializer", "not array", "{" GRAPH "," NO_DATA ",'modelInitializer':[]}")
REFUSE("json.type", "/initializerSignature", "not true", "{" GRAPH "," NO_DATA ",'initializerSignature':true}")

/* ---- groups ---- */
ACCEPT(GRAPH, "{" GRAPH ",'weightsManifest':[{'paths':[],'weights':[]},{'weights':[],'paths':[]}]}")
REFUSE("manifest.type", "/weightsManifest", "not object", "{" GRAPH ",'weightsManifest':{}}")
REFUSE("manifest.type", "/weightsManifest", "not number", "{'weightsManifest':0}")
REFUSE("manifest.type", "/weightsManifest/1", "not null",
	"{" GRAPH ",'weightsManifest':[{'paths':[],'weights':[]},null]}")
REFUSE("manifest.type", "/weightsManifest/0", "not array", "{" GRAPH ",'weightsManifest':[[]]}")
REFUSE("manifest.type", "/weightsManifest/0", "is not iterable", "{" GRAPH ",'weightsManifest':[{'weights':[]}]}")
REFUSE("manifest.type", "/weightsManifest/0/paths", "not null", PATHS("null"))
REFUSE("manifest.type", "/weightsManifest/0/paths", "not string", PATHS("'w.bin'"))
REFUSE("manifest.type", "/weightsManifest/0/paths", "not object", PATHS("{}"))
REFUSE("manifest.type", "/weightsManifest/0", "weights are an array of objects, not nothing",
	"{" GRAPH ",'weightsManifest':[{'paths':['./model.weights.bin']}]}")
REFUSE("manifest.type", "/weightsManifest/0/weights", "not null",
	"{" GRAPH ",'weightsManifest':[{'paths':[],'weights':null}]}")

/* ---- paths ---- */
ACCEPT(GRAPH, PATHS("['a.bin','sub/b.bin','./c.bin']"))
REFUSE("manifest.type", "/weightsManifest/0/paths/1", "a string, not number", PATHS("['a',7]"))
REFUSE("manifest.path", "/weightsManifest/0/paths/0", "not relative", PATHS("['/w.bin']"))
REFUSE("manifest.path", "/weightsManifest/0/paths/1", "part '..'", PATHS("['a','../w.bin']"))
REFUSE("manifest.path", "/weightsManifest/0/paths/0", "empty", PATHS("['']"))
REFUSE("manifest.path", "/weightsManifest/0/paths/0", "empty", PATHS("['./']"))
REFUSE("manifest.path", "/weightsManifest/0/paths/0", "has a ':'", PATHS("['https://x/w.bin']"))
REFUSE("manifest.path", "/weightsManifest/0/paths/0", "has a '?'", PATHS("['w.bin?a=1']"))
REFUSE("manifest.path", "/weightsManifest/0/paths/0", "the model itself", PATHS("['./model.json']"))
REFUSE("manifest.path", "/weightsManifest/0/paths/0", "the model itself", PATHS("['Model.JSON']"))
REFUSE("manifest.path-twice", "/weightsManifest/0/paths/2", "'a' is named twice", PATHS("['a','b','./a']"))
REFUSE("manifest.path-twice", "/weightsManifest/0/paths/1", "in letter case only", PATHS("['w.bin','W.bin']"))
REFUSE("manifest.path-twice", "/weightsManifest/1/paths/0", "is named twice",
	"{'weightsManifest':[{'paths':['a','b'],'weights':[]},{'paths':['b'],'weights':[]}]}")

/* ---- weights ---- */
ACCEPT(GRAPH, WEIGHT("'shape':[],'dtype':'float32'"))
ACCEPT(GRAPH, WEIGHT("'shape':[0],'dtype':'int32'"))
ACCEPT(GRAPH, WEIGHT("'shape':[2,3],'dtype':'bool','group':'model'"))
ACCEPT(GRAPH, WEIGHT("'shape':[2],'dtype':'string','group':5"))
ACCEPT(GRAPH, WEIGHT("'shape':[2.0,1e1,-0],'dtype':'complex64'"))
ACCEPT(GRAPH, WEIGHT("'shape':[9007199254740991,9007199254740991,0],'dtype':'float32'"))
ACCEPT(GRAPH, ONE_GROUP("{'name':'','shape':[],'dtype':'bool'},{'name':'','shape':[],'dtype':'bool'}"))
REFUSE("manifest.type", "/weightsManifest/0/weights/0", "not string", ONE_GROUP("'w'"))
REFUSE("manifest.type", "/weightsManifest/0/weights/1", "not null",
	ONE_GROUP("{'name':'w','shape':[],'dtype':'bool'},null"))
REFUSE("weights.name", "/weightsManifest/0/weights/0", "not nothing", ONE_GROUP("{'shape':[],'dtype':'bool'}"))
REFUSE("weights.name", "/weightsManifest/0/weights/0/name", "not number",
	ONE_GROUP("{'name':1,'shape':[],'dtype':'bool'}"))
REFUSE("weights.shape", "/weightsManifest/0/weights/0", "'w' is an array of whole numbers, not nothing",
	WEIGHT("'dtype':'float32'"))
REFUSE("weights.shape", "/weightsManifest/0/weights/0/shape", "not null", WEIGHT("'shape':null,'dtype':'bool'"))
REFUSE("weights.shape", "/weightsManifest/0/weights/0/shape", "not number", WEIGHT("'shape':2,'dtype':'bool'"))
REFUSE("weights.shape", "/weightsManifest/0/weights/0/shape", "dimension 1 of weight 'w'",
	WEIGHT("'shape':[2,-1],'dtype':'bool'"))
REFUSE("weights.shape", "/weightsManifest/0/weights/0/shape", "positive integers",
	WEIGHT("'shape':[1.5],'dtype':'bool'"))
REFUSE("weights.shape", "/weightsManifest/0/weights/0/shape", "dimension 0",
	WEIGHT("'shape':['2'],'dtype':'bool'"))
REFUSE("weights.shape", "/weightsManifest/0/weights/0/shape", "dimension 0",
	WEIGHT("'shape':[null],'dtype':'bool'"))
REFUSE("weights.shape", "/weightsManifest/0/weights/0/shape", "dimension 0",
	WEIGHT("'shape':[9007199254740992],'dtype':'bool'"))
REFUSE("weights.dtype", "/weightsManifest/0/weights/0", "not nothing", WEIGHT("'shape':[]"))
REFUSE("weights.dtype", "/weightsManifest/0/weights/0/dtype", "not null", WEIGHT("'shape':[],'dtype':null"))
REFUSE("weights.dtype", "/weightsManifest/0/weights/0/dtype", "not 'float16'",
	WEIGHT("'shape':[],'dtype':'float16'"))
REFUSE("weights.dtype", "/weightsManifest/0/weights/0/dtype", "not 'uint8'", WEIGHT("'shape':[],'dtype':'uint8'"))
REFUSE("weights.dtype", "/weightsManifest/0/weights/0/dtype", "not 'int64'", WEIGHT("'shape':[],'dtype':'int64'"))
REFUSE("weights.dtype", "/weightsManifest/0/weights/0/dtype", "not 'Float32'",
	WEIGHT("'shape':[],'dtype':'Float32'"))
REFUSE("weights.overflow", "/weightsManifest/0/weights/0/shape", "than can be counted",
	WEIGHT("'shape':[9007199254740991,9007199254740991],'dtype':'bool'"))
REFUSE("weights.overflow", "/weightsManifest/0/weights/0/shape", "than can be counted",
	WEIGHT("'shape':[4503599627370496,1024],'dtype':'float32'"))
REFUSE("weights.overflow", "/weightsManifest/0/weights/1/shape", "than can be counted",
	ONE_GROUP("{'name':'a','shape':[4503599627370496,4095],'dtype':'bool'},"
		"{'name':'b','shape':[4503599627370496,2],'dtype':'bool'}"))

/* ---- quantization ---- */
ACCEPT(GRAPH, QUANTIZED("float32", "{'dtype':'uint8','min':-0.0,'scale':1e-3,'original_dtype':'float32'}"))
ACCEPT(GRAPH, QUANTIZED("int32", "{'dtype':'uint16','min':0,'scale':1}"))
ACCEPT(GRAPH, QUANTIZED("float32", "{'dtype':'float16'}"))
ACCEPT(GRAPH, QUANTIZED("float32", "{'dtype':'float16','min':'x'}"))
REFUSE("weights.quantization", "/weightsManifest/0/weights/0/quantization", "not null", QUANTIZED("float32", "null"))
REFUSE("weights.quantization", "/weightsManifest/0/weights/0/quantization", "not string",
	QUANTIZED("float32", "'uint8'"))
REFUSE("weights.quantization", "/weightsManifest/0/weights/0/quantization", "as 'nothing'",
	QUANTIZED("float32", "{}"))
REFUSE("weights.quantization", "/weightsManifest/0/weights/0/quantization", "as 'int8'",
	QUANTIZED("float32", "{'dtype':'int8','min':0,'scale':1}"))
REFUSE("weights.quantization", "/weightsManifest/0/weights/0/quantization", "as 'float32'",
	QUANTIZED("float32", "{'dtype':'float32','min':0,'scale':1}"))
REFUSE("weights.quantization", "/weightsManifest/0/weights/0/quantization", "lacks min",
	QUANTIZED("float32", "{'dtype':'uint8','scale':1}"))
REFUSE("weights.quantization", "/weightsManifest/0/weights/0/quantization", "lacks scale",
	QUANTIZED("float32", "{'dtype':'uint16','min':1}"))
REFUSE("weights.quantization", "/weightsManifest/0/weights/0/quantization", "a number, not null",
	QUANTIZED("float32", "{'dtype':'uint8','min':null,'scale':1}"))
REFUSE("weights.quantization", "/weightsManifest/0/weights/0/quantization", "a number, not string",
	QUANTIZED("float32", "{'dtype':'uint8','min':0,'scale':'1'}"))
REFUSE("weights.quantization", "/weightsManifest/0/weights/0/quantization", "only supports weights of type float32",
	QUANTIZED("int32", "{'dtype':'float16'}"))
REFUSE("weights.quantization", "/weightsManifest/0/weights/0/quantization", "is bool and cannot",
	QUANTIZED("bool", "{'dtype':'uint8','min':0,'scale':1}"))
REFUSE("weights.quantization", "/weightsManifest/0/weights/0/quantization", "is string and cannot",
	QUANTIZED("string", "{'dtype':'uint8','min':0,'scale':1}"))
REFUSE("weights.quantization", "/weightsManifest/0/weights/0/quantization", "is complex64 and cannot",
	QUANTIZED("complex64", "{'dtype':'float16'}"))

/* ---- not JSON at all ---- */
REFUSE("json.syntax", NULL, "line 1, column 1", "")
REFUSE("json.syntax", NULL, "line 1, column 7: NaN is not JSON", "{'a': NaN}")
REFUSE("json.syntax", NULL, "stands twice", "{'weightsManifest':[],'weightsManifest':[]}")
REFUSE("json.syntax", NULL, "nothing more behind the value", "{'weightsManifest':[]};")
REFUSE("json.syntax", NULL, "this is an HTML page, not JSON: line 2", "\n<!DOCTYPE html><html></html>")
REFUSE("json.syntax", NULL, "this is a Git LFS pointer, not JSON",
	"version https://git-lfs.github.com/spec/v1\noid sha256:00\n")
REFUSE("json.syntax", NULL, "this is a gzip stream, not JSON", "\x1f\x8b\x08\x08\x01\x01\x01\x01\x02\x03")
REFUSE("json.syntax", NULL, "this is an XML document, not JSON", "<?xml version='1.0'?><Error/>")

#undef LAYERS
#undef GRAPH
#undef NO_DATA
#undef ONE_GROUP
#undef PATHS
#undef WEIGHT
#undef QUANTIZED
