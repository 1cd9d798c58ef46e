// SPDX-License-Identifier: Apache-2.0
// Topologies as the converter writes them for Keras 2 models, with all the keys that Keras has and
// TensorFlow.js passes over.

const gi = { class_name: 'GlorotUniform', config: { seed: null } };
const ze = { class_name: 'Zeros', config: {} };
const on = { class_name: 'Ones', config: {} };
const conv = (name,cls,extra,inb) => ({ class_name: cls,name, config: {name, trainable: true, dtype: 'float32', kernel_size: [3,3], strides: [2,2], padding: 'same', data_format: 'channels_last', dilation_rate: [1,1], groups: 1, activation: 'linear', use_bias: false, bias_initializer: ze, bias_regularizer: null, activity_regularizer: null, bias_constraint: null,...extra}, inbound_nodes: [[[inb,0,0,{}]]]});
const bn = (name,inb) => ({ class_name: 'BatchNormalization',name, config: {name, trainable: true, dtype: 'float32', axis: [3], momentum: 0.99, epsilon: 0.001, center: true, scale: true, beta_initializer: ze, gamma_initializer: on, moving_mean_initializer: ze, moving_variance_initializer: on, beta_regularizer: null, gamma_regularizer: null, beta_constraint: null, gamma_constraint: null}, inbound_nodes: [[[inb,0,0,{}]]]});
const layers = [
	{ class_name: 'InputLayer', name: 'input_1', config: { batch_input_shape: [null,32,32,3], dtype: 'float32', sparse: false, ragged: false, name: 'input_1'}, inbound_nodes: []},
 conv('conv1','Conv2D',{ filters: 8, kernel_initializer: gi, kernel_regularizer: null, kernel_constraint: null},'input_1'),
 bn('conv1_bn','conv1'),
	{ class_name: 'ReLU', name: 'relu', config: { name: 'relu', trainable: true, dtype: 'float32', max_value: 6.0, negative_slope: 0.0, threshold: 0.0}, inbound_nodes: [[['conv1_bn',0,0,{}]]]},
 conv('dw','DepthwiseConv2D',{ depth_multiplier: 1, depthwise_initializer: gi, depthwise_regularizer: null, depthwise_constraint: null},'relu'),
 bn('dw_bn','dw'),
	{ class_name: 'ZeroPadding2D', name: 'pad', config: { name: 'pad', trainable: true, dtype: 'float32', padding: [[0,1],[0,1]], data_format: 'channels_last'}, inbound_nodes: [[['dw_bn',0,0,{}]]]},
	{ class_name: 'GlobalAveragePooling2D', name: 'gap', config: { name: 'gap', trainable: true, dtype: 'float32', data_format: 'channels_last', keepdims: false}, inbound_nodes: [[['pad',0,0,{}]]]},
	{ class_name: 'Dropout', name: 'drop', config: { name: 'drop', trainable: true, dtype: 'float32', rate: 0.2, noise_shape: null, seed: null}, inbound_nodes: [[['gap',0,0,{ training: false}]]]},
	{ class_name: 'Dense', name: 'preds', config: { name: 'preds', trainable: true, dtype: 'float32', units: 10, activation: 'softmax', use_bias: true, kernel_initializer: gi, bias_initializer: ze, kernel_regularizer: { class_name: 'L1L2', config: { l1: 0, l2: 0.01}}, bias_regularizer: null, activity_regularizer: null, kernel_constraint: null, bias_constraint: null}, inbound_nodes: [[['drop',0,0,{}]]]},
];
const base = { model_config: { class_name: 'Functional', config: { name: 'mobilenet', trainable: true,layers, input_layers: [['input_1',0,0]], output_layers: [['preds',0,0]]}}, keras_version: '2.15.0', backend: 'tensorflow', training_config: null};
const lstm = { class_name: 'Sequential', config: { name: 'seq', layers: [
	{ class_name: 'Embedding', config: { name: 'emb', trainable: true, batch_input_shape: [null,9], dtype: 'float32', input_dim: 20, output_dim: 4, embeddings_initializer: { class_name: 'RandomUniform', config: { minval: -0.05, maxval: 0.05, seed: null}}, embeddings_regularizer: null, activity_regularizer: null, embeddings_constraint: null, mask_zero: false, input_length: 9}},
	{ class_name: 'Bidirectional', config: { name: 'bidirectional', trainable: true, dtype: 'float32', layer: { class_name: 'LSTM', config: { name: 'lstm', trainable: true, dtype: 'float32', return_sequences: true, return_state: false, go_backwards: false, stateful: false, unroll: false, time_major: false, units: 4, activation: 'tanh', recurrent_activation: 'sigmoid', use_bias: true, kernel_initializer: gi, recurrent_initializer: { class_name: 'Orthogonal', config: { gain: 1.0, seed: null}}, bias_initializer: ze, unit_forget_bias: true, kernel_regularizer: null, recurrent_regularizer: null, bias_regularizer: null, activity_regularizer: null, kernel_constraint: null, recurrent_constraint: null, bias_constraint: null, dropout: 0, recurrent_dropout: 0, implementation: 2}}, merge_mode: 'concat'}},
	{ class_name: 'Conv1D', config: { name: 'conv1d', trainable: true, dtype: 'float32', filters: 3, kernel_size: [3], strides: [1], padding: 'valid', data_format: 'channels_last', dilation_rate: [1], groups: 1, activation: 'relu', use_bias: true, kernel_initializer: gi, bias_initializer: ze, kernel_regularizer: null, bias_regularizer: null, activity_regularizer: null, kernel_constraint: null, bias_constraint: null}},
	{ class_name: 'GlobalMaxPooling1D', config: { name: 'g', trainable: true, dtype: 'float32', data_format: 'channels_last', keepdims: false}},
]}, keras_version: '2.15.0', backend: 'tensorflow'};
const sep = structuredClone(base); sep.model_config.config.layers[1] = conv('conv1','SeparableConv2D',{ filters: 8, depth_multiplier: 1, depthwise_initializer: gi, pointwise_initializer: gi, depthwise_regularizer: null, pointwise_regularizer: null, depthwise_constraint: null, pointwise_constraint: null, kernel_initializer: gi, kernel_regularizer: null, kernel_constraint: null},'input_1');
const l2 = structuredClone(base); l2.model_config.config.layers[9].config.kernel_regularizer={ class_name: 'L2', config: { l2: 0.01}};

/* TensorFlow.js writes VarianceScaling for these. */
const initializers = { class_name: 'Sequential', config: { name: 'seq', layers: ['GlorotNormal', 'HeNormal', 'HeUniform', 'LeCunNormal', 'LeCunUniform'].map((name, i) => (
	{ class_name: 'Dense', config: { name: `d${i}`, batch_input_shape: [null, 3], units: 3, kernel_initializer: { class_name: name, config: { seed: null } } } })) }, keras_version: '2.15.0', backend: 'tensorflow' };

/** What loads, and what does not although Keras wrote it. */
export const loads = { mobilenet: base, 'text with lstm': lstm, 'initializers': initializers };
export const fails = { 'separable convolution with a kernel_initializer': sep, 'a regularizer L2': l2 };

/* ---- Keras 3 ---- */

const clone = (v) => JSON.parse(JSON.stringify(v));

/** A functional model as both Keras write it, and its weights. */
const small = () => ({
	topology: { class_name: 'Functional', keras_version: '3.4.0', backend: 'tensorflow', config: { name: 'f', layers: [
		{ class_name: 'InputLayer', name: 'in', config: { name: 'in', batch_input_shape: [null, 4], dtype: 'float32' }, inbound_nodes: [] },
		{ class_name: 'Dense', name: 'd', module: 'keras.layers', registered_name: null, build_config: { input_shape: [null, 4] },
			config: { name: 'd', units: 3, activation: 'relu', dtype: 'float32', quantization_config: null }, inbound_nodes: [[['in', 0, 0, {}]]] },
	], input_layers: [['in', 0, 0]], output_layers: [['d', 0, 0]] } },
	specs: [{ name: 'd/kernel', shape: [4, 3], dtype: 'float32' }, { name: 'd/bias', shape: [3], dtype: 'float32' }],
});

function obstacle(name, rule, spoil) {
	const model = small();
	spoil(model, model.topology.config);
	return { name, rule, model, repaired: small() };
}

const policy = { module: 'keras', class_name: 'DTypePolicy', config: { name: 'float32' }, registered_name: null };
const tensor = { class_name: '__keras_tensor__', config: { shape: [null, 4], dtype: 'float32', keras_history: ['in', 0, 0] } };
const vars = (model, prefix) => model.specs.forEach((s, i) => { s.name = `${prefix}d/vars/${i}`; });

/** [{name, rule, model, repaired}...]: tfjs-layers fails on `model` and loads `repaired`. */
export const keras3 = [
	obstacle('batch_shape', 'keras3.batch-shape', (m, config) => { const c = config.layers[0].config; c.batch_shape = c.batch_input_shape; delete c.batch_input_shape; }),
	obstacle('inbound_nodes with args', 'keras3.inbound-nodes', (m, config) => { config.layers[1].inbound_nodes = [{ args: [clone(tensor)], kwargs: {} }]; }),
	obstacle('input_layers of one', 'keras3.input-layers', (m, config) => { config.input_layers = ['in', 0, 0]; }),
	obstacle('output_layers of one', 'keras3.input-layers', (m, config) => { config.output_layers = ['d', 0, 0]; }),
	obstacle('the model before names', 'keras3.weight-prefix', (m) => m.specs.forEach((s) => { s.name = `f/${s.name}`; })),
	obstacle('names of .weights.h5', 'keras3.weight-vars', (m) => vars(m, 'layers/')),
	obstacle('names of a checkpoint', 'keras3.weight-vars', (m) => vars(m, '_layer_checkpoint_dependencies/')),
	obstacle('the policy of an input', 'keras3.dtype-policy', (m, config) => { config.layers[0].config.dtype = clone(policy); }),
	obstacle('an activation as a function', 'keras3.function-object', (m, config) => { config.layers[1].config.activation = { module: 'builtins', class_name: 'function', config: 'relu', registered_name: 'function' }; }),
];
