/* SPDX-License-Identifier: Apache-2.0 */
/* Every registered class and what this reader knows of it. */
#include "common/model/layers_internal.h"

#include <string.h>

const struct layers_class layers_table[LAYERS_CLASS_COUNT] = {
#define LAYERS_CLASS(name, kind) {#name, LAYERS_KIND_##kind},
#include "common/model/layers_classes.def"
#undef LAYERS_CLASS
};

#define ops_of(name) [LAYERS_CLASS_##name]

static const struct layers_ops *const ops[LAYERS_CLASS_COUNT] = {
	ops_of(Activation) = &layers_core_activation,
	ops_of(Add) = &layers_merge_elementwise,
	ops_of(AlphaDropout) = &layers_core_same,
	ops_of(Average) = &layers_merge_elementwise,
	ops_of(AveragePooling1D) = &layers_pool_1d,
	ops_of(AveragePooling2D) = &layers_pool_2d,
	ops_of(AveragePooling3D) = &layers_pool_3d,
	ops_of(BatchNormalization) = &layers_norm_batch,
	ops_of(Bidirectional) = &layers_wrap_both,
	ops_of(CategoryEncoding) = &layers_image_category,
	ops_of(CenterCrop) = &layers_image_center_crop,
	ops_of(Concatenate) = &layers_merge_concatenate,
	ops_of(Conv1D) = &layers_conv_1d,
	ops_of(Conv2D) = &layers_conv_2d,
	ops_of(Conv2DTranspose) = &layers_conv_2d_transpose,
	ops_of(Conv3D) = &layers_conv_3d,
	ops_of(Conv3DTranspose) = &layers_conv_3d_transpose,
	ops_of(ConvLSTM2D) = &layers_rnn_conv,
	ops_of(ConvLSTM2DCell) = &layers_rnn_conv_cell,
	ops_of(Cropping2D) = &layers_image_cropping,
	ops_of(Dense) = &layers_core_dense,
	ops_of(DepthwiseConv2D) = &layers_conv_depthwise,
	ops_of(Dot) = &layers_merge_dot,
	ops_of(Dropout) = &layers_core_same,
	ops_of(ELU) = &layers_acts_elu,
	ops_of(Embedding) = &layers_core_embedding,
	ops_of(Flatten) = &layers_core_flatten,
	ops_of(Functional) = &layers_network_functional,
	ops_of(GRU) = &layers_rnn_gru,
	ops_of(GRUCell) = &layers_rnn_gru_cell,
	ops_of(GaussianDropout) = &layers_core_same,
	ops_of(GaussianNoise) = &layers_core_same,
	ops_of(GlobalAveragePooling1D) = &layers_pool_global_1d,
	ops_of(GlobalAveragePooling2D) = &layers_pool_global_2d,
	ops_of(GlobalMaxPooling1D) = &layers_pool_global_1d,
	ops_of(GlobalMaxPooling2D) = &layers_pool_global_2d,
	ops_of(InputLayer) = &layers_network_input,
	ops_of(LSTM) = &layers_rnn_lstm,
	ops_of(LSTMCell) = &layers_rnn_lstm_cell,
	ops_of(LayerNormalization) = &layers_norm_layer,
	ops_of(LeakyReLU) = &layers_acts_leaky,
	ops_of(Masking) = &layers_core_masking,
	ops_of(MaxPooling1D) = &layers_pool_1d,
	ops_of(MaxPooling2D) = &layers_pool_2d,
	ops_of(MaxPooling3D) = &layers_pool_3d,
	ops_of(Maximum) = &layers_merge_elementwise,
	ops_of(Minimum) = &layers_merge_elementwise,
	ops_of(Model) = &layers_network_functional,
	ops_of(Multiply) = &layers_merge_elementwise,
	ops_of(PReLU) = &layers_acts_prelu,
	ops_of(Permute) = &layers_core_permute,
	ops_of(RNN) = &layers_rnn_any,
	ops_of(RandomWidth) = &layers_image_random_width,
	ops_of(ReLU) = &layers_acts_relu,
	ops_of(RepeatVector) = &layers_core_repeat,
	ops_of(Rescaling) = &layers_image_rescaling,
	ops_of(Reshape) = &layers_core_reshape,
	ops_of(Resizing) = &layers_image_resizing,
	ops_of(SeparableConv2D) = &layers_conv_separable,
	ops_of(Sequential) = &layers_network_sequential,
	ops_of(SimpleRNN) = &layers_rnn_simple,
	ops_of(SimpleRNNCell) = &layers_rnn_simple_cell,
	ops_of(Softmax) = &layers_acts_softmax,
	ops_of(SpatialDropout1D) = &layers_core_dropout_1d,
	ops_of(StackedRNNCells) = &layers_rnn_stacked,
	ops_of(ThresholdedReLU) = &layers_acts_threshold,
	ops_of(TimeDistributed) = &layers_wrap_time,
	ops_of(UpSampling2D) = &layers_image_upsampling,
	ops_of(ZeroPadding2D) = &layers_image_padding,
};

const struct layers_class *layers_table_find(const char *name)
{
	for (size_t i = 0; i < LAYERS_CLASS_COUNT; i++)
		if (strcmp(layers_table[i].name, name) == 0)
			return &layers_table[i];
	return NULL;
}

const struct layers_ops *layers_table_ops(const struct layers_class *cls)
{
	return cls ? ops[cls - layers_table] : NULL;
}
