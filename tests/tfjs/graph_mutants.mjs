// SPDX-License-Identifier: Apache-2.0
// One fault in a model that was right: every fault that is told here, at every place where it can be.
// A mutant is {name, json, weights, feeds, async}; its name is "<model> <fault> <place>".

const bogus = (text) => Buffer.from(text).toString('base64');

// ---- nodes ----

const NODE_FAULTS = {
	'drop': (nodes, k) => nodes.splice(k, 1),
	'rename': (nodes, k) => { nodes[k].name += '_gone'; },
	'null': (nodes, k) => { nodes[k] = null; },
	'no-name': (nodes, k) => { delete nodes[k].name; },
	'number-name': (nodes, k) => { nodes[k].name = 7; },
	'proto-name': (nodes, k) => { nodes[k].name = '__proto__'; },
	'no-op': (nodes, k) => { delete nodes[k].op; },
	'number-op': (nodes, k) => { nodes[k].op = 3; },
	'unknown-op': (nodes, k) => { nodes[k].op = 'NoSuchOp'; },
	'unlisted-op': (nodes, k) => { nodes[k].op = 'RaggedRange'; },
	'same-twice': (nodes, k) => nodes.push(structuredClone(nodes[k])),
	'other-behind': (nodes, k) => nodes.push({ name: nodes[k].name, op: 'NoOp' }),
	'other-before': (nodes, k) => nodes.unshift({ name: nodes[k].name, op: 'NoOp' }),
	'text-input': (nodes, k) => { nodes[k].input = 'x'; },
	'no-attrs': (nodes, k) => { delete nodes[k].attr; },
	'text-attrs': (nodes, k) => { nodes[k].attr = 'none'; },
	'device': (nodes, k) => { nodes[k].device = '/gpu:0'; },
	'more-attrs': (nodes, k) => { nodes[k].attr = { ...nodes[k].attr, _output_shapes: { list: {} } }; },
	'no-inputs': (nodes, k) => { delete nodes[k].input; },
	'control-behind': (nodes, k) => { nodes[k].input = [...nodes[k].input ?? [], `^${other(nodes, k)}`]; },
	'control-before': (nodes, k) => { nodes[k].input = [`^${other(nodes, k)}`, ...nodes[k].input ?? []]; },
	'noop-behind': (nodes, k) => {
		nodes[k].input = [...nodes[k].input ?? [], '^noop'];
		nodes.push({ name: 'noop', op: 'NoOp' });
	},
	'dead-behind': (nodes) => nodes.push({ name: 'dead', op: 'NoSuchOp', input: [nodes[0].name] }),
};

const other = (nodes, k) => (nodes.find((n, at) => at !== k && n.op === 'Const') ?? nodes[0]).name;
const reaches = (nodes, from, to) => {
	const seen = new Set();
	const stack = [from];
	while (stack.length > 0) {
		const name = stack.pop();
		if (name === to) {
			return true;
		}
		if (!seen.has(name)) {
			seen.add(name);
			stack.push(...(nodes.find((n) => n.name === name)?.input ?? []).map((i) => i.replace('^', '').split(':')[0]));
		}
	}
	return false;
};

const INPUT_FAULTS = {
	'ghost': (node, k) => { node.input[k] = 'ghost'; },
	'builtin': (node, k) => { node.input[k] = 'constructor'; },
	'number': (node, k) => { node.input[k] = 5; },
	'null': (node, k) => { node.input[k] = null; },
	'drop': (node, k) => node.input.splice(k, 1),
	'far-output': (node, k) => { node.input[k] = `${node.input[k].split(':')[0]}:9`; },
	'word-output': (node, k) => { node.input[k] = `${node.input[k].split(':')[0]}:first`; },
	'empty-output': (node, k) => { node.input[k] = node.input[k].includes(':') ? node.input[k] : `${node.input[k]}:`; },
	'control': (node, k) => { node.input[k] = `^${node.input[k]}`; },
	'cycle': (node, k, nodes) => {
		const behind = nodes.findLast((n) => n.name !== node.input[k].split(':')[0] && n.op !== 'Const' && reaches(nodes, n.name, node.name));
		node.input[k] = behind ? behind.name : node.name;
	},
};

const ATTR_FAULTS = {
	any: {
		'drop': (attrs, key) => { delete attrs[key]; },
		'null': (attrs, key) => { attrs[key] = null; },
		'empty': (attrs, key) => { attrs[key] = {}; },
		'number': (attrs, key) => { attrs[key] = 5; },
	},
	s: {
		'number': (v) => { v.s = 5; },
		'null-string': (v) => { v.s = null; },
		'undecodable': (v) => { v.s = '%%%%'; },
		'short': (v) => { v.s = 'AAAAA'; },
		'bytes': (v) => { v.s = [...Buffer.from(v.s, 'base64')]; },
		'word': (v) => { v.s = bogus('bogus'); },
	},
	i: {
		'word': (v) => { v.i = 'many'; },
		'plain': (v) => { v.i = Number(v.i); },
		'as-string': (v) => { delete v.i; v.s = bogus('1'); },
		'object': (v) => { v.i = {}; },
		'tail': (v) => { v.i = `${v.i}.5`; },
	},
	f: {
		'word': (v) => { v.f = 'many'; },
		'nan': (v) => { v.f = 'NaN'; },
		'text': (v) => { v.f = String(v.f); },
		'null-float': (v) => { v.f = null; },
	},
	b: {
		'text': (v) => { v.b = String(v.b); },
		'one': (v) => { v.b = Number(v.b); },
		'none': (v) => { delete v.b; },
		'as-number': (v) => { v.i = Number(v.b); delete v.b; },
	},
	type: {
		'number': (v) => { v.type = { DT_FLOAT: 1, DT_INT32: 3, DT_STRING: 7, DT_INT64: 9, DT_BOOL: 10, DT_RESOURCE: 20 }[v.type]; },
		'word': (v) => { v.type = 'DT_BOGUS'; },
		'far': (v) => { v.type = 999; },
		'half': (v) => { v.type = 'DT_BFLOAT16'; },
	},
	shape: {
		'unknown': (v) => { v.shape = { unknownRank: true }; },
		'none': (v) => { v.shape = {}; },
		'number': (v) => { v.shape = 5; },
		'hole': (v) => { v.shape = { dim: [{}, ...(v.shape.dim ?? []).slice(1)] }; },
		'text': (v) => { v.shape = { dim: 'x' }; },
		'null-dim': (v) => { v.shape = { dim: [null] }; },
		'below': (v) => { v.shape = { dim: [{ size: '-2' }, ...(v.shape.dim ?? []).slice(1)] }; },
		'plain': (v) => { v.shape = { dim: (v.shape.dim ?? []).map(({ size }) => ({ size: Number(size) })) }; },
		'null-shape': (v) => { v.shape = null; },
	},
	list: {
		'null-list': (v) => { v.list = null; },
		'text': (v) => { v.list = 'x'; },
		'empty-list': (v) => { v.list = {}; },
		'text-items': (v) => { v.list = { i: '1', s: 'x' }; },
		'short': (v) => { for (const key in v.list) { v.list[key].pop(); } },
		'words': (v) => { for (const key in v.list) { v.list[key] = v.list[key].map(() => 'many'); } },
		'zeros': (v) => { for (const key in v.list) { v.list[key] = v.list[key].map(() => 0); } },
		'plain': (v) => { if (v.list.i) { v.list.i = v.list.i.map(Number); } },
		'floats': (v) => { if (v.list.i) { v.list = { f: v.list.i.map(Number) }; } },
	},
	func: {
		'ghost': (v) => { v.func = { name: 'ghost' }; },
		'null-func': (v) => { v.func = null; },
		'text': (v) => { v.func = v.func.name; },
	},
};

// ---- the other parts ----

const clone = (v) => structuredClone(v);
const last = (list) => list[list.length - 1];

const ENTRY_FAULTS = {
	'drop': (m, k) => { m.json.weightsManifest[0].weights.splice(k, 1); m.parts.splice(k, 1); },
	'rename': (m, k) => { m.json.weightsManifest[0].weights[k].name += '_gone'; },
	'reshape': (m, k) => { m.json.weightsManifest[0].weights[k].shape.unshift(1); },
	'int32': (m, k) => {
		const entry = m.json.weightsManifest[0].weights[k];
		if (entry.dtype === 'float32' && !entry.quantization) {
			entry.dtype = 'int32';
		}
	},
	'twice': (m, k) => {
		m.json.weightsManifest[0].weights.push(clone(m.json.weightsManifest[0].weights[k]));
		m.parts.push(m.parts[k]);
	},
	'last': (m, k) => {
		m.json.weightsManifest[0].weights.push(...m.json.weightsManifest[0].weights.splice(k, 1));
		m.parts.push(...m.parts.splice(k, 1));
	},
	'surplus': (m, k) => {
		m.json.weightsManifest[0].weights.push({ ...clone(m.json.weightsManifest[0].weights[k]), name: 'surplus' });
		m.parts.push(m.parts[k]);
	},
	'shadow': (m, k) => {
		const node = m.json.modelTopology.node.filter((n) => n.op !== 'Const' && n.op !== 'Placeholder')[k];
		if (node) {
			m.json.weightsManifest[0].weights.push({ ...clone(m.json.weightsManifest[0].weights[k]), name: node.name });
			m.parts.push(m.parts[k]);
		}
	},
};

const TENSOR_FAULTS = {
	'drop': (side, key) => { delete side[key]; },
	'null': (side, key) => { side[key] = null; },
	'ghost': (side, key) => { side[key].name = 'ghost:0'; },
	'no-name': (side, key) => { delete side[key].name; },
	'number-name': (side, key) => { side[key].name = 5; },
	'plain': (side, key) => { side[key].name = side[key].name.split(':')[0]; },
	'output-0': (side, key) => { side[key].name = `${side[key].name.split(':')[0]}:0`; },
	'output-1': (side, key) => { side[key].name = `${side[key].name.split(':')[0]}:1`; },
	'output-word': (side, key) => { side[key].name = `${side[key].name.split(':')[0]}:first`; },
	'dtype': (side, key) => { side[key].dtype = side[key].dtype === 'DT_INT32' ? 'DT_FLOAT' : 'DT_INT32'; },
	'number-dtype': (side, key) => { side[key].dtype = 1; },
	'bogus-dtype': (side, key) => { side[key].dtype = 'DT_BOGUS'; },
	'no-dtype': (side, key) => { delete side[key].dtype; },
	'resource-dtype': (side, key) => { side[key].dtype = 'DT_RESOURCE'; },
	'shape': (side, key) => { side[key].tensorShape = { dim: [{ size: '17' }] }; },
	'bad-shape': (side, key) => { side[key].tensorShape = 'x'; },
	'unknown-shape': (side, key) => { side[key].tensorShape = { unknownRank: true }; },
	'rename-key': (side, key) => {
		const entries = Object.entries(side);
		Object.keys(side).forEach((k) => delete side[k]);
		entries.forEach(([k, v]) => { side[k === key ? `${k}_` : k] = v; });
	},
	'second-key': (side, key) => { side[`${key}_`] = clone(side[key]); },
	'resource-id': (side, key) => { side[key].resourceId = 99; },
	'no-resource-id': (side, key) => { delete side[key].resourceId; },
	'text-resource-id': (side, key) => { if (side[key].resourceId) { side[key].resourceId = String(side[key].resourceId); } },
};

const SIGNATURE_FAULTS = {
	'no-inputs': (signature) => { delete signature.inputs; },
	'no-outputs': (signature) => { delete signature.outputs; },
	'null-inputs': (signature) => { signature.inputs = null; },
	'text-inputs': (signature) => { signature.inputs = 'x'; },
	'list-outputs': (signature) => { signature.outputs = Object.values(signature.outputs); },
	'through': (signature) => { signature.outputs.through = clone(Object.values(signature.inputs)[0]); },
	'of-a-const': (signature, json) => { signature.inputs.more = { name: json.modelTopology.node.find((n) => n.op === 'Const').name }; },
};

const FUNCTION_FAULTS = {
	'drop': (library, k) => library.splice(k, 1),
	'rename': (library, k) => { library[k].signature.name += '_gone'; },
	'no-signature': (library, k) => { delete library[k].signature; },
	'no-name': (library, k) => { delete library[k].signature.name; },
	'no-inputs': (library, k) => { delete library[k].signature.inputArg; },
	'no-outputs': (library, k) => { delete library[k].signature.outputArg; },
	'fewer-inputs': (library, k) => library[k].signature.inputArg.pop(),
	'more-inputs': (library, k) => library[k].signature.inputArg.push({ name: 'more', type: 'DT_FLOAT' }),
	'fewer-outputs': (library, k) => library[k].signature.outputArg.pop(),
	'more-outputs': (library, k) => library[k].signature.outputArg.push({ name: 'more', type: 'DT_FLOAT' }),
	'nameless-input': (library, k) => { delete library[k].signature.inputArg[0].name; },
	'no-ret': (library, k) => { delete library[k].ret; },
	'ghost-ret': (library, k) => { library[k].ret = { ...library[k].ret, [library[k].signature.outputArg[0].name]: 'ghost:z:0' }; },
	'number-ret': (library, k) => { library[k].ret = { ...library[k].ret, [library[k].signature.outputArg[0].name]: 5 }; },
	'far-ret': (library, k) => { library[k].ret = { ...library[k].ret, [library[k].signature.outputArg[0].name]: `${last(library[k].nodeDef).name}:z:3` }; },
	'no-nodes': (library, k) => { delete library[k].nodeDef; },
	'text-nodes': (library, k) => { library[k].nodeDef = 'x'; },
	'twice': (library, k) => library.push(clone(library[k])),
	'null': (library, k) => { library[k] = null; },
	'start': (library, k) => {
		library[k].nodeDef.push({ name: 'start', op: 'RandomUniform' });
		library[k].nodeDef[library[k].nodeDef.findIndex((n) => n.input)].input.push('^start');
	},
};

const INITIALIZER_FAULTS = {
	'drop': (json) => { delete json.modelInitializer; },
	'no-nodes': (json) => { delete json.modelInitializer.node; },
	'text-nodes': (json) => { json.modelInitializer.node = 'x'; },
	'drop-signature': (json) => { delete json.initializerSignature; },
	'no-outputs': (json) => { if (json.initializerSignature) { delete json.initializerSignature.outputs; } },
	'surplus-placeholder': (json) => json.modelInitializer.node.push({ name: 'p', op: 'Placeholder' }),
	'no-import': (json) => { json.modelInitializer.node = json.modelInitializer.node.filter((n) => n.name !== 'import')
		.map((n) => ({ ...n, input: n.input?.filter((i) => i !== '^import') })); },
};

const METADATA_FAULTS = {
	'signature-text': (metadata) => { metadata.signature = 'signed'; },
	'signature-null': (metadata) => { metadata.signature = null; },
	'keys-fewer': (metadata) => { metadata.structuredOutputKeys = ['first']; },
	'keys-text': (metadata) => { metadata.structuredOutputKeys = 'first'; },
	'keys-gone': (metadata) => { delete metadata.structuredOutputKeys; },
};

// ---- all of them ----

const valueKey = (value) => Object.keys(value ?? {})[0];

function* nodeFaults(list, where) {
	for (let k = 0; k < list({}, true).length; k++) {
		const { name, input = [], attr: attrs = {} } = list({}, true)[k];
		for (const [fault, apply] of Object.entries(NODE_FAULTS)) {
			yield [`node.${fault}`, `${where}${name}`, (m) => apply(list(m), k)];
		}
		for (let at = 0; at < input.length; at++) {
			for (const [fault, apply] of Object.entries(INPUT_FAULTS)) {
				yield [`input.${fault}`, `${where}${name}/${at}`, (m) => apply(list(m)[k], at, list(m))];
			}
		}
		for (const key of Object.keys(attrs)) {
			for (const [fault, apply] of Object.entries(ATTR_FAULTS.any)) {
				yield [`attr.${fault}`, `${where}${name}/${key}`, (m) => apply(list(m)[k].attr, key)];
			}
			for (const [fault, apply] of Object.entries(ATTR_FAULTS[valueKey(attrs[key])] ?? {})) {
				yield [`attr.${valueKey(attrs[key])}.${fault}`, `${where}${name}/${key}`, (m) => apply(list(m)[k].attr[key])];
			}
		}
	}
}

function* each(faults, prefix, keys, apply) {
	for (const key of keys) {
		for (const [fault, change] of Object.entries(faults)) {
			yield [`${prefix}.${fault}`, String(key), (m) => apply(change, m, key)];
		}
	}
}

function* allFaults(model) {
	const { json } = model;
	const signatureOf = (m) => m.json.signature ?? m.json.userDefinedMetadata?.signature;
	yield* nodeFaults((m, of) => (of ? json : m.json).modelTopology.node, '');
	yield* each(ENTRY_FAULTS, 'entry', json.weightsManifest[0].weights.keys(), (change, m, k) => change(m, k));
	for (const side of ['inputs', 'outputs']) {
		yield* each(TENSOR_FAULTS, side, Object.keys(signatureOf(model)?.[side] ?? {}),
			(change, m, key) => change(signatureOf(m)[side], key));
	}
	if (signatureOf(model)?.inputs) {
		yield* each(SIGNATURE_FAULTS, 'signature', [''], (change, m) => change(signatureOf(m), m.json));
	}
	const library = json.modelTopology.library.function ?? [];
	yield* each(FUNCTION_FAULTS, 'function', library.keys(), (change, m, k) => change(m.json.modelTopology.library.function, k));
	for (let k = 0; k < library.length; k++) {
		yield* nodeFaults((m, of) => (of ? json : m.json).modelTopology.library.function[k].nodeDef, `${library[k].signature.name}/`);
	}
	if (json.modelInitializer) {
		yield* nodeFaults((m, of) => (of ? json : m.json).modelInitializer.node, 'initializer/');
		yield* each(INITIALIZER_FAULTS, 'initializer', [''], (change, m) => change(m.json));
		yield* each(TENSOR_FAULTS, 'initializer-outputs', Object.keys(json.initializerSignature?.outputs ?? {}),
			(change, m, key) => change(m.json.initializerSignature.outputs, key));
	}
	if (json.userDefinedMetadata) {
		yield* each(METADATA_FAULTS, 'metadata', [''], (change, m) => change(m.json.userDefinedMetadata));
	}
}

const nodeOf = (entry) => (typeof entry?.name === 'string' ? entry.name.split(':')[0] : undefined);

// A page names what the signature of the mutant names, and nodes where that names nothing.
function keyFor(key, before, after) {
	const node = nodeOf(before?.[key]) ?? key;
	if (!after || typeof after !== 'object' || Object.keys(after).length === 0) {
		return node;
	}
	return key in after ? key : Object.keys(after).find((other) => nodeOf(after[other]) === node);
}

function followSignature(mutant, model) {
	const before = (model.json.userDefinedMetadata?.signature ?? model.json.signature)?.inputs;
	const after = (mutant.json.userDefinedMetadata?.signature ?? mutant.json.signature)?.inputs;
	return mutant.feeds.map((feed) => Object.fromEntries(Object.entries(feed)
		.map(([key, value]) => [keyFor(key, before, after), value]).filter(([key]) => key !== undefined)));
}

export function* mutantsOf(model) {
	const text = JSON.stringify(model.json);
	for (const [fault, place, apply] of allFaults(model)) {
		const mutant = { ...model, json: clone(model.json), parts: [...model.parts] };
		try {
			apply(mutant);
		} catch (error) {
			if (!(error instanceof TypeError)) {
				throw error;
			}
			continue; // the fault has no place here
		}
		if (JSON.stringify(mutant.json) !== text) {
			yield { name: `${model.name} ${fault} ${place}`, json: mutant.json, weights: Buffer.concat(mutant.parts),
				feeds: followSignature(mutant, model), async: model.async };
		}
	}
}
