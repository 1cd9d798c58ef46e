// SPDX-License-Identifier: Apache-2.0
// Models for the differential test of common/model/layers*: every registered layer in several
// configurations, and wirings. Each has explicit names, so that weights are named alike in any order.

/** A generator of numbers that is the same on every run. */
export function seeded(seed) {
	let s = seed >>> 0;
	const next = () => {
		s = (s + 0x6d2b79f5) >>> 0;
		let t = Math.imul(s ^ (s >>> 15), 1 | s);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
	return { next, below: (n) => Math.floor(next() * n), pick: (a) => a[Math.floor(next() * a.length)] };
}

const IMAGE = [10, 9, 3];
const FIRST = [3, 10, 9];
const SERIES = [7, 5];
const CUBE = [6, 7, 8, 2];

// [layer factory, input shape without batch, configurations]
const SINGLE = [
	['dense', [4], [{ units: 3 }, { units: 2, useBias: false, activation: 'relu' }, { units: 2, kernelInitializer: 'heNormal', kernelConstraint: 'maxNorm' }, { units: 1, trainable: false }]],
	['dense', [5, 4], [{ units: 3, activation: 'softmax' }]],
	['activation', [4], [{ activation: 'tanh' }, { activation: 'hardSigmoid' }]],
	['dropout', [4], [{ rate: 0.3 }]],
	['spatialDropout1d', SERIES, [{ rate: 0.3 }]],
	['flatten', IMAGE, [{}, { dataFormat: 'channelsFirst' }]],
	['repeatVector', [4], [{ n: 3 }]],
	['reshape', [6, 4], [{ targetShape: [3, 8] }, { targetShape: [4, -1] }, { targetShape: [24] }]],
	['permute', IMAGE, [{ dims: [2, 3, 1] }, { dims: [1, 2, 3] }]],
	['masking', SERIES, [{ maskValue: 0 }]],
	['embedding', [6], [{ inputDim: 9, outputDim: 4 }, { inputDim: 9, outputDim: 4, maskZero: true, inputLength: 6 }]],
	['gaussianNoise', [4], [{ stddev: 1 }]],
	['gaussianDropout', [4], [{ rate: 0.2 }]],
	['alphaDropout', [4], [{ rate: 0.2 }]],
	['reLU', [4], [{}, { maxValue: 2 }]],
	['leakyReLU', [4], [{ alpha: 0.1 }]],
	['prelu', IMAGE, [{}, { sharedAxes: [1, 2] }]],
	['elu', [4], [{}]],
	['thresholdedReLU', [4], [{ theta: 0.5 }]],
	['softmax', [4], [{}, { axis: -1 }]],
	['batchNormalization', IMAGE, [{}, { axis: 1 }, { scale: false, center: false }]],
	['batchNormalization', [4], [{ center: false }]],
	['layerNormalization', IMAGE, [{}, { axis: [1, 2] }, { scale: false }]],
	['conv1d', SERIES, [{ filters: 3, kernelSize: 3 }, { filters: 3, kernelSize: [2], strides: 2, padding: 'same' }, { filters: 2, kernelSize: 2, dilationRate: 2, useBias: false }]],
	['conv2d', IMAGE, [{ filters: 4, kernelSize: 3 }, { filters: 4, kernelSize: [3, 2], strides: [2, 1], padding: 'same', activation: 'relu' }, { filters: 2, kernelSize: 2, dilationRate: [2, 3] }, { filters: 1, kernelSize: 1, useBias: false }]],
	['conv2d', FIRST, [{ filters: 4, kernelSize: 3, dataFormat: 'channelsFirst' }]],
	['conv3d', CUBE, [{ filters: 3, kernelSize: 2 }, { filters: 2, kernelSize: [1, 2, 3], strides: 2, padding: 'same' }]],
	['conv2dTranspose', IMAGE, [{ filters: 4, kernelSize: 3, strides: 2 }, { filters: 2, kernelSize: [2, 3], strides: 2, padding: 'same' }]],
	['conv3dTranspose', CUBE, [{ filters: 3, kernelSize: 2, strides: 2 }, { filters: 1, kernelSize: 3, padding: 'same' }]],
	['separableConv2d', IMAGE, [{ filters: 4, kernelSize: 3 }, { filters: 4, kernelSize: 2, depthMultiplier: 2, padding: 'same', useBias: false }]],
	['depthwiseConv2d', IMAGE, [{ kernelSize: 3 }, { kernelSize: [2, 3], depthMultiplier: 2, strides: 2, padding: 'same' }]],
	['cropping2D', IMAGE, [{ cropping: 1 }, { cropping: [[1, 2], [0, 1]] }, { cropping: [1, 2], dataFormat: 'channelsLast' }]],
	['upSampling2d', IMAGE, [{}, { size: [3, 2], interpolation: 'bilinear' }]],
	['zeroPadding2d', IMAGE, [{}, { padding: 2 }, { padding: [[1, 0], [2, 3]] }]],
	['maxPooling1d', SERIES, [{}, { poolSize: 3, strides: 1, padding: 'same' }]],
	['averagePooling1d', SERIES, [{ poolSize: 2, strides: 2 }]],
	['maxPooling2d', IMAGE, [{}, { poolSize: [3, 2], strides: [1, 2], padding: 'same' }]],
	['averagePooling2d', IMAGE, [{ poolSize: 2 }]],
	['maxPooling2d', FIRST, [{ dataFormat: 'channelsFirst' }]],
	['maxPooling3d', CUBE, [{}, { poolSize: 2, strides: 1, padding: 'same' }]],
	['averagePooling3d', CUBE, [{}]],
	['globalAveragePooling1d', SERIES, [{}]],
	['globalMaxPooling1d', SERIES, [{}]],
	['globalAveragePooling2d', IMAGE, [{ dataFormat: 'channelsLast' }]],
	['globalMaxPooling2d', FIRST, [{ dataFormat: 'channelsFirst' }]],
	['simpleRNN', SERIES, [{ units: 4 }, { units: 3, returnSequences: true, useBias: false }]],
	['gru', SERIES, [{ units: 4 }, { units: 3, returnSequences: true, recurrentActivation: 'sigmoid' }]],
	['lstm', SERIES, [{ units: 4 }, { units: 3, returnSequences: true, unitForgetBias: true }, { units: 2, trainable: false }]],
	['convLstm2d', [4, 8, 7, 2], [{ filters: 3, kernelSize: 3 }, { filters: 2, kernelSize: 2, returnSequences: true, padding: 'same' }]],
	['rescaling', IMAGE, [{ scale: 0.1, offset: 1 }]],
	['centerCrop', IMAGE, [{ height: 4, width: 5 }]],
	['categoryEncoding', [4], [{ numTokens: 6, outputMode: 'multiHot' }]],
];

const ACTIVATIONS = ['elu', 'gelu', 'hardSigmoid', 'linear', 'logSoftmax', 'mish', 'relu', 'relu6', 'selu', 'sigmoid', 'softmax', 'softplus', 'softsign', 'swish', 'tanh'];
const INITIALIZERS = {
	constant: { value: 0.5 }, glorotNormal: {}, glorotUniform: { seed: 3 }, heNormal: {}, heUniform: {}, identity: { gain: 2 },
	leCunNormal: {}, leCunUniform: {}, ones: {}, orthogonal: { gain: 2 }, randomNormal: { mean: 0, stddev: 1 },
	randomUniform: { minval: 0, maxval: 1 }, truncatedNormal: { mean: 0, stddev: 1 },
	varianceScaling: { scale: 1, mode: 'fanIn', distribution: 'normal' }, zeros: {},
};
const CONSTRAINTS = { maxNorm: { maxValue: 3, axis: 0 }, minMaxNorm: { minValue: 0, maxValue: 2, rate: 1, axis: 0 }, nonNeg: {}, unitNorm: { axis: 0 } };
const OPTIMIZERS = {
	adadelta: [0.1], adagrad: [0.1], adam: [0.01], adamax: [0.01], momentum: [0.1, 0.9], rmsprop: [0.1, 0.9, 0, 1e-7, true], sgd: [0.1],
};

/** Small objects in the configuration of a Dense layer. */
function objects(tf) {
	const dense = (name, config) => [name, () => tf.sequential({ name: 'single', layers: [
		tf.layers.dense({ name: 'it', inputShape: [4], units: 4, ...config })] })];
	return [
		...ACTIVATIONS.map((activation) => dense(`activation ${activation}`, { activation })),
		...Object.entries(INITIALIZERS).map(([name, config]) => dense(`initializer ${name}`, { kernelInitializer: tf.initializers[name](config) })),
		...Object.entries(CONSTRAINTS).map(([name, config]) => dense(`constraint ${name}`, { kernelConstraint: tf.constraints[name](config) })),
		dense('regularizer l1l2', { kernelRegularizer: tf.regularizers.l1l2({ l1: 0.1, l2: 0.2 }), biasRegularizer: tf.regularizers.l2({ l2: 0.1 }) }),
	];
}

const xs = (tf, n) => tf.ones([2, n]);

/** Compiled and trained for one step, so that they are saved with an optimizer and its weights. */
function trained(tf) {
	const one = (loss, optimizer, metrics) => async () => {
		const model = tf.sequential({ name: 'trained', layers: [
			tf.layers.dense({ name: 'a', inputShape: [4], units: 3 }), tf.layers.batchNormalization({ name: 'bn' }), tf.layers.dense({ name: 'b', units: 2 })] });
		model.compile({ loss, optimizer, metrics });
		await model.fit(xs(tf, 4), xs(tf, 2), { epochs: 1, verbose: 0 });
		return model;
	};
	const two = async () => {
		const x = tf.input({ shape: [4], name: 'x' });
		const a = tf.layers.dense({ units: 3, name: 'a' }).apply(x);
		const b = tf.layers.dense({ units: 2, name: 'b' }).apply(x);
		const model = tf.model({ inputs: x, outputs: [a, b], name: 'two' });
		model.compile({ loss: { a: 'meanSquaredError', b: 'meanAbsoluteError' }, optimizer: tf.train.adam(0.01), metrics: ['mse'] });
		await model.fit(xs(tf, 4), [xs(tf, 3), xs(tf, 2)], { epochs: 1, verbose: 0 });
		return model;
	};
	return [
		...Object.entries(OPTIMIZERS).map(([name, args]) => [`trained with ${name}`, one('meanSquaredError', tf.train[name](...args), ['mse'])]),
		['trained for classes', one(['categoricalCrossentropy'], tf.train.adam(0.01), ['accuracy', 'crossentropy', 'precision'])],
		['trained with two outputs', two],
	];
}

function singles(tf) {
	const out = [];
	for (const [factory, shape, configs] of SINGLE) {
		configs.forEach((config, i) => out.push([`${factory}-${shape.length}-${i}`, () => tf.sequential({
			name: 'single',
			layers: [tf.layers[factory]({ name: 'it', inputShape: shape, ...config })],
		})]));
	}
	return out;
}

const cell = (tf, kind, units) => tf.layers[kind]({ units, name: `${kind}_${units}` });

const WIRED = {
	'stack of dense': (tf) => tf.sequential({ name: 's', layers: [
		tf.layers.inputLayer({ inputShape: [8], name: 'in' }),
		tf.layers.dense({ units: 6, name: 'a', activation: 'relu' }),
		tf.layers.batchNormalization({ name: 'bn' }),
		tf.layers.dense({ units: 2, name: 'b', trainable: false }),
	] }),
	convnet: (tf) => tf.sequential({ name: 'convnet', layers: [
		tf.layers.conv2d({ name: 'c1', inputShape: [14, 14, 1], filters: 4, kernelSize: 3 }),
		tf.layers.maxPooling2d({ name: 'p1' }),
		tf.layers.depthwiseConv2d({ name: 'd1', kernelSize: 2 }),
		tf.layers.flatten({ name: 'f' }),
		tf.layers.dense({ name: 'out', units: 3 }),
	] }),
	'free image size': (tf) => tf.sequential({ name: 'free', layers: [
		tf.layers.conv2d({ name: 'c1', batchInputShape: [null, null, null, 3], filters: 4, kernelSize: 3 }),
		tf.layers.globalAveragePooling2d({ name: 'g', dataFormat: 'channelsLast' }),
		tf.layers.dense({ name: 'out', units: 3 }),
	] }),
	'two inputs, two outputs': (tf) => {
		const x = tf.input({ shape: [5], name: 'x' });
		const y = tf.input({ shape: [5], name: 'y' });
		const shared = tf.layers.dense({ units: 4, name: 'shared' });
		const sum = tf.layers.add({ name: 'sum' }).apply([shared.apply(x), shared.apply(y)]);
		const cat = tf.layers.concatenate({ name: 'cat' }).apply([sum, x]);
		return tf.model({ inputs: [x, y], outputs: [sum, tf.layers.dense({ units: 2, name: 'o' }).apply(cat)], name: 'm' });
	},
	'a layer at two depths': (tf) => {
		const x = tf.input({ shape: [4], name: 'x' });
		const a = tf.layers.dense({ units: 4, name: 'a' });
		const b = tf.layers.dense({ units: 4, name: 'b' });
		return tf.model({ inputs: x, outputs: a.apply(b.apply(a.apply(x))), name: 'm' });
	},
	'nested functional': (tf) => {
		const x = tf.input({ shape: [4], name: 'x' });
		const inner = tf.model({ inputs: x, outputs: tf.layers.dense({ units: 3, name: 'deep' }).apply(x), name: 'inner' });
		const y = tf.input({ shape: [4], name: 'y' });
		return tf.model({ inputs: y, outputs: tf.layers.dense({ units: 2, name: 'top' }).apply(inner.apply(y)), name: 'outer' });
	},
	'nested twice called': (tf) => {
		const inner = tf.sequential({ name: 'inner', layers: [
			tf.layers.dense({ units: 3, name: 'deep', inputShape: [4] }), tf.layers.batchNormalization({ name: 'bn' })] });
		const y = tf.input({ shape: [4], name: 'y' });
		const z = tf.input({ shape: [4], name: 'z' });
		const d = tf.layers.dot({ axes: 1, name: 'dot' }).apply([inner.apply(y), inner.apply(z)]);
		return tf.model({ inputs: [y, z], outputs: d, name: 'siamese' });
	},
	'sequential in sequential': (tf) => tf.sequential({ name: 'o', layers: [
		tf.sequential({ name: 'i', layers: [tf.layers.dense({ units: 3, name: 'p', inputShape: [2] }), tf.layers.dense({ units: 5, name: 'q' })] }),
		tf.layers.dense({ units: 2, name: 'r' }),
	] }),
	'bidirectional concat': (tf) => tf.sequential({ name: 'b', layers: [
		tf.layers.bidirectional({ name: 'bi', inputShape: [7, 5], layer: tf.layers.lstm({ units: 3, name: 'inner', returnSequences: true }) }),
		tf.layers.globalMaxPooling1d({ name: 'g' })] }),
	'bidirectional sum': (tf) => tf.sequential({ name: 'b', layers: [
		tf.layers.bidirectional({ name: 'bi', inputShape: [7, 5], mergeMode: 'sum', layer: tf.layers.gru({ units: 3, name: 'inner' }) })] }),
	'bidirectional null': (tf) => {
		const x = tf.input({ shape: [7, 5], name: 'x' });
		return tf.model({ name: 'b', inputs: x, outputs: tf.layers.bidirectional({ name: 'bi', mergeMode: null, layer: tf.layers.simpleRNN({ units: 3, name: 'inner' }) }).apply(x) });
	},
	'time distributed dense': (tf) => tf.sequential({ name: 't', layers: [
		tf.layers.timeDistributed({ name: 'td', inputShape: [7, 5], layer: tf.layers.dense({ units: 3, name: 'inner' }) })] }),
	'time distributed conv': (tf) => tf.sequential({ name: 't', layers: [
		tf.layers.timeDistributed({ name: 'td', inputShape: [4, 8, 8, 2], layer: tf.layers.conv2d({ filters: 3, kernelSize: 3, name: 'inner' }) })] }),
	'time distributed model': (tf) => tf.sequential({ name: 't', layers: [
		tf.layers.timeDistributed({ name: 'td', inputShape: [7, 5], layer: tf.sequential({ name: 'm', layers: [tf.layers.dense({ units: 3, name: 'inner', inputShape: [5] })] }) })] }),
	'rnn of one cell': (tf) => tf.sequential({ name: 'r', layers: [
		tf.layers.rnn({ name: 'rnn', inputShape: [7, 5], cell: cell(tf, 'lstmCell', 4) })] }),
	'rnn of stacked cells': (tf) => tf.sequential({ name: 'r', layers: [
		tf.layers.rnn({ name: 'rnn', inputShape: [7, 5], returnSequences: true, cell: tf.layers.stackedRNNCells({ name: 'stack', cells: [cell(tf, 'gruCell', 4), cell(tf, 'lstmCell', 3), cell(tf, 'simpleRNNCell', 2)] }) })] }),
	'encoder and decoder': (tf) => {
		const x = tf.input({ shape: [7, 5], name: 'x' });
		const y = tf.input({ shape: [4, 5], name: 'y' });
		const [, h, c] = tf.layers.lstm({ units: 3, name: 'encoder', returnState: true }).apply(x);
		const z = tf.layers.lstm({ units: 3, name: 'decoder', returnSequences: true }).apply([y, h, c]);
		return tf.model({ inputs: [x, y], outputs: z, name: 'seq2seq' });
	},
	'stateful lstm': (tf) => tf.sequential({ name: 'r', layers: [
		tf.layers.lstm({ name: 'l', batchInputShape: [2, 7, 5], units: 3, stateful: true })] }),
	'text classifier': (tf) => tf.sequential({ name: 't', layers: [
		tf.layers.embedding({ name: 'e', inputDim: 20, outputDim: 6, inputLength: 9 }),
		tf.layers.conv1d({ name: 'c', filters: 4, kernelSize: 3 }),
		tf.layers.globalMaxPooling1d({ name: 'g' }),
		tf.layers.dense({ name: 'd', units: 1, activation: 'sigmoid' })] }),
	'dot of series': (tf) => {
		const x = tf.input({ shape: [7, 5], name: 'x' });
		const y = tf.input({ shape: [4, 5], name: 'y' });
		return tf.model({ inputs: [x, y], outputs: tf.layers.dot({ axes: [2, 2], name: 'dot' }).apply([x, y]), name: 'd' });
	},
	'frozen inner model': (tf) => {
		const inner = tf.sequential({ name: 'inner', layers: [tf.layers.lstm({ units: 3, name: 'l', inputShape: [4, 2], trainable: false }), tf.layers.dense({ units: 3, name: 'd' })] });
		const y = tf.input({ shape: [4, 2], name: 'y' });
		return tf.model({ inputs: y, outputs: tf.layers.dense({ units: 1, name: 'top' }).apply(inner.apply(y)), name: 'outer' });
	},
	'unused branch': (tf) => {
		const x = tf.input({ shape: [4], name: 'x' });
		const y = tf.input({ shape: [4], name: 'y' });
		return tf.model({ inputs: [x, y], outputs: tf.layers.dense({ units: 1, name: 'd' }).apply(x), name: 'm' });
	},
	'frozen rnn with a cell that is not': (tf) => tf.sequential({ name: 'r', layers: [
		tf.layers.rnn({ name: 'rnn', inputShape: [7, 5], trainable: false, cell: cell(tf, 'lstmCell', 4) }),
		tf.layers.dense({ name: 'd', units: 2 })] }),
	'time distributed bidirectional': (tf) => tf.sequential({ name: 't', layers: [
		tf.layers.timeDistributed({ name: 'td', inputShape: [3, 7, 5], layer: tf.layers.bidirectional({ name: 'bi', layer: tf.layers.gru({ units: 2, name: 'g' }) }) })] }),
	'bidirectional with states': (tf) => {
		const x = tf.input({ shape: [7, 5], name: 'x' });
		const out = tf.layers.bidirectional({ name: 'bi', layer: tf.layers.lstm({ units: 3, name: 'l', returnState: true }) }).apply(x);
		return tf.model({ inputs: x, outputs: out, name: 'm' });
	},
	'frozen batch normalization': (tf) => tf.sequential({ name: 'f', layers: [
		tf.layers.conv2d({ name: 'c', inputShape: [6, 6, 2], filters: 3, kernelSize: 3 }),
		tf.layers.batchNormalization({ name: 'bn', trainable: false }), tf.layers.globalMaxPooling2d({ name: 'g', dataFormat: 'channelsLast' })] }),
	'three models deep': (tf) => {
		const one = tf.sequential({ name: 'one', layers: [tf.layers.dense({ units: 3, name: 'a', inputShape: [4] })] });
		const x = tf.input({ shape: [4], name: 'x' });
		const two = tf.model({ inputs: x, outputs: tf.layers.batchNormalization({ name: 'b' }).apply(one.apply(x)), name: 'two' });
		const y = tf.input({ shape: [4], name: 'y' });
		return tf.model({ inputs: y, outputs: tf.layers.dense({ units: 2, name: 'c' }).apply(two.apply(y)), name: 'three' });
	},
	'masked lstm': (tf) => tf.sequential({ name: 'm', layers: [
		tf.layers.masking({ name: 'mask', inputShape: [7, 5] }), tf.layers.lstm({ name: 'l', units: 3 })] }),
	'masked text': (tf) => tf.sequential({ name: 'm', layers: [
		tf.layers.embedding({ name: 'e', inputDim: 20, outputDim: 6, inputLength: 9, maskZero: true }),
		tf.layers.dropout({ name: 'drop', rate: 0.1 }),
		tf.layers.bidirectional({ name: 'bi', layer: tf.layers.gru({ units: 3, name: 'g', returnSequences: true }) }),
		tf.layers.dense({ name: 'd', units: 4 }),
		tf.layers.simpleRNN({ name: 's', units: 2 }),
		tf.layers.dense({ name: 'out', units: 3, activation: 'softmax' })] }),
	'masked text of any length': (tf) => tf.sequential({ name: 'm', layers: [
		tf.layers.embedding({ name: 'e', inputDim: 20, outputDim: 6, maskZero: true }), tf.layers.lstm({ name: 'l', units: 3 })] }),
	'two masked texts': (tf) => {
		const branch = (n) => {
			const x = tf.input({ shape: [9], name: `x${n}` });
			return [x, tf.layers.embedding({ name: `e${n}`, inputDim: 20, outputDim: 4, maskZero: true }).apply(x)];
		};
		const [x, a] = branch(1);
		const [y, b] = branch(2);
		const joined = tf.layers.concatenate({ name: 'cat' }).apply([a, b]);
		return tf.model({ inputs: [x, y], outputs: tf.layers.lstm({ units: 3, name: 'l' }).apply(joined), name: 'm' });
	},
	'masked encoder and decoder': (tf) => {
		const x = tf.input({ shape: [7], name: 'x' });
		const y = tf.input({ shape: [9], name: 'y' });
		const embed = (name) => tf.layers.embedding({ name, inputDim: 20, outputDim: 4, maskZero: true });
		const [, h, c] = tf.layers.lstm({ units: 3, name: 'encoder', returnState: true }).apply(embed('ex').apply(x));
		const z = tf.layers.lstm({ units: 3, name: 'decoder', returnSequences: true }).apply([embed('ey').apply(y), h, c]);
		return tf.model({ inputs: [x, y], outputs: tf.layers.timeDistributed({ name: 'td', layer: tf.layers.dense({ units: 4, name: 'd' }) }).apply(z), name: 'm' });
	},
	'masked images of a convolutional lstm': (tf) => tf.sequential({ name: 'm', layers: [
		tf.layers.masking({ name: 'mask', inputShape: [3, 5, 5, 2] }),
		tf.layers.convLstm2d({ name: 'l', filters: 2, kernelSize: 3, padding: 'same' })] }),
	'mask that nothing reads': (tf) => tf.sequential({ name: 'm', layers: [
		tf.layers.embedding({ name: 'e', inputDim: 20, outputDim: 4, inputLength: 6, maskZero: true }),
		tf.layers.flatten({ name: 'f' }), tf.layers.dense({ name: 'd', units: 2 })] }),
	'masked nested model': (tf) => {
		const inner = tf.sequential({ name: 'inner', layers: [
			tf.layers.embedding({ name: 'e', inputDim: 20, outputDim: 4, inputLength: 6, maskZero: true }), tf.layers.lstm({ name: 'l', units: 3 })] });
		const y = tf.input({ shape: [6], name: 'y' });
		return tf.model({ inputs: y, outputs: tf.layers.dense({ units: 1, name: 'top' }).apply(inner.apply(y)), name: 'outer' });
	},
	'an input as output': (tf) => {
		const x = tf.input({ shape: [4], name: 'x' });
		return tf.model({ inputs: x, outputs: [x, tf.layers.dense({ units: 1, name: 'd' }).apply(x)], name: 'm' });
	},
};

/** What TensorFlow.js builds and saves, but cannot run, by the rule that says so. */
const BROKEN = {
	'layers.mask': {
		'a masked residual before an lstm': (tf) => {
			const x = tf.input({ shape: [9], name: 'x' });
			const e = tf.layers.embedding({ name: 'e', inputDim: 20, outputDim: 4, maskZero: true }).apply(x);
			const r = tf.layers.add({ name: 'sum' }).apply([e, tf.layers.lstm({ units: 4, name: 'l1', returnSequences: true }).apply(e)]);
			return tf.model({ inputs: x, outputs: tf.layers.lstm({ units: 3, name: 'l2' }).apply(r), name: 'm' });
		},
		'three inputs of a sum, one without a mask': (tf) => {
			const x = tf.input({ shape: [9], name: 'x' });
			const embed = (name, maskZero) => tf.layers.embedding({ name, inputDim: 20, outputDim: 4, maskZero }).apply(x);
			return tf.model({ inputs: x, outputs: tf.layers.average({ name: 'sum' }).apply([embed('a', true), embed('b', false), embed('c', true)]), name: 'm' });
		},
		'joined over time, one without a mask': (tf) => {
			const x = tf.input({ shape: [9], name: 'x' });
			const embed = (name, maskZero) => tf.layers.embedding({ name, inputDim: 20, outputDim: 4, maskZero }).apply(x);
			return tf.model({ inputs: x, outputs: tf.layers.concatenate({ name: 'cat', axis: 1 }).apply([embed('a', true), embed('b', false)]), name: 'm' });
		},
		'a decoder longer than the masked encoder': (tf) => tf.sequential({ name: 'm', layers: [
			tf.layers.embedding({ name: 'e', inputDim: 20, outputDim: 4, inputLength: 5, maskZero: true }),
			tf.layers.lstm({ name: 'encoder', units: 3 }), tf.layers.repeatVector({ name: 'r', n: 8 }), tf.layers.lstm({ name: 'decoder', units: 3 })] }),
		'a mask of text that reaches images': (tf) => {
			const x = tf.input({ shape: [9], name: 'x' });
			const y = tf.input({ shape: [3, 5, 5, 1], name: 'y' });
			const text = tf.layers.lstm({ units: 3, name: 'l' }).apply(tf.layers.embedding({ name: 'e', inputDim: 20, outputDim: 4, maskZero: true }).apply(x));
			const image = tf.layers.flatten({ name: 'f' }).apply(tf.layers.convLstm2d({ name: 'c', filters: 2, kernelSize: 2 }).apply(y));
			return tf.model({ inputs: [x, y], outputs: tf.layers.concatenate({ name: 'cat' }).apply([image, text]), name: 'm' });
		},
		'a softmax layer over masked steps': (tf) => tf.sequential({ name: 'm', layers: [
			tf.layers.embedding({ name: 'e', inputDim: 20, outputDim: 4, inputLength: 5, maskZero: true }), tf.layers.softmax({ name: 's', axis: -1 })] }),
		'a mask that reaches a nested model': (tf) => {
			const inner = tf.sequential({ name: 'inner', layers: [tf.layers.repeatVector({ name: 'r', n: 8, inputShape: [3] }), tf.layers.gru({ name: 'g', units: 2 })] });
			const x = tf.input({ shape: [5], name: 'x' });
			const text = tf.layers.lstm({ units: 3, name: 'l' }).apply(tf.layers.embedding({ name: 'e', inputDim: 20, outputDim: 4, maskZero: true }).apply(x));
			return tf.model({ inputs: x, outputs: inner.apply(text), name: 'm' });
		},
		'a mask that reaches a wrapped layer': (tf) => tf.sequential({ name: 'm', layers: [
			tf.layers.masking({ name: 'mask', inputShape: [3, 7, 2] }),
			tf.layers.timeDistributed({ name: 'td', layer: tf.layers.bidirectional({ name: 'bi', layer: tf.layers.lstm({ units: 2, name: 'l' }) }) })] }),
	},
	'layers.unsupported': {
		resizing: (tf) => tf.sequential({ name: 'm', layers: [tf.layers.resizing({ name: 'r', inputShape: IMAGE, height: 4, width: 5 })] }),
		'resizing of each step': (tf) => tf.sequential({ name: 't', layers: [
			tf.layers.timeDistributed({ name: 'td', inputShape: [4, ...IMAGE], layer: tf.layers.resizing({ name: 'r', height: 4, width: 5, interpolation: 'nearest' }) })] }),
		'a width at random': (tf) => {
			const x = tf.input({ shape: IMAGE, name: 'x' });
			return tf.model({ inputs: x, outputs: tf.layers.randomWidth({ name: 'r', factor: [0.5, 0.5] }).apply(x), name: 'm' });
		},
	},
	'layers.state-stale': {
		'two decoders with states in a nested model': (tf) => {
			const x = tf.input({ shape: [7, 5], name: 'x' });
			const [, h, c] = tf.layers.lstm({ units: 3, name: 'encoder', returnState: true }).apply(x);
			const one = tf.layers.lstm({ units: 3, name: 'one', returnSequences: true }).apply([x, h, c]);
			const inner = tf.model({ inputs: x, outputs: tf.layers.lstm({ units: 3, name: 'two' }).apply([one, h, c]), name: 'inner' });
			const y = tf.input({ shape: [7, 5], name: 'y' });
			return tf.model({ inputs: y, outputs: inner.apply(y), name: 'outer' });
		},
		'two masked decoders with states': (tf) => {
			const x = tf.input({ shape: [7, 5], name: 'x' });
			const masked = tf.layers.masking({ name: 'mask' }).apply(x);
			const [, h, c] = tf.layers.lstm({ units: 3, name: 'encoder', returnState: true }).apply(masked);
			const one = tf.layers.lstm({ units: 3, name: 'one', returnSequences: true }).apply([masked, h, c]);
			return tf.model({ inputs: x, outputs: tf.layers.lstm({ units: 3, name: 'two' }).apply(one), name: 'm' });
		},
	},
};

/** [[name, rule, build]...] */
export function broken(tf) {
	return Object.entries(BROKEN).flatMap(([rule, all]) => Object.entries(all).map(([name, build]) => [name, rule, () => build(tf)]));
}

function merges(tf) {
	const out = [];
	for (const kind of ['add', 'multiply', 'average', 'maximum', 'minimum'])
		for (const [i, [p, q]] of [[[5], [5]], [[4, 5], [5]], [[1, 5], [4, 1]], [[3, 4, 5], [5]]].entries())
			out.push([`${kind}-${i}`, () => {
				const x = tf.input({ shape: p, name: 'x' });
				const y = tf.input({ shape: q, name: 'y' });
				return tf.model({ inputs: [x, y], outputs: tf.layers[kind]({ name: 'it' }).apply([x, y]), name: 'm' });
			}]);
	for (const [i, [p, q, axis]] of [[[5], [3], -1], [[4, 5], [2, 5], 1], [[4, 5, 6], [4, 2, 6], -2]].entries())
		out.push([`concatenate-${i}`, () => {
			const x = tf.input({ shape: p, name: 'x' });
			const y = tf.input({ shape: q, name: 'y' });
			return tf.model({ inputs: [x, y], outputs: tf.layers.concatenate({ name: 'it', axis }).apply([x, y]), name: 'm' });
		}]);
	return out;
}

/** A random network of layers that keep a [b, 6] or [b, t, 6] tensor going, with skips. */
function random(tf, seed) {
	const r = seeded(seed);
	const series = r.next() < 0.5;
	const inputs = [tf.input({ shape: series ? [5, 6] : [6], name: 'in0' })];
	const pool = [inputs[0]];
	const dense = tf.layers.dense({ units: 6, name: 'shared', trainable: r.next() < 0.7 });
	for (let i = 0; i < 3 + r.below(8); i++) {
		const x = r.pick(pool);
		const name = `l${i}`;
		const choices = [
			() => tf.layers.dense({ units: 6, name, useBias: r.next() < 0.5, trainable: r.next() < 0.8 }).apply(x),
			() => dense.apply(x),
			() => tf.layers.add({ name }).apply([x, r.pick(pool)]),
			() => tf.layers.dense({ units: 6, name }).apply(tf.layers.concatenate({ name: `${name}c` }).apply([x, r.pick(pool)])),
			() => tf.layers.batchNormalization({ name }).apply(x),
			() => tf.layers.layerNormalization({ name }).apply(x),
			() => (series
				? tf.layers.bidirectional({ name, mergeMode: 'ave', layer: tf.layers.lstm({ units: 6, returnSequences: true, name: `${name}i` }) }).apply(x)
				: tf.layers.dropout({ rate: 0.1, name }).apply(x)),
		];
		pool.push(r.pick(choices)());
	}
	return tf.model({ inputs, outputs: pool.length > 3 && r.next() < 0.4 ? [pool[pool.length - 1], pool[2]] : pool[pool.length - 1], name: 'random' });
}

/** [[name, build]...] */
export function models(tf, randomModels = 40) {
	return [
		...singles(tf), ...objects(tf), ...merges(tf), ...trained(tf),
		...Object.entries(WIRED).map(([name, build]) => [name, () => build(tf)]),
		...Array.from({ length: randomModels }, (_, i) => [`random-${i}`, () => random(tf, i + 1)]),
	];
}
