/// Attention on bf16, for processors that multiply pairs of bf16 themselves (AVX512-BF16, AMX-BF16). Arguments and
/// result are those of `attention` (struct ck_attention in ck_attention.h) with q, k, v and o in bf16 and a positive
/// scale: the largest score is that of the largest product, and a masked one is minus infinity.
/// Probabilities are rounded to bf16 for the second product; scores, sums and results are f32.
#ifndef CK_ATTENTION_BF16_H
#define CK_ATTENTION_BF16_H

#include "ck_attention.h"

/// Parts of a call, from shapes alone.
long ck_attention_bf16_parts(const struct ck_attention *attention);

/// Scratch bytes of one running thread.
size_t ck_attention_bf16_scratch(const struct ck_attention *attention);

#endif
