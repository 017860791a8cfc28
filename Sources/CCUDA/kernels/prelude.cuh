// Types, conversions and functions that all kernels share.
#pragma once
#include "machine.cuh"

DEVICE float bits_to_float(unsigned bits) { return __uint_as_float(bits); }

#define NEGATIVE_INFINITY bits_to_float(0xff800000u)

// The two types of 16 bits, as kernels are written for either.
struct f16 {
  static constexpr int dtype = CU_F16;
  static __device__ float to_float(unsigned short bits) { return half_to_float(bits); }
  static __device__ unsigned pack(float low, float high) { return floats_to_halves(low, high); }
  static __device__ void multiply(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    multiply_f16(d, a, b0, b1);
  }
};
struct bf16 {
  static constexpr int dtype = CU_BF16;
  static __device__ float to_float(unsigned short bits) { return bits_to_float((unsigned)bits << 16); }
  static __device__ unsigned pack(float low, float high) { return floats_to_bfloats(low, high); }
  static __device__ void multiply(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    multiply_bf16(d, a, b0, b1);
  }
};

// One element of a floating-point type known at run time.
DEVICE float load_float(cu_address base, long long index, int dtype) {
  if (dtype == CU_F32) return ((const float *)base)[index];
  const unsigned short bits = ((const unsigned short *)base)[index];
  return dtype == CU_F16 ? f16::to_float(bits) : bf16::to_float(bits);
}
DEVICE void store_float(cu_address base, long long index, int dtype, float value) {
  if (dtype == CU_F32) {
    ((float *)base)[index] = value;
  } else {
    ((unsigned short *)base)[index] = dtype == CU_F16 ? float_to_half(value) : float_to_bfloat(value);
  }
}

// One element of any type.
DEVICE float load(cu_address base, long long index, int dtype) {
  if (dtype == CU_I32) return (float)((const int *)base)[index];
  if (dtype == CU_I64) return (float)((const long long *)base)[index];
  return load_float(base, index, dtype);
}
DEVICE void store(cu_address base, long long index, int dtype, float value) {
  if (dtype == CU_I32) {
    ((int *)base)[index] = (int)value;
  } else if (dtype == CU_I64) {
    ((long long *)base)[index] = (long long)value;
  } else {
    store_float(base, index, dtype, value);
  }
}

// Eight neighbours at once: 16 bytes in two-byte types, 32 in f32; addresses are multiples of 16. Those of several lines are
// all on their way before the first is needed, as the type is asked for only once.
template <int N> DEVICE void load_lines(float (&v)[N][8], cu_address base, const long long (&at)[N], int dtype) {
  if (dtype == CU_F32) {
    float4 raw[N][2];
#pragma unroll
    for (int l = 0; l < N; l++)
#pragma unroll
      for (int i = 0; i < 2; i++) raw[l][i] = *(const float4 *)((const float *)base + at[l] + 4 * i);
#pragma unroll
    for (int l = 0; l < N; l++)
#pragma unroll
      for (int i = 0; i < 2; i++) {
        v[l][4 * i] = raw[l][i].x, v[l][4 * i + 1] = raw[l][i].y;
        v[l][4 * i + 2] = raw[l][i].z, v[l][4 * i + 3] = raw[l][i].w;
      }
    return;
  }
  uint4 raw[N];
#pragma unroll
  for (int l = 0; l < N; l++) raw[l] = *(const uint4 *)((const unsigned short *)base + at[l]);
  const bool half = dtype == CU_F16;
#pragma unroll
  for (int l = 0; l < N; l++) {
    const unsigned words[4] = {raw[l].x, raw[l].y, raw[l].z, raw[l].w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
      v[l][2 * i] = half ? half_to_float((unsigned short)words[i]) : bits_to_float(words[i] << 16);
      v[l][2 * i + 1] = half ? half_to_float((unsigned short)(words[i] >> 16)) : bits_to_float(words[i] & 0xffff0000u);
    }
  }
}
DEVICE void store8(const float (&v)[8], cu_address base, long long index, int dtype) {
  if (dtype == CU_F32) {
    float *p = (float *)base + index;
#pragma unroll
    for (int i = 0; i < 8; i += 4)
      store_vector(p + i, __float_as_uint(v[i]), __float_as_uint(v[i + 1]), __float_as_uint(v[i + 2]), __float_as_uint(v[i + 3]));
    return;
  }
  unsigned words[4];
#pragma unroll
  for (int i = 0; i < 4; i++)
    words[i] = dtype == CU_F16 ? floats_to_halves(v[2 * i], v[2 * i + 1]) : floats_to_bfloats(v[2 * i], v[2 * i + 1]);
  store_vector((unsigned short *)base + index, words[0], words[1], words[2], words[3]);
}

// To some 2^-20, in a third of the instructions that exact ones take.
DEVICE float sigmoid(float x) { return __fdividef(1, 1 + __expf(-x)); }

// The functions that follow products and normalizations.
DEVICE float activate(int function, float x) {
  if (function == CU_SILU) return x * sigmoid(x);
  if (function == CU_GELU) return 0.5f * x * (1 + erff(x * 0.70710678118654752f));
  if (function == CU_QUICK_GELU) return x * sigmoid(1.702f * x);
  return x;
}
DEVICE void activate8(int function, float (&v)[8]) {
  if (function == CU_SILU) {
#pragma unroll
    for (int i = 0; i < 8; i++) v[i] = activate(CU_SILU, v[i]);
  } else if (function == CU_GELU) {
#pragma unroll
    for (int i = 0; i < 8; i++) v[i] = activate(CU_GELU, v[i]);
  } else if (function == CU_QUICK_GELU) {
#pragma unroll
    for (int i = 0; i < 8; i++) v[i] = activate(CU_QUICK_GELU, v[i]);
  }
}

// The pixel of `count` that pixel i of `size` shows: torch's `nearest`.
DEVICE int nearest(int i, int count, int size) {
  const int source = (int)((float)i * ((float)count / (float)size));
  return source < count - 1 ? source : count - 1;
}
