/// One table of kernels an instruction set.
#ifndef CK_TABLE_H
#define CK_TABLE_H

#include "ck_cpu.h"
#include "ck_types.h"

struct ck_kernels {
  enum ck_isa isa;
  ck_function *conv;                ///< struct ck_conv; ck_conv_parts, ck_conv_scratch
  /// struct ck_conv of bf16; ck_conv_bf16_parts, ck_conv_bf16_scratch. NULL without instructions for bf16.
  ck_function *conv_bf16;
  /// struct ck_attention of bf16; ck_attention_bf16_parts, ck_attention_bf16_scratch. Where conv_bf16 is.
  ck_function *attention_bf16;
  ck_function *attention;           ///< struct ck_attention; ck_attention_parts, ck_attention_scratch
  ck_function *channel_statistics;  ///< struct ck_channel_statistics; ck_channel_statistics_parts
  ck_function *normalize;           ///< struct ck_normalize; ck_normalize_parts, ck_normalize_scratch
  ck_function *layer_norm;          ///< struct ck_layer_norm; ck_layer_norm_parts, ck_layer_norm_scratch
  ck_function *softmax;             ///< struct ck_softmax; ck_softmax_parts, ck_softmax_scratch
  ck_function *binary;              ///< struct ck_binary; ck_elementwise_parts
  ck_function *unary;               ///< struct ck_unary; ck_elementwise_parts
  ck_function *geglu;               ///< struct ck_geglu; ck_elementwise_parts
  ck_function *convert;             ///< struct ck_convert; ck_elementwise_parts
  ck_function *copy;                ///< struct ck_copy; ck_elementwise_parts
  ck_function *transpose;           ///< struct ck_transpose; ck_transpose_parts
  ck_function *upsample_nearest;    ///< struct ck_upsample_nearest; ck_elementwise_parts
  ck_function *gather;              ///< struct ck_gather; ck_elementwise_parts
};

/// The table of an instruction set, of CK_AVX512 with or without instructions for bf16 (CK_AMX has them); NULL where it is
/// not built (another architecture). Using a table that exceeds ck_detect() or ck_has_bf16() is an illegal instruction.
const struct ck_kernels *ck_kernels(enum ck_isa isa, int has_bf16);

#endif
