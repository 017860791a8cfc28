// The vector layer on AVX-512 with BF16 and VBMI: rounds to bf16, multiplies pairs of bf16, looks bytes up.
#ifndef CK_VECTOR_AVX512BF16_H
#define CK_VECTOR_AVX512BF16_H

#ifndef CK_SUFFIX
#define CK_SUFFIX avx512bf16
#define CK_TARGET CK_TARGET_AVX512 ",avx512bf16,avx512vbmi"
#endif
#define CK_ROUNDS_BF16  // vstore_bf16 and the activations for results that are rounded are here
#include "avx512.h"

CK_TARGET_BEGIN
/// to[32] = two vectors, rounded to nearest.
CK_INLINE void vstore_pair_bf16(uint16_t *to, vf first, vf second) {
  _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
}

CK_INLINE void vstore_bf16(void *to, vf x) {
  _mm256_storeu_si256(to, (__m256i)_mm512_cvtneps_pbh((__m512)x));
}

/// [16][2]: lane by lane one element of the first and one of the second vector, rounded to nearest.
CK_INLINE __m512i vinterleave_bf16(vf first, vf second) {
  const __m512i order = _mm512_set_epi16(
    31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
}

/// x / (1 + 2^odds), relative error below 2^-12: for results that are rounded to bf16.
CK_INLINE vf vlogistic_short(vf x, vf odds) {
  // What exceeds the whole number below, in [0, 1); scalef takes that number itself, however large.
  const __m512 r = _mm512_reduce_ps((__m512)odds, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  // 2^r: a minimax fit, relative error 8e-5.
  __m512 p = _mm512_set1_ps(0.07802452147006989f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.2260671705007553f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.6958335041999817f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.9999251961708069f));
  const __m512 sum = _mm512_add_ps(_mm512_scalef_ps(p, (__m512)odds), _mm512_set1_ps(1));
  return x * (vf)_mm512_rcp14_ps(sum);
}

CK_INLINE vf vsilu_short(vf x) { return vlogistic_short(x, x * -1.4426950408889634f); }

/// x * Phi(x). The log2 of Phi(-x) / Phi(x) is an odd polynomial: a fit whose relative error of Phi is below 2e-3 on
/// [-3, 0], where x * Phi(x) counts, and falls to 1e-6 on [0, 6].
CK_INLINE vf vgelu_short(vf x) {
  const vf z = x * x;
  vf q = vsplat(-1.0930791057753297e-05f);
  q = vfma(q, z, vsplat(0.001343125801782915f));
  q = vfma(q, z, vsplat(-0.108625394157253f));
  q = vfma(q, z, vsplat(-2.2992135700117236f));
  return vlogistic_short(x, x * q);
}
CK_TARGET_END

#endif
