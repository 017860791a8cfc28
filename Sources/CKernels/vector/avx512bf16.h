// The vector layer on AVX-512 with BF16: rounds to bf16 and multiplies pairs of bf16 itself.
#ifndef CK_VECTOR_AVX512BF16_H
#define CK_VECTOR_AVX512BF16_H

#ifndef CK_SUFFIX
#define CK_SUFFIX avx512bf16
#define CK_TARGET CK_TARGET_AVX512 ",avx512bf16"
#endif
#include "avx512.h"

CK_TARGET_BEGIN
/// to[32] = two vectors, rounded to nearest.
CK_INLINE void vstore_pair_bf16(uint16_t *to, vf first, vf second) {
  _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
}
CK_TARGET_END

#endif
