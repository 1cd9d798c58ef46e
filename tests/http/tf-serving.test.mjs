// SPDX-License-Identifier: Apache-2.0
// What a client of TensorFlow Serving's REST API reads, it finds here with the same keys and types. The examples are
// those that its documentation and its own server print.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { useDaemon } from '../lib/daemon.mjs';
import { get, published, request } from '../lib/http.mjs';
import { addGraph, denseModel } from '../lib/models.mjs';

// tensorflow/serving, tensorflow_serving/g3doc/api_rest.md, "Make REST API calls to ModelServer":
// curl http://localhost:8501/v1/models/half_plus_three
const STATUS = `{
 "model_version_status": [
  {
   "version": "123",
   "state": "AVAILABLE",
   "status": {
    "error_code": "OK",
    "error_message": ""
   }
  }
 ]
}`;

// The same page, of a model that is not there: HTTP/1.1 404 Not Found
const ERROR = '{ "error": "Servable not found for request: Latest(half)" }';

// GetModelMetadataResponse (tensorflow_serving/apis/get_model_metadata.proto) as the server prints it for its test
// data saved_model_counter: curl http://localhost:8501/v1/models/saved_model_counter/metadata
const METADATA = `{
"model_spec":{
 "name": "saved_model_counter",
 "signature_name": "",
 "version": "123"
}
,
"metadata": {"signature_def": {
 "signature_def": {
  "incr_counter_by": {
   "inputs": {
    "delta": {
     "dtype": "DT_FLOAT",
     "tensor_shape": {
      "dim": [],
      "unknown_rank": true
     },
     "name": "delta:0"
    }
   },
   "outputs": {
    "output": {
     "dtype": "DT_FLOAT_REF",
     "tensor_shape": {
      "dim": [],
      "unknown_rank": false
     },
     "name": "incr_counter_by_op/AssignAdd:0"
    }
   },
   "method_name": "tensorflow/serving/predict"
  }
 }
}
}
}`;

// A dimension as TensorShapeProto has it: int64 is a string in the JSON of protocol buffers.
const DIM = { size: '-1', name: '' };

// Objects have the same keys, lists elements of the same kind, and the rest the same type. In maps, whose keys are
// the model's own, every value is like the example's one; `open` objects may have more keys than the example.
function assertLike(got, example, { maps = [], open = [] }, where = '') {
	const kind = (value) => (Array.isArray(value) ? 'list' : value === null ? 'null' : typeof value);
	assert.equal(kind(got), kind(example), where || 'the whole');
	if (kind(example) === 'list') {
		got.forEach((one, i) => example[0] !== undefined && assertLike(one, example[0], { maps, open }, `${where}/${i}`));
	} else if (kind(example) === 'object' && maps.some((map) => map.test(where))) {
		const [like] = Object.values(example);
		Object.entries(got).forEach(([key, value]) => assertLike(value, like, { maps, open }, `${where}/${key}`));
	} else if (kind(example) === 'object') {
		const keys = Object.keys(got).filter((key) => !open.includes(where) || key in example);
		assert.deepEqual(keys.sort(), Object.keys(example).sort(), `keys of ${where || 'the whole'}`);
		keys.forEach((key) => assertLike(got[key], example[key], { maps, open }, `${where}/${key}`));
	}
}

describe("TensorFlow Serving's REST API", () => {
	const daemon = useDaemon();

	before(async () => {
		await published(daemon, 'half_plus_three', denseModel({ seed: 1 }));
		await published(daemon, 'half_plus_three', denseModel({ seed: 2 }));
		await published(daemon, 'graph', addGraph());
		const label = await request(daemon, 'PUT', '/v1/models/half_plus_three/labels/stable', { body: '{"version":1}' });
		assert.equal(label.status, 201);
	});

	async function json(target) {
		const answered = await get(daemon, target);
		assert.equal(answered.status, 200, answered.text);
		assert.match(answered.headers['content-type'], /^application\/json/);
		return answered.json;
	}

	for (const [target, versions] of [['', ['2', '1']], ['/versions/1', ['1']], ['/versions/2', ['2']],
		['/labels/stable', ['1']], ['/labels/latest', ['2']]]) {
		test(`GetModelStatus: GET /v1/models/half_plus_three${target}`, async () => {
			const body = await json(`/v1/models/half_plus_three${target}`);
			assertLike(body, JSON.parse(STATUS), { open: [''] });
			assert.deepEqual(body.model_version_status.map(({ version }) => version), versions);
			const [example] = JSON.parse(STATUS).model_version_status;
			for (const status of body.model_version_status) {
				assert.deepEqual(status, { ...example, version: status.version });
			}
		});
	}

	for (const [target, name, version] of [['half_plus_three/metadata', 'half_plus_three', '2'],
		['half_plus_three/versions/1/metadata', 'half_plus_three', '1'],
		['half_plus_three/labels/stable/metadata', 'half_plus_three', '1'], ['graph/metadata', 'graph', '1']]) {
		test(`GetModelMetadata: GET /v1/models/${target}`, async () => {
			const body = await json(`/v1/models/${target}`);
			const example = JSON.parse(METADATA);
			for (const tensors of Object.values(example.metadata.signature_def.signature_def.incr_counter_by).slice(0, 2)) {
				Object.values(tensors).forEach((tensor) => tensor.tensor_shape.dim.push(DIM));
			}
			assertLike(body, example, { open: ['', '/metadata'],
				maps: [/\/signature_def\/signature_def$/, /\/(inputs|outputs)$/] });
			assert.deepEqual(body.model_spec, { name, signature_name: '', version });
			assert.equal(body.metadata.signature_def.signature_def.serving_default.method_name, 'tensorflow/serving/predict');
		});
	}

	test('an error is an object whose "error" is a text', async () => {
		for (const target of ['half', 'half/versions/1', 'half_plus_three/versions/9', 'half_plus_three/labels/none', 'half/metadata']) {
			const answered = await get(daemon, `/v1/models/${target}`);
			assert.equal(answered.status, 404);
			assertLike(answered.json, JSON.parse(ERROR), { open: [''] });
			assert.notEqual(answered.json.error, '');
		}
	});

	test('what it predicts with is not here: 405, in words', async () => {
		for (const verb of ['predict', 'classify', 'regress']) {
			const answered = await request(daemon, 'POST', `/v1/models/half_plus_three:${verb}`, { body: '{"instances":[1]}' });
			assert.ok([404, 405].includes(answered.status), String(answered.status));
			assertLike(answered.json, JSON.parse(ERROR), { open: [''] });
		}
	});
});
