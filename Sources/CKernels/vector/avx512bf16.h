// The vector layer on AVX-512 with BF16 and VBMI: rounds to bf16, multiplies pairs of bf16, looks bytes up.
#ifndef CK_VECTOR_AVX512BF16_H
#define CK_VECTOR_AVX512BF16_H

#ifndef CK_SUFFIX
#define CK_SUFFIX avx512bf16
#define CK_TARGET CK_TARGET_AVX512 ",avx512bf16,avx512vbmi"
#endif
#include "avx512.h"

CK_TARGET_BEGIN
/// to[32] = two vectors, rounded to nearest.
CK_INLINE void vstore_pair_bf16(uint16_t *to, vf first, vf second) {
  _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
}

/// [16][2]: lane by lane one element of the first and one of the second vector, rounded to nearest.
CK_INLINE __m512i vinterleave_bf16(vf first, vf second) {
  const __m512i order = _mm512_set_epi16(
    31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
}
CK_TARGET_END

#endif
