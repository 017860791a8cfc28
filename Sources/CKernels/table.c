// The tables of kernels, one an instruction set.
#include "include/ck_table.h"

#define CK_DECLARE(isa) \
  extern ck_function ck_conv_##isa, ck_attention_##isa, ck_binary_##isa, ck_unary_##isa, ck_geglu_##isa, \
    ck_convert_##isa, ck_gather_##isa
#define CK_DECLARE_NORMS(isa) \
  extern ck_function ck_channel_statistics_##isa, ck_normalize_##isa, ck_layer_norm_##isa, ck_softmax_##isa

#define CK_TABLE(level, name, norms, bf16_conv, bf16_attention) \
  { \
    .isa = level, .conv = ck_conv_##name, .conv_bf16 = bf16_conv, .attention_bf16 = bf16_attention, \
    .attention = ck_attention_##name, \
    .channel_statistics = ck_channel_statistics_##norms, .normalize = ck_normalize_##norms, \
    .layer_norm = ck_layer_norm_##norms, .softmax = ck_softmax_##norms, .binary = ck_binary_##name, \
    .unary = ck_unary_##name, .geglu = ck_geglu_##name, .convert = ck_convert_##name, .copy = ck_copy, \
    .transpose = ck_transpose, .upsample_nearest = ck_upsample_nearest, .gather = ck_gather_##name, \
  }

extern ck_function ck_copy, ck_transpose, ck_upsample_nearest;  // bytes only, one for all
CK_DECLARE(generic);
CK_DECLARE_NORMS(generic);
static const struct ck_kernels generic = CK_TABLE(CK_GENERIC, generic, generic, NULL, NULL);
#if defined(__x86_64__)
CK_DECLARE(avx2);
CK_DECLARE(avx512);
CK_DECLARE_NORMS(avx2);
CK_DECLARE_NORMS(avx512);
CK_DECLARE_NORMS(avx512bf16);
extern ck_function ck_conv_bf16_avx512bf16, ck_conv_bf16_amx, ck_attention_bf16_avx512bf16, ck_attention_bf16_amx;
static const struct ck_kernels avx2 = CK_TABLE(CK_AVX2, avx2, avx2, NULL, NULL);
static const struct ck_kernels avx512 = CK_TABLE(CK_AVX512, avx512, avx512, NULL, NULL);
static const struct ck_kernels avx512bf16 =
  CK_TABLE(CK_AVX512, avx512, avx512bf16, ck_conv_bf16_avx512bf16, ck_attention_bf16_avx512bf16);
static const struct ck_kernels amx = CK_TABLE(CK_AMX, avx512, avx512bf16, ck_conv_bf16_amx, ck_attention_bf16_amx);
#endif

const struct ck_kernels *ck_kernels(enum ck_isa isa, int has_bf16) {
  (void)has_bf16;
  switch (isa) {
    case CK_GENERIC: return &generic;
#if defined(__x86_64__)
    case CK_AVX2: return &avx2;
    case CK_AVX512: return has_bf16 ? &avx512bf16 : &avx512;
    case CK_AMX: return &amx;
#endif
    default: return NULL;
  }
}
