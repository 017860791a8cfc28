// The vector layer on AVX2, FMA and F16C: 8 lanes, register tile 6 x 16 (12 of 16 registers accumulate).
#ifndef CK_VECTOR_AVX2_H
#define CK_VECTOR_AVX2_H

#include <immintrin.h>

#include "prelude.h"

#define CK_SUFFIX avx2
#define VL 8
#define MR 6
#define NV 2
#define CK_TARGET "avx2,fma,f16c"
#define CK_TARGET_BEGIN \
  _Pragma("clang attribute push(__attribute__((target(CK_TARGET))), apply_to = function)")
#define CK_TARGET_END _Pragma("clang attribute pop")

CK_TARGET_BEGIN
#include "vector.h"

CK_INLINE vf vfma(vf a, vf b, vf c) { return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }

CK_INLINE vf vscale(vf p, vf n) {
  const vi whole = __builtin_convertvector(n, vi), half = whole >> 1;
  return p * vbits((half + 127) << 23) * vbits((whole - half + 127) << 23);
}

CK_INLINE vf vload_f16(const void *p) { return (vf)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
CK_INLINE void vstore_f16(void *p, vf x) {
  _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT));
}
#include "tail.h"
CK_TARGET_END

#endif
