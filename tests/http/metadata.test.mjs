// SPDX-License-Identifier: Apache-2.0
// The signature of a version, in the shape that TensorFlow Serving's REST API gives it.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { useDaemon } from '../lib/daemon.mjs';
import { assertOpenToPages, assertProblem, get, head, publish, published, request } from '../lib/http.mjs';
import {
	addGraph, assemble, constant, cut, denseModel, floatWeight, graphArtifacts, node, placeholder, signatureEntry,
	stringWeight, withJson,
} from '../lib/models.mjs';

const KNOWN = { unknown_rank: false };
const shape = (...sizes) => ({ dim: sizes.map((size) => ({ size: String(size), name: '' })), ...KNOWN });
const UNKNOWN = { dim: [], unknown_rank: true };
const info = (name, dtype, tensorShape) => ({ dtype, tensor_shape: tensorShape, name });
const predict = (inputs, outputs) =>
	({ serving_default: { inputs, outputs, method_name: 'tensorflow/serving/predict' } });

const w = floatWeight('w', [6], [1, 2, 3, 4, 5, 6]);
const graph = (nodes, signature, more, weights = [w]) => {
	const artifacts = graphArtifacts(nodes, {}, {}, more);
	return assemble({ ...artifacts, signature }, weights, cut(weights[0].bytes, 64));
};
const sum = [placeholder('x', [-1, 6]), constant(w), node('y', 'AddV2', ['x', 'w'])];

// Two outputs of one layer, which TensorFlow.js and Keras call alike.
function sharedModel() {
	const input = (name) => ({ class_name: 'InputLayer', name, inbound_nodes: [],
		config: { batch_input_shape: [null, 4], dtype: 'float32', sparse: false, name } });
	const kernel = floatWeight('shared/kernel', [4, 2], new Float32Array(8).fill(0.5));
	const layers = [input('a'), input('b'), { class_name: 'Dense', name: 'shared',
		config: { units: 2, activation: 'linear', use_bias: false, name: 'shared' },
		inbound_nodes: [[['a', 0, 0, {}]], [['b', 0, 0, {}]]] }];
	return assemble({
		format: 'layers-model',
		modelTopology: { class_name: 'Model', keras_version: 'tfjs-layers 4.22.0', backend: 'tensor_flow.js',
			config: { name: 'm', layers, input_layers: [['a', 0, 0], ['b', 0, 0]],
				output_layers: [['shared', 0, 0], ['shared', 1, 0]] } },
	}, [kernel], cut(kernel.bytes, 64));
}

// A table that the initializer fills, and an input that gets it.
function tableModel() {
	const keys = stringWeight('keys', [2], ['a', 'b']);
	const table = { name: 't', op: 'HashTableV2',
		attr: { key_dtype: { type: 'DT_STRING' }, value_dtype: { type: 'DT_STRING' } } };
	return graph([placeholder('table', [], 'DT_RESOURCE'), placeholder('text', [-1], 'string'),
		constant(keys), node('found', 'LookupTableFindV2', ['table', 'text', 'keys'], null,
			{ Tin: { type: 'DT_STRING' }, Tout: { type: 'DT_STRING' } })],
	{
		inputs: { text: signatureEntry('text', 'string', [-1]),
			table: { ...signatureEntry('table', 'DT_RESOURCE', []), resourceId: 7 } },
		outputs: { found: { name: 'found:0', dtype: 'DT_STRING', tensorShape: { unknownRank: true } } },
	}, {
		modelInitializer: { node: [table, constant(keys), node('fill', 'LookupTableImportV2', ['t', 'keys', 'keys'], null,
			{ Tin: { type: 'DT_STRING' }, Tout: { type: 'DT_STRING' } }),
		node('handle', 'Identity', ['t', '^fill'], 'DT_RESOURCE')] },
		initializerSignature: { outputs: { handle: { name: 'handle:0', dtype: 'DT_RESOURCE', resourceId: 7 } } },
	}, [keys]);
}

// What each model has for a signature, and where from.
const cases = {
	layers: [denseModel(), 'derived', predict({ dense_input: info('dense_input:0', 'DT_FLOAT', shape(-1, 4)) },
		{ dense: info('dense:0', 'DT_FLOAT', shape(-1, 3)) })],
	shared: [sharedModel(), 'derived', predict({ a: info('a:0', 'DT_FLOAT', shape(-1, 4)),
		b: info('b:0', 'DT_FLOAT', shape(-1, 4)) },
	{ shared: info('shared:0', 'DT_FLOAT', shape(-1, 2)), shared_1: info('shared_1:0', 'DT_FLOAT', shape(-1, 2)) })],
	declared: [addGraph(), 'declared', predict({ x: info('x:0', 'DT_FLOAT', shape(-1, 6)) },
		{ y: info('y:0', 'DT_FLOAT', shape(-1, 6)) })],
	derived: [graph(sum, undefined), 'derived', predict({ x: info('x:0', 'DT_FLOAT', shape(-1, 6)) },
		{ y: info('y:0', 'DT_FLOAT', UNKNOWN) })],
	scalar: [graph([placeholder('x', []), constant(w), node('y', 'AddV2', ['x', 'w'])],
		{ inputs: { s: signatureEntry('x', 'float32', []) }, outputs: { y: signatureEntry('y', 'float32', [6]) } }),
	'declared', predict({ s: info('x:0', 'DT_FLOAT', shape()) }, { y: info('y:0', 'DT_FLOAT', shape(6)) })],
	unknown: [graph([{ name: 'x', op: 'Placeholder', attr: { dtype: { type: 'DT_INT32' },
		shape: { shape: { unknownRank: true } } } }, node('y', 'Square', ['x'], 'int32')],
	{ inputs: { x: { name: 'x', dtype: 'DT_INT32' } }, outputs: { y: { name: 'y' } } }),
	'declared', predict({ x: info('x:0', 'DT_INT32', UNKNOWN) }, { y: info('y:0', 'DT_INT32', UNKNOWN) })],
	replaced: [graph(sum, { inputs: { old: signatureEntry('x', 'float32', [-1, 6]) }, outputs: {} },
		{ userDefinedMetadata: { signature: { inputs: { now: signatureEntry('x', 'float32', [-1, 6]) },
			outputs: { y: signatureEntry('y', 'float32', [-1, 6]) } } } }),
	'metadata', predict({ now: info('x:0', 'DT_FLOAT', shape(-1, 6)) }, { y: info('y:0', 'DT_FLOAT', shape(-1, 6)) })],
	structured: [graph([...sum, node('z', 'Square', ['y'])], { inputs: { x: signatureEntry('x', 'float32', [-1, 6]) },
		outputs: { 'Identity:0': signatureEntry('z', 'float32', [-1, 6]), y: signatureEntry('y', 'float32', [-1, 6]) } },
	{ userDefinedMetadata: { structuredOutputKeys: ['first', 'second'] } }),
	'declared', predict({ x: info('x:0', 'DT_FLOAT', shape(-1, 6)) },
		{ first: info('z:0', 'DT_FLOAT', shape(-1, 6)), second: info('y:0', 'DT_FLOAT', shape(-1, 6)) })],
	resource: [tableModel(), 'declared', predict({ text: info('text:0', 'DT_STRING', shape(-1)),
		table: info('table:0', 'DT_RESOURCE', shape()) },
	{ found: info('found:0', 'DT_STRING', UNKNOWN) })],
};

describe('metadata', () => {
	const daemon = useDaemon();

	before(async () => {
		for (const [name, [model]] of Object.entries(cases)) {
			await published(daemon, `team/${name}`, model);
		}
	});

	async function metadata(target) {
		const answered = await get(daemon, target);
		assert.equal(answered.status, 200, answered.text);
		assertOpenToPages(answered);
		assert.match(answered.headers['content-type'], /^application\/json/);
		return answered.json;
	}

	for (const [name, [, source, expected]] of Object.entries(cases)) {
		test(`of a model: ${name}`, async () => {
			assert.deepEqual(await metadata(`/v1/models/team/${name}/metadata`), {
				model_spec: { name: `team/${name}`, signature_name: '', version: '1' },
				metadata: { signature_def: { signature_def: expected } },
				signature_source: source,
			});
		});
	}

	test('of a version is that of the version, of a model that of its newest', async () => {
		await published(daemon, 'two', denseModel({ inputs: 4 }));
		await published(daemon, 'two', denseModel({ inputs: 5 }));
		const inputOf = async (target) => {
			const { model_spec: spec, metadata: { signature_def: map } } = await metadata(target);
			return [spec.version, map.signature_def.serving_default.inputs.dense_input.tensor_shape.dim[1].size];
		};
		assert.deepEqual(await inputOf('/v1/models/two/versions/1/metadata'), ['1', '4']);
		assert.deepEqual(await inputOf('/v1/models/two/versions/2/metadata'), ['2', '5']);
		assert.deepEqual(await inputOf('/v1/models/two/metadata'), ['2', '5']);
	});

	test('of a label is that of the version it names', async () => {
		await published(daemon, 'labelled', denseModel({ inputs: 4 }));
		await published(daemon, 'labelled', denseModel({ inputs: 5 }));
		const moved = await request(daemon, 'PUT', '/v1/models/labelled/labels/stable', {
			headers: { 'content-type': 'application/json' }, body: '{"version":1}' });
		assert.ok(moved.status < 300, moved.text);
		for (const [label, version] of [['stable', 1], ['latest', 2]]) {
			assert.deepEqual(await metadata(`/v1/models/labelled/labels/${label}/metadata`),
				await metadata(`/v1/models/labelled/versions/${version}/metadata`));
		}
	});

	test('of weights alone has no signature', async () => {
		await published(daemon, 'weights', assemble({}, [w], cut(w.bytes, 64)));
		assert.deepEqual(await metadata('/v1/models/weights/metadata'), {
			model_spec: { name: 'weights', signature_name: '', version: '1' },
			metadata: { signature_def: { signature_def: {} } },
		});
	});

	test('has an ETag that conditions go by', async () => {
		const target = '/v1/models/team/layers/metadata';
		const { headers } = await get(daemon, target);
		assert.equal(headers['cache-control'], 'no-cache');
		const again = await get(daemon, target, { 'If-None-Match': headers.etag });
		assert.equal(again.status, 304);
		assert.equal(again.text, '');
		const other = await get(daemon, '/v1/models/team/shared/metadata', { 'If-None-Match': headers.etag });
		assert.equal(other.status, 200);
		assert.equal((await head(daemon, target)).headers.etag, headers.etag);
	});

	test('the description tells the key that execute() takes for a renamed output', async () => {
		const { signature } = (await get(daemon, '/v1/models/team/structured/versions/1')).json;
		assert.equal(signature.outputs.first.key, 'Identity:0');
		assert.equal(signature.outputs.second.key, 'y');
		assert.equal((await get(daemon, '/v1/models/team/declared/versions/1')).json.signature.outputs.y.key, undefined);
	});

	test('structuredOutputKeys that do not fit are warned of, and rename nothing', async () => {
		for (const keys of [['one'], ['one', 'one'], ['one', 2], 'ab', { 0: 'one', 1: 'two' }]) {
			const model = withJson(cases.structured[0], (json) => {
				json.userDefinedMetadata.structuredOutputKeys = keys;
				return json;
			});
			const answered = await publish(daemon, 'misfit', model);
			assert.equal(answered.status, 201, answered.text);
			assert.deepEqual(answered.json.findings.map(({ rule }) => rule), ['signature.structured']);
			const { metadata: { signature_def: map } } = await metadata('/v1/models/misfit/metadata');
			assert.deepEqual(Object.keys(map.signature_def.serving_default.outputs), ['Identity:0', 'y']);
		}
	});

	for (const [target, status, code] of [
		['/v1/models/none/metadata', 404, 'MODEL_NOT_FOUND'],
		['/v1/models/Team/metadata', 404, 'MODEL_NOT_FOUND'],
		['/v1/models/none/versions/1/metadata', 404, 'MODEL_NOT_FOUND'],
		['/v1/models/team/layers/labels/none/metadata', 404, 'LABEL_NOT_FOUND'],
		['/v1/models/none/labels/latest/metadata', 404, 'MODEL_NOT_FOUND'],
		['/v1/models/team/layers/versions/2/metadata', 404, 'VERSION_NOT_FOUND'],
		['/v1/models/team/layers/versions/one/metadata', 404, 'VERSION_NOT_FOUND'],
	]) {
		test(`GET ${target} is ${status} ${code}`, async () => {
			assertProblem(await get(daemon, target), status, code);
		});
	}
});
