// The vector layer in plain C (clang's vector extensions): SSE2 on x86-64, NEON on arm64, scalars
// elsewhere. No intrinsics, no libm: the oracle of the other instruction sets.
#ifndef CK_VECTOR_GENERIC_H
#define CK_VECTOR_GENERIC_H

#include "prelude.h"

#define CK_SUFFIX generic
#define VL 4  // f32 lanes of a vector
#define MR 4  // rows of the register tile
#if defined(__aarch64__)
#define NV 4  // vectors across the register tile: 16 accumulators of 32 registers
#else
#define NV 2  // 8 accumulators of 16 registers
#endif
#define CK_TARGET_BEGIN
#define CK_TARGET_END

#include "vector.h"

CK_INLINE vf vfma(vf a, vf b, vf c) { return a * b + c; }

/// p * 2^n for whole n in [-254, 254]: two factors, so that neither overflows and tiny results become
/// denormal.
CK_INLINE vf vscale(vf p, vf n) {
  const vi whole = __builtin_convertvector(n, vi), half = whole >> 1;
  return p * vbits((half + 127) << 23) * vbits((whole - half + 127) << 23);
}

#if defined(__aarch64__)
typedef _Float16 ck_halves __attribute__((ext_vector_type(VL)));
CK_INLINE vf vload_f16(const void *p) {
  ck_halves h;
  memcpy(&h, p, sizeof h);
  return __builtin_convertvector(h, vf);
}
CK_INLINE void vstore_f16(void *p, vf x) {
  const ck_halves h = __builtin_convertvector(x, ck_halves);
  memcpy(p, &h, sizeof h);
}
#else
/// A half's bits shifted into place read as a float 2^-112 times its value, denormals included.
CK_INLINE vf vload_f16(const void *p) {
  vh h;
  memcpy(&h, p, sizeof h);
  const vi bits = __builtin_convertvector(h, vi), magnitude = bits & 0x7fff;
  const vi scaled = (vi)(vbits(magnitude << 13) * 0x1p112f);
  const vi special = (magnitude > 0x7bff) & 0x7f800000;
  return vbits(scaled | special | (bits & 0x8000) << 16);
}
CK_INLINE void vstore_f16(void *p, vf x) {
  const vi bits = (vi)x, magnitude = bits & 0x7fffffff;
  // Adding 0.5 makes the float adder round to multiples of 2^-24, the denormals of a half.
  const vi tiny = (vi)(vbits(magnitude) + 0.5f) - 0x3f000000;
  const vi normal = (magnitude + ((15 - 127) * (1 << 23) + 0xfff) + ((magnitude >> 13) & 1)) >> 13;
  const vi special = 0x7c00 | ((magnitude > 0x7f800000) & 0x0200);
  vi h = vselect_i(magnitude < 0x38800000, tiny, normal);
  h = vselect_i(magnitude > 0x477fffff, special, h);
  const vh out = __builtin_convertvector(h | ((bits >> 16) & 0x8000), vh);
  memcpy(p, &out, sizeof out);
}
#endif

#include "tail.h"

#endif
