// The vector layer on AVX-512 (F, BW, VL, DQ): 16 lanes, register tile 8 x 32 (16 of 32 registers
// accumulate).
#ifndef CK_VECTOR_AVX512_H
#define CK_VECTOR_AVX512_H

#include <immintrin.h>

#include "prelude.h"

#ifndef CK_SUFFIX
#define CK_SUFFIX avx512
#define CK_TARGET CK_TARGET_AVX512
#endif
#define VL 16
#define MR 8
#define NV 2
#define CK_TARGET_AVX512 "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c"
#define CK_TARGET_BEGIN \
  _Pragma("clang attribute push(__attribute__((target(CK_TARGET))), apply_to = function)")
#define CK_TARGET_END _Pragma("clang attribute pop")

CK_TARGET_BEGIN
#include "vector.h"

CK_INLINE vf vfma(vf a, vf b, vf c) { return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }

CK_INLINE vf vscale(vf p, vf n) { return (vf)_mm512_scalef_ps((__m512)p, (__m512)n); }

CK_INLINE vf vload_f16(const void *p) { return (vf)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
CK_INLINE void vstore_f16(void *p, vf x) {
  _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT));
}

CK_INLINE vf vload_tail(const void *p, enum ck_dtype dtype, long n) {
  const __mmask16 mask = (__mmask16)((1u << n) - 1);
  if (dtype == CK_F32) return (vf)_mm512_maskz_loadu_ps(mask, p);
  const __m256i h = _mm256_maskz_loadu_epi16(mask, p);
  return dtype == CK_F16 ? (vf)_mm512_cvtph_ps(h) : (vf)_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16);
}

CK_INLINE void vstore_tail(void *p, enum ck_dtype dtype, vf x, long n) {
  const __mmask16 mask = (__mmask16)((1u << n) - 1);
  if (dtype == CK_F32) {
    _mm512_mask_storeu_ps(p, mask, (__m512)x);
  } else {
    vh h;
    vstore_as(&h, dtype, x);
    _mm256_mask_storeu_epi16(p, mask, (__m256i)h);
  }
}
CK_TARGET_END

#endif
