// SPDX-License-Identifier: Apache-2.0
// Graph models made by hand, as tensorflowjs_converter writes them. Each maker takes random numbers
// and gives {name, json, weights (Buffer), feeds: [{key: {dtype, shape, values}}], async}.

// mulberry32: the same numbers for the same seed, everywhere.
export function random(seed) {
	let state = seed >>> 0;
	const next = () => {
		state = (state + 0x6D2B79F5) >>> 0;
		let t = state;
		t = Math.imul(t ^ (t >>> 15), t | 1);
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
	return {
		next,
		int: (low, high) => low + Math.floor(next() * (high - low + 1)),
		pick: (list) => list[Math.floor(next() * list.length)],
		list: (n) => Array.from({ length: n }, () => Math.round(next() * 400 - 200) / 100),
	};
}

// ---- GraphDef as JSON ----

const base64 = (text) => Buffer.from(text).toString('base64');
const shapeOf = (dims) => ({ dim: dims.map((size) => ({ size: String(size) })) });
export const attr = {
	s: (text) => ({ s: base64(text) }),
	i: (value) => ({ i: String(value) }),
	f: (value) => ({ f: value }),
	b: (value) => ({ b: value }),
	type: (value) => ({ type: value }),
	shape: (dims) => ({ shape: shapeOf(dims) }),
	ints: (values) => ({ list: values.length > 0 ? { i: values.map(String) } : {} }),
	strings: (values) => ({ list: values.length > 0 ? { s: values.map(base64) } : {} }),
	func: (name) => ({ func: { name } }),
};
const { s, i, f, b, type, shape, ints, strings, func } = attr;
const FLOAT = { T: type('DT_FLOAT') };

const node = (name, op, input = [], attrs = {}) =>
	({ name, op, ...(input.length > 0 ? { input } : {}), ...(Object.keys(attrs).length > 0 ? { attr: attrs } : {}) });
const placeholder = (name, dims, dtype = 'DT_FLOAT') =>
	node(name, 'Placeholder', [], { dtype: type(dtype), shape: shape(dims) });
const constant = (name, dtype, dims) =>
	node(name, 'Const', [], { dtype: type(dtype), value: { tensor: { dtype, tensorShape: shapeOf(dims) } } });
const info = (name, dtype, dims) => ({ name, dtype, tensorShape: dims ? shapeOf(dims) : {} });

// ---- weights ----

const DTYPES = { float32: 'DT_FLOAT', int32: 'DT_INT32', bool: 'DT_BOOL', string: 'DT_STRING' };

function encode(dtype, values, quantization) {
	if (quantization) {
		return Buffer.from(values.map((v) => Math.round((v - quantization.min) / quantization.scale)));
	}
	if (dtype === 'string') {
		return Buffer.concat(values.map((text) => {
			const bytes = Buffer.from(text);
			const length = Buffer.alloc(4);
			length.writeUInt32LE(bytes.length);
			return Buffer.concat([length, bytes]);
		}));
	}
	if (dtype === 'bool') {
		return Buffer.from(values.map(Number));
	}
	return Buffer.from((dtype === 'int32' ? Int32Array : Float32Array).from(values).buffer);
}

class Weights {
	constructor() {
		this.entries = [];
		this.bytes = [];
	}

	// The node for a constant whose value goes into the manifest, which may name it otherwise.
	add(name, dtype, dims, values, { as = name, quantization } = {}) {
		this.entries.push({ name: as, shape: dims, dtype, ...(quantization ? { quantization } : {}) });
		this.bytes.push(encode(dtype, values, quantization));
		return constant(as, DTYPES[dtype], dims);
	}

	floats(name, dims, r, options) {
		return this.add(name, 'float32', dims, r.list(dims.reduce((p, d) => p * d, 1)), options);
	}

	ints(name, values, options) {
		return this.add(name, 'int32', [values.length], values, options);
	}

	int(name, value, options) {
		return this.add(name, 'int32', [], [value], options);
	}
}

function model(name, w, { nodes, inputs, outputs, library, more = {}, feeds, async = false }) {
	const json = {
		format: 'graph-model',
		generatedBy: '2.15.0',
		convertedBy: 'TensorFlow.js Converter v4.22.0',
		...(inputs || outputs ? { signature: { ...(inputs ? { inputs } : {}), ...(outputs ? { outputs } : {}) } } : {}),
		modelTopology: { node: nodes, library: library ? { function: library } : {}, versions: { producer: 1482 } },
		...more,
		weightsManifest: [{ paths: ['group1-shard1of1.bin'], weights: w.entries }],
	};
	return { name, json, weights: Buffer.concat(w.bytes), parts: w.bytes, feeds, async };
}

const floats = (dims, r, sign) => ({
	dtype: 'float32',
	shape: dims,
	values: r.list(dims.reduce((p, d) => p * d, 1)).map((v) => (sign ? sign * (Math.abs(v) + 0.1) : v)),
});

// ---- the models ----

function elementwise(r) {
	const w = new Weights();
	const n = r.int(2, 4);
	const suffix = r.pick([':0', '']);
	return model('elementwise', w, {
		nodes: [placeholder('x', [-1, n]), w.floats('w', [n], r), w.floats('scale', [], r),
			node('add', 'AddV2', ['x', 'w'], FLOAT), node('mul', 'Mul', ['add', 'scale'], FLOAT),
			node('leaky', 'LeakyRelu', ['mul'], { ...FLOAT, alpha: f(0.25) }),
			node('clip', 'ClipByValue', ['leaky', 'low', 'high'], FLOAT),
			w.add('low', 'float32', [], [-1.5]), w.add('high', 'float32', [], [2.5]),
			node('Identity', 'Identity', ['clip'], FLOAT)],
		inputs: { a: info(`x${suffix}`, 'DT_FLOAT', [-1, n]) },
		outputs: { y: info(`Identity${suffix}`, 'DT_FLOAT', [-1, n]) },
		feeds: [{ a: floats([2, n], r) }, { a: floats([3, n], r) }],
	});
}

function dense(r) {
	const w = new Weights();
	const n = r.int(2, 3);
	return model('dense', w, {
		nodes: [placeholder('x', [-1, n]), w.floats('kernel', [n, 3], r), w.floats('bias', [3], r),
			w.floats('kernel2', [2, 3], r), w.floats('bias2', [2], r),
			node('dense', '_FusedMatMul', ['x', 'kernel', 'bias'], { ...FLOAT, num_args: i(1),
				fused_ops: strings(['BiasAdd', 'Relu']), transpose_a: b(false), transpose_b: b(false),
				epsilon: f(0.0001) }),
			node('matmul', 'MatMul', ['dense', 'kernel2'], { ...FLOAT, transpose_a: b(false), transpose_b: b(true) }),
			node('logits', 'BiasAdd', ['matmul', 'bias2'], { ...FLOAT, data_format: s('NHWC') }),
			node('Identity', 'Softmax', ['logits'], FLOAT)],
		inputs: { x: info('x:0', 'DT_FLOAT', [-1, n]) },
		outputs: { y: info('Identity:0', 'DT_FLOAT', [-1, 2]) },
		feeds: [{ x: floats([2, n], r) }],
	});
}

function convolution(r) {
	const w = new Weights();
	const c = r.int(1, 2);
	const conv = { ...FLOAT, padding: s(r.pick(['SAME', 'VALID'])), strides: ints([1, 1, 1, 1]), dilations: ints([1, 1, 1, 1]),
		data_format: s('NHWC'), explicit_paddings: ints([]) };
	return model('convolution', w, {
		nodes: [placeholder('x', [-1, 6, 6, c]), w.floats('filter', [3, 3, c, 2], r), w.floats('bias', [2], r),
			w.floats('deep', [2, 2, 2, 1], r), w.floats('gamma', [2], r), w.floats('beta', [2], r), w.floats('mean', [2], r),
			w.add('variance', 'float32', [2], [1.5, 0.5]), w.floats('filter2', [1, 1, 2, 3], r),
			node('fused', '_FusedConv2D', ['x', 'filter', 'bias'], { ...conv, num_args: i(1), fused_ops: strings(['BiasAdd', 'Relu']),
				epsilon: f(0.0001), use_cudnn_on_gpu: b(true) }),
			node('depthwise', 'DepthwiseConv2dNative', ['fused', 'deep'], { ...conv, padding: s('SAME') }),
			node('norm', 'FusedBatchNormV3', ['depthwise', 'gamma', 'beta', 'mean', 'variance'], { ...FLOAT, U: type('DT_FLOAT'),
				epsilon: f(0.001), is_training: b(false), data_format: s('NHWC') }),
			node('pool', 'MaxPool', ['norm'], { ...FLOAT, ksize: ints([1, 2, 2, 1]), strides: ints([1, 2, 2, 1]), padding: s('VALID'),
				data_format: s('NHWC'), explicit_paddings: ints([]) }),
			node('conv', 'Conv2D', ['pool', 'filter2'], { ...conv, padding: s('SAME'), use_cudnn_on_gpu: b(true) }),
			node('average', 'AvgPool', ['conv'], { ...FLOAT, ksize: ints([1, 2, 2, 1]), strides: ints([1, 1, 1, 1]), padding: s('SAME'),
				data_format: s('NHWC') }),
			w.ints('axes', [1, 2]), node('mean2', 'Mean', ['average', 'axes'], { ...FLOAT, Tidx: type('DT_INT32'), keep_dims: b(false) }),
			node('Identity', 'Identity', ['mean2'], FLOAT)],
		inputs: { image: info('x:0', 'DT_FLOAT', [-1, 6, 6, c]) },
		outputs: { y: info('Identity:0', 'DT_FLOAT', [-1, 3]) },
		feeds: [{ image: floats([1, 6, 6, c], r) }],
	});
}

function several(r) {
	const w = new Weights();
	return model('several', w, {
		nodes: [placeholder('x', [2, 6]), w.int('axis', 1), w.int('axis2', 1), w.int('k', 1),
			node('split', 'Split', ['axis', 'x'], { ...FLOAT, num_split: i(3) }),
			node('concat', 'ConcatV2', ['split:2', 'split', 'split:1', 'axis2'], { ...FLOAT, N: i(3), Tidx: type('DT_INT32') }),
			node('unpack', 'Unpack', ['concat'], { ...FLOAT, axis: i(0), num: i(2) }),
			node('pack', 'Pack', ['unpack:1', 'unpack'], { ...FLOAT, N: i(2), axis: i(0) }),
			node('top', 'TopKV2', ['pack', 'k'], { ...FLOAT, sorted: b(true) }),
			node('Identity', 'Identity', ['top:0'], FLOAT), node('Identity_1', 'Identity', ['top:1'], { T: type('DT_INT32') }),
			node('Identity_2', 'Identity', ['concat'], FLOAT)],
		inputs: { x: info('x:0', 'DT_FLOAT', [2, 6]) },
		outputs: { values: info('Identity:0', 'DT_FLOAT', [2, 1]), indices: info('Identity_1:0', 'DT_INT32', [2, 1]),
			all: info('Identity_2:0', 'DT_FLOAT', [2, 6]) },
		feeds: [{ x: floats([2, 6], r) }],
	});
}

function shapes(r) {
	const w = new Weights();
	const I32 = { Tidx: type('DT_INT32') };
	return model('shapes', w, {
		nodes: [placeholder('x', [-1, 4]), placeholder('index', [-1], 'DT_INT32'),
			w.ints('begin', [0, 1]), w.ints('end', [0, 4]), w.ints('step', [1, 1]), w.ints('perm', [1, 0]), w.int('zero', 0), w.int('depth', 4),
			w.add('on', 'float32', [], [1]), w.add('off', 'float32', [], [0]), w.add('pads', 'int32', [2, 2], [0, 0, 1, 0]),
			node('slice', 'StridedSlice', ['x', 'begin', 'end', 'step'], { ...FLOAT, Index: type('DT_INT32'), begin_mask: i(1), end_mask: i(1),
				ellipsis_mask: i(0), new_axis_mask: i(0), shrink_axis_mask: i(0) }),
			node('pad', 'Pad', ['slice', 'pads'], { ...FLOAT, Tpaddings: type('DT_INT32') }),
			node('transpose', 'Transpose', ['pad', 'perm'], { ...FLOAT, Tperm: type('DT_INT32') }),
			node('gather', 'GatherV2', ['transpose', 'index', 'zero'], { Tparams: type('DT_FLOAT'), Tindices: type('DT_INT32'), Taxis: type('DT_INT32'),
				batch_dims: i(0) }),
			node('sum', 'Sum', ['gather', 'zero'], { ...FLOAT, ...I32, keep_dims: b(true) }),
			node('squeeze', 'Squeeze', ['sum'], { ...FLOAT, squeeze_dims: ints([0]) }),
			node('hot', 'OneHot', ['index', 'depth', 'on', 'off'], { ...FLOAT, TI: type('DT_INT32'), axis: i(-1) }),
			node('cast', 'Cast', ['hot'], { SrcT: type('DT_FLOAT'), DstT: type('DT_INT32'), Truncate: b(false) }),
			node('cumsum', 'Cumsum', ['cast', 'zero'], { T: type('DT_INT32'), ...I32, exclusive: b(false), reverse: b(true) }),
			node('max', 'ArgMax', ['gather', 'zero'], { ...FLOAT, ...I32, output_type: type('DT_INT64') })],
		inputs: { x: info('x:0', 'DT_FLOAT', [-1, 4]), index: info('index:0', 'DT_INT32', [-1]) },
		outputs: { sum: info('squeeze:0', 'DT_FLOAT', [-1]), hot: info('cumsum', 'DT_INT32', [-1, 4]), best: info('max:0', 'DT_INT64', [-1]) },
		feeds: [{ x: floats([3, 4], r), index: { dtype: 'int32', shape: [2], values: [2, 1] } }],
	});
}

function conditional(r) {
	const w = new Weights();
	return model('conditional', w, {
		nodes: [placeholder('x', [-1, 2]), w.ints('axes', [0, 1]), w.add('zero', 'float32', [], [0]), w.floats('k', [2], r),
			node('sum', 'Sum', ['x', 'axes'], { ...FLOAT, Tidx: type('DT_INT32'), keep_dims: b(false) }),
			node('pred', 'Greater', ['sum', 'zero'], FLOAT), node('switch', 'Switch', ['x', 'pred'], FLOAT),
			node('then', 'Mul', ['switch:1', 'k'], FLOAT), node('else', 'Neg', ['switch'], FLOAT),
			node('merge', 'Merge', ['else', 'then'], { ...FLOAT, N: i(2) }), node('Identity', 'Identity', ['merge'], FLOAT)],
		inputs: { x: info('x:0', 'DT_FLOAT', [-1, 2]) },
		outputs: { y: info('Identity:0', 'DT_FLOAT', [-1, 2]) },
		feeds: [{ x: floats([2, 2], r, 1) }, { x: floats([2, 2], r, -1) }],
		async: true,
	});
}

function loop(r) {
	const w = new Weights();
	const frame = { ...FLOAT, frame_name: s('while'), parallel_iterations: i(10), is_constant: b(false) };
	return model('loop', w, {
		nodes: [placeholder('x', []), w.add('limit', 'float32', [], [r.int(20, 40)]), w.add('two', 'float32', [], [2]),
			node('enter', 'Enter', ['x'], frame), node('enter_limit', 'Enter', ['limit'], { ...frame, is_constant: b(true) }),
			node('enter_two', 'Enter', ['two'], { ...frame, is_constant: b(true) }),
			node('merge', 'Merge', ['enter', 'next'], { ...FLOAT, N: i(2) }),
			node('less', 'Less', ['merge', 'enter_limit'], FLOAT), node('cond', 'LoopCond', ['less']),
			node('switch', 'Switch', ['merge', 'cond'], FLOAT), node('body', 'Mul', ['switch:1', 'enter_two'], FLOAT),
			node('next', 'NextIteration', ['body'], FLOAT), node('exit', 'Exit', ['switch'], FLOAT),
			node('Identity', 'Identity', ['exit'], FLOAT)],
		inputs: { x: info('x:0', 'DT_FLOAT', []) },
		outputs: { y: info('Identity:0', 'DT_FLOAT', []) },
		feeds: [{ x: { dtype: 'float32', shape: [], values: [1.5] } }],
		async: true,
	});
}

const arg = (name, dtype = 'DT_FLOAT') => ({ name, type: dtype });

function functions(r) {
	const w = new Weights();
	const fn = (name, inputArg, outputArg, nodeDef, ret) => ({ signature: { name, inputArg, outputArg }, nodeDef, ret });
	const library = [
		fn('then', [arg('p'), arg('q')], [arg('y')], [node('mul', 'Mul', ['p', 'q'], FLOAT), node('id', 'Identity', ['mul:z:0'], FLOAT)],
			{ y: 'id:output:0' }),
		fn('else', [arg('p'), arg('q')], [arg('y')], [w.floats('c', [2], r, { as: 'else/c' }),
			node('sub', 'Sub', ['p', 'else/c:output:0'], FLOAT)], { y: 'sub:z:0' }),
		fn('cond', [arg('n'), arg('v')], [arg('go', 'DT_BOOL')], [w.add('limit', 'float32', [], [r.int(3, 5)], { as: 'cond/limit' }),
			node('less', 'Less', ['n', 'cond/limit:output:0'], FLOAT)], { go: 'less:z:0' }),
		fn('body', [arg('n'), arg('v')], [arg('n1'), arg('v1')], [w.add('one', 'float32', [], [1], { as: 'body/one' }),
			node('add', 'AddV2', ['n', 'body/one:output:0'], FLOAT), node('double', 'AddV2', ['v', 'v'], FLOAT)],
		{ n1: 'add:z:0', v1: 'double:z:0' }),
	];
	return model('functions', w, {
		library,
		nodes: [placeholder('x', [-1, 2]), w.ints('axes', [0, 1]), w.add('zero', 'float32', [], [0]), w.floats('k', [2], r),
			node('sum', 'Sum', ['x', 'axes'], { ...FLOAT, Tidx: type('DT_INT32'), keep_dims: b(false) }),
			node('pred', 'Greater', ['sum', 'zero'], FLOAT),
			node('if', 'StatelessIf', ['pred', 'x', 'k'], { then_branch: func('then'), else_branch: func('else'), Tcond: type('DT_BOOL') }),
			node('while', 'StatelessWhile', ['zero', 'if'], { cond: func('cond'), body: func('body') }),
			node('Identity', 'Identity', ['while:1'], FLOAT)],
		inputs: { x: info('x:0', 'DT_FLOAT', [-1, 2]) },
		outputs: { y: info('Identity:0', 'DT_FLOAT', [-1, 2]) },
		feeds: [{ x: floats([2, 2], r, 1) }, { x: floats([2, 2], r, -1) }],
		async: true,
	});
}

function initializerNodes(w, handle) {
	return [node(handle, 'HashTableV2', [], { key_dtype: type('DT_STRING'), value_dtype: type('DT_FLOAT'), shared_name: s('t'),
		use_node_name_sharing: b(true), container: s('') }),
	w.add('keys', 'string', [2], ['cat', 'dog']), w.add('values', 'float32', [2], [1.5, 2.5]),
	node('import', 'LookupTableImportV2', [handle, 'keys', 'values'], { Tin: type('DT_STRING'), Tout: type('DT_FLOAT') })];
}

const pets = { dtype: 'string', shape: [3], values: ['cat', 'cow', 'dog'] };
const find = (handle) => node('find', 'LookupTableFindV2', [handle, 'x', 'default'], { Tin: type('DT_STRING'), Tout: type('DT_FLOAT') });

function resource() {
	const w = new Weights();
	const initializer = { node: [...initializerNodes(w, 'table'), node('Identity', 'Identity', ['table', '^import'], { T: type('DT_RESOURCE') })],
		versions: { producer: 1482 } };
	return model('resource', w, {
		nodes: [placeholder('x', [-1], 'DT_STRING'), placeholder('handle', [], 'DT_RESOURCE'), w.add('default', 'float32', [], [-1]),
			find('handle'), node('Identity', 'Identity', ['find'], FLOAT)],
		inputs: { x: info('x:0', 'DT_STRING', [-1]), handle: { ...info('handle:0', 'DT_RESOURCE'), resourceId: 66 } },
		outputs: { y: info('Identity:0', 'DT_FLOAT', [-1]) },
		more: { modelInitializer: initializer,
			initializerSignature: { outputs: { Identity: { ...info('Identity:0', 'DT_RESOURCE'), resourceId: 66 } } } },
		feeds: [{ x: pets }],
		async: true,
	});
}

function table() {
	const w = new Weights();
	const nodes = initializerNodes(w, 'table');
	return model('table', w, {
		nodes: [placeholder('x', [-1], 'DT_STRING'), nodes[0], w.add('default', 'float32', [], [-1]), find('table'),
			node('size', 'LookupTableSizeV2', ['table']), node('Identity', 'Identity', ['find'], FLOAT)],
		inputs: { x: info('x:0', 'DT_STRING', [-1]) },
		outputs: { y: info('Identity:0', 'DT_FLOAT', [-1]), n: info('size:0', 'DT_INT64') },
		more: { modelInitializer: { node: nodes, versions: { producer: 1482 } } },
		feeds: [{ x: pets }],
		async: true,
	});
}

function text() {
	const w = new Weights();
	return model('text', w, {
		nodes: [placeholder('x', [-1], 'DT_STRING'), w.add('space', 'string', [], [' ']),
			node('split', 'StringSplit', ['x', 'space'], { skip_empty: b(true) }),
			node('hash', 'StringToHashBucketFast', ['split:1'], { num_buckets: i(100) }),
			node('Identity', 'Identity', ['split'], { T: type('DT_INT64') }),
			node('Identity_1', 'Identity', ['hash'], { T: type('DT_INT64') })],
		inputs: { x: info('x', 'DT_STRING', [-1]) },
		outputs: { where: info('Identity', 'DT_INT64', [-1, 2]), hash: info('Identity_1', 'DT_INT64', [-1]) },
		feeds: [{ x: { dtype: 'string', shape: [2], values: ['ab cd', 'ef'] } }],
	});
}

function boxes(r) {
	const w = new Weights();
	const five = r.pick([true, false]);
	const extra = five ? ['sigma'] : [];
	return model('boxes', w, {
		nodes: [placeholder('boxes', [3, 4]), placeholder('scores', [3]), w.int('max', 3), w.add('iou', 'float32', [], [0.5]),
			w.add('threshold', 'float32', [], [0.1]), ...(five ? [w.add('sigma', 'float32', [], [0])] : []),
			node('nms', five ? 'NonMaxSuppressionV5' : 'NonMaxSuppressionV3', ['boxes', 'scores', 'max', 'iou', 'threshold', ...extra], FLOAT),
			node('Identity', 'Identity', ['nms'], { T: type('DT_INT32') })],
		inputs: { boxes: info('boxes:0', 'DT_FLOAT', [3, 4]), scores: info('scores:0', 'DT_FLOAT', [3]) },
		outputs: { selected: info('Identity:0', 'DT_INT32', [-1]) },
		feeds: [{ boxes: { dtype: 'float32', shape: [3, 4], values: [0, 0, 1, 1, 0, 0, 1, 0.9, 2, 2, 3, 3] },
			scores: { dtype: 'float32', shape: [3], values: [0.9, 0.8, 0.7] } }],
		async: true,
	});
}

function quantized(r) {
	const w = new Weights();
	const quantization = { dtype: 'uint8', min: -2, scale: 0.015686274509803921 };
	return model('quantized', w, {
		nodes: [placeholder('x', [-1, 3]), w.floats('kernel', [3, 2], r, { quantization }),
			node('y', 'MatMul', ['x', 'kernel'], { ...FLOAT, transpose_a: b(false), transpose_b: b(false) }), node('Identity', 'Identity', ['y'], FLOAT)],
		inputs: { x: info('x:0', 'DT_FLOAT', [-1, 3]) },
		outputs: { y: info('Identity:0', 'DT_FLOAT', [-1, 2]) },
		feeds: [{ x: floats([2, 3], r) }],
	});
}

function derived(r) {
	const w = new Weights();
	return model('derived', w, {
		nodes: [placeholder('p', [2]), placeholder('q', [2]), w.floats('c', [2], r), node('sub', 'Sub', ['p', 'q'], FLOAT),
			node('ensure', 'NoOp'), node('out', 'Maximum', ['sub', 'c', '^ensure'], FLOAT)],
		feeds: [{ p: floats([2], r), q: floats([2], r) }],
	});
}

function metadata(r) {
	const w = new Weights();
	const made = model('metadata', w, {
		nodes: [placeholder('x', [1, 2]), node('flag', 'PlaceholderWithDefault', ['one'], { dtype: type('DT_FLOAT'), shape: shape([]) }),
			w.add('one', 'float32', [], [1]), node('a', 'Mul', ['x', 'flag'], FLOAT), node('b', 'Square', ['a'], FLOAT)],
		feeds: [{ x: floats([1, 2], r) }],
	});
	made.json.userDefinedMetadata = {
		signature: { inputs: { x: info('x:0', 'DT_FLOAT', [1, 2]) }, outputs: { a: info('a:0', 'DT_FLOAT', [1, 2]), b: info('b:0', 'DT_FLOAT', [1, 2]) } },
		structuredOutputKeys: ['first', 'second'],
	};
	return made;
}

// As pb2json writes: enums as numbers, bytes as arrays, no inputs in the signature.
function frozen(r) {
	const w = new Weights();
	return model('frozen', w, {
		nodes: [node('x', 'Placeholder', [], { dtype: { type: 1 }, shape: { shape: { dim: [{ size: -1 }, { size: 4 }, { size: 4 }, { size: 1 }] } } }),
			w.floats('f', [2, 2, 1, 1], r),
			node('conv', 'Conv2D', ['x', 'f'], { T: { type: 1 }, padding: { s: [...Buffer.from('SAME')] }, data_format: { s: [...Buffer.from('NHWC')] },
				strides: { list: { i: [1, 2, 2, 1] } }, dilations: { list: { i: [1, 1, 1, 1] } } }),
			node('resize', 'ResizeBilinear', ['conv', 'size'], { T: { type: 1 }, align_corners: b(false), half_pixel_centers: b(true) }), w.ints('size', [3, 3])],
		outputs: { resize: { name: 'resize' } },
		feeds: [{ x: floats([1, 4, 4, 1], r) }],
	});
}

export const makers = [elementwise, dense, convolution, several, shapes, conditional, loop, functions, resource, table, text, boxes, quantized,
	derived, metadata, frozen];
