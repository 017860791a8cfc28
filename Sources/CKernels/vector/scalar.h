// One element at a time, any float type: for packing, tails and tables where speed is not the point. Exact
// widening; narrowing to nearest, ties to even; NaN stays NaN. Bits only, so it is the same on every
// processor.
#ifndef CK_SCALAR_H
#define CK_SCALAR_H

#include "prelude.h"

static inline float ck_float_of_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, 4);
  return x;
}

static inline uint32_t ck_bits_of_float(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  return bits;
}

static inline float ck_widen_f16(uint16_t h) {
  const uint32_t magnitude = h & 0x7fff, sign = (uint32_t)(h & 0x8000) << 16;
  // Read as a float, a half's shifted bits are 2^-112 times its value.
  const uint32_t scaled = ck_bits_of_float(ck_float_of_bits(magnitude << 13) * 0x1p112f);
  return ck_float_of_bits(scaled | (magnitude > 0x7bff ? 0x7f800000 : 0) | sign);
}

static inline uint16_t ck_narrow_f16(float x) {
  const uint32_t bits = ck_bits_of_float(x), magnitude = bits & 0x7fffffff, sign = bits >> 16 & 0x8000;
  uint32_t h;
  if (magnitude > 0x7f800000) h = 0x7e00 | (magnitude >> 13 & 0x3ff);
  else if (magnitude > 0x477fffff) h = 0x7c00;
  else if (magnitude < 0x38800000) h = ck_bits_of_float(ck_float_of_bits(magnitude) + 0.5f) - 0x3f000000;
  else h = (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13;
  return (uint16_t)(h | sign);
}

static inline uint16_t ck_narrow_bf16(float x) {
  const uint32_t bits = ck_bits_of_float(x);
  if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// Element `i` of an f32, f16 or bf16 array.
static inline float ck_get(const void *p, enum ck_dtype dtype, long i) {
  if (dtype == CK_F32) return ((const float *)p)[i];
  const uint16_t h = ((const uint16_t *)p)[i];
  return dtype == CK_F16 ? ck_widen_f16(h) : ck_float_of_bits((uint32_t)h << 16);
}

static inline void ck_put(void *p, enum ck_dtype dtype, long i, float x) {
  if (dtype == CK_F32) ((float *)p)[i] = x;
  else ((uint16_t *)p)[i] = dtype == CK_F16 ? ck_narrow_f16(x) : ck_narrow_bf16(x);
}

/// to[j] = from[i]; bits are untouched where the types agree.
static inline void ck_move(
  void *to, enum ck_dtype to_dtype, long j, const void *from, enum ck_dtype from_dtype, long i)
{
  if (to_dtype != from_dtype) ck_put(to, to_dtype, j, ck_get(from, from_dtype, i));
  else if (to_dtype == CK_F32) ((uint32_t *)to)[j] = ((const uint32_t *)from)[i];
  else ((uint16_t *)to)[j] = ((const uint16_t *)from)[i];
}

#endif
