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

/** What loads, and what does not although Keras wrote it. */
export const loads = { mobilenet: base, 'text with lstm': lstm };
export const fails = { 'separable convolution with a kernel_initializer': sep, 'a regularizer L2': l2 };
