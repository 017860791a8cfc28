// Sources/CCUDA/kernels/machine.cuh for a CPU: every thread of a block is a fiber (emulator.cpp). Has the guard of the real
// file, so that kernels that include that one get nothing more.
#ifndef MACHINE_CUH
#define MACHINE_CUH

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "cu_kernels.h"

#define EMULATED extern "C" __attribute__((visibility("hidden")))

#define __device__
#define __global__
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(bytes) __attribute__((aligned(bytes)))
// One for all blocks, as they run one after the other; the emulator fills it with NaNs before each.
#define __shared__ __attribute__((section("static_shared"), used)) static

// A kernel that is not in its unit's list is an unused function.
#pragma clang diagnostic error "-Wunused-function"
#define KERNEL(threads, blocks) static void
#define DEVICE static inline __attribute__((always_inline, unused))
#define PARAMETER const
#define SHARED_MEMORY(name) char *const name = emulated_shared

/// A kernel by name; chained before main.
struct emulated_kernel {
  const char *name;
  void (*run)(const void *parameters);
  long bytes;
  bool wgmma;
  emulated_kernel *next;
  emulated_kernel(const char *name, void (*run)(const void *), long bytes, bool wgmma);
};
template <auto> struct emulated_call;
template <typename P, void (*kernel)(P)> struct emulated_call<kernel> {
  static constexpr long bytes = sizeof(P);
  static void run(const void *parameters) { kernel(*(const P *)parameters); }
};
#ifdef SD_WGMMA
#define LIST_KERNEL(name) \
  static emulated_kernel emulated_##name(#name, emulated_call<name>::run, emulated_call<name>::bytes, true);
#else
#define LIST_KERNEL(name) \
  static emulated_kernel emulated_##name(#name, emulated_call<name>::run, emulated_call<name>::bytes, false);
#endif

struct uint3 { unsigned x, y, z; };
// With constructors, as UBSan looks at the alignment of what they are given, but not of what is copied as bytes.
#define EMULATED_VECTOR2(T, V)                                                         \
  struct __align__(2 * sizeof(T)) V {                                                  \
    T x, y;                                                                            \
    V() = default;                                                                     \
    V(T x, T y) : x(x), y(y) {}                                                        \
    V(const V &v) : x(v.x), y(v.y) {}                                                  \
    V &operator=(const V &v) { return x = v.x, y = v.y, *this; }                       \
  };                                                                                   \
  DEVICE V make_##V(T x, T y) { return V(x, y); }
#define EMULATED_VECTOR4(T, V)                                                         \
  struct __align__(4 * sizeof(T)) V {                                                  \
    T x, y, z, w;                                                                      \
    V() = default;                                                                     \
    V(T x, T y, T z, T w) : x(x), y(y), z(z), w(w) {}                                  \
    V(const V &v) : x(v.x), y(v.y), z(v.z), w(v.w) {}                                  \
    V &operator=(const V &v) { return x = v.x, y = v.y, z = v.z, w = v.w, *this; }     \
  };                                                                                   \
  DEVICE V make_##V(T x, T y, T z, T w) { return V(x, y, z, w); }
EMULATED_VECTOR2(float, float2)
EMULATED_VECTOR2(int, int2)
EMULATED_VECTOR2(unsigned, uint2)
EMULATED_VECTOR4(float, float4)
EMULATED_VECTOR4(int, int4)
EMULATED_VECTOR4(unsigned, uint4)

EMULATED uint3 threadIdx, blockIdx, blockDim, gridDim;
EMULATED char *emulated_shared;

EMULATED void emulated_barrier();
EMULATED void emulated_warp_barrier();
EMULATED unsigned emulated_shuffle(unsigned bits, unsigned lane);
EMULATED unsigned emulated_shared_address(const void *p);
EMULATED void emulated_copy(unsigned to, const void *from, bool valid);
EMULATED void emulated_copy_commit();
EMULATED void emulated_copy_wait(unsigned groups);
EMULATED void emulated_load_matrices(unsigned *r, unsigned address, bool transposed);
EMULATED void emulated_multiply(float *d, const unsigned *a, unsigned b0, unsigned b1, bool bf16);

DEVICE void __syncthreads() { emulated_barrier(); }
DEVICE void __syncwarp(unsigned = 0xffffffffu) { emulated_warp_barrier(); }
DEVICE void __threadfence() { asm volatile("" ::: "memory"); }
DEVICE void __threadfence_block() { asm volatile("" ::: "memory"); }
template <typename T> DEVICE T atomicAdd(T *p, T value) {
  const T old = *(volatile T *)p;
  *(volatile T *)p = old + value;
  return old;
}
template <typename T> DEVICE T atomicMin(T *p, T value) {
  const T old = *(volatile T *)p;
  *(volatile T *)p = value < old ? value : old;
  return old;
}
template <typename T> DEVICE T __ldcg(const T *p) { return *p; }
template <typename T> DEVICE T __ldg(const T *p) { return *p; }
template <typename T> DEVICE void __stcg(T *p, T value) { *p = value; }
template <typename To, typename From> DEVICE To emulated_bits(From from) {
  static_assert(sizeof(To) == sizeof(From), "");
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}
DEVICE float __uint_as_float(unsigned x) { return emulated_bits<float>(x); }
DEVICE unsigned __float_as_uint(float x) { return emulated_bits<unsigned>(x); }
DEVICE float __int_as_float(int x) { return emulated_bits<float>(x); }
DEVICE int __float_as_int(float x) { return emulated_bits<int>(x); }
DEVICE unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
DEVICE int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
DEVICE int __popc(unsigned x) { return __builtin_popcount(x); }
DEVICE float rsqrtf(float x) { return 1 / sqrtf(x); }
#define __expf expf
DEVICE float __fdividef(float x, float y) { return x / y; }
#define EMULATED_MINMAX(T)                             \
  DEVICE T min(T a, T b) { return b < a ? b : a; }     \
  DEVICE T max(T a, T b) { return a < b ? b : a; }
EMULATED_MINMAX(int)
EMULATED_MINMAX(unsigned)
EMULATED_MINMAX(long long)
EMULATED_MINMAX(unsigned long long)
DEVICE float min(float a, float b) { return fminf(a, b); }
DEVICE float max(float a, float b) { return fmaxf(a, b); }

DEVICE float add_exactly(float a, float b) { return a + b; }
DEVICE float subtract_exactly(float a, float b) { return a - b; }
DEVICE float multiply_exactly(float a, float b) { return a * b; }
DEVICE double add_exactly(double a, double b) { return a + b; }
DEVICE double multiply_exactly(double a, double b) { return a * b; }

DEVICE unsigned shared_address(const void *p) { return emulated_shared_address(p); }
DEVICE void wait_for_previous() {}
DEVICE void allow_next() {}

DEVICE float half_to_float(unsigned short h) {
  const unsigned magnitude = h & 0x7fffu, sign = (h & 0x8000u) << 16;
  if (magnitude > 0x7c00) return __uint_as_float(0x7fffffff);
  if (magnitude == 0x7c00) return __uint_as_float(sign | 0x7f800000);
  return __uint_as_float(sign | __float_as_uint(__uint_as_float(magnitude << 13) * 0x1p112f));
}
DEVICE unsigned short float_to_half(float f) {
  const unsigned bits = __float_as_uint(f), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return 0x7fff;
  if (magnitude >= 0x477ff000) return (unsigned short)(sign | 0x7c00);  // from half way behind the largest on
  if (magnitude < 0x38800000) {  // below 2^-14: units of 2^-24, which adding 0.5 rounds to
    const unsigned sum = __float_as_uint(__uint_as_float(magnitude) + 0.5f);
    return (unsigned short)(sign | (sum - 0x3f000000));
  }
  return (unsigned short)(sign | (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13);
}
DEVICE unsigned short float_to_bfloat(float f) {
  const unsigned bits = __float_as_uint(f);
  if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fff;
  return (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
DEVICE unsigned floats_to_halves(float low, float high) {
  return float_to_half(low) | (unsigned)float_to_half(high) << 16;
}
DEVICE unsigned floats_to_bfloats(float low, float high) {
  return float_to_bfloat(low) | (unsigned)float_to_bfloat(high) << 16;
}

DEVICE float exp2_fast(float x) {
  const float y = exp2f(x);
  return y < 0x1p-126f ? 0 : y;
}

DEVICE void store_vector(void *to, unsigned x, unsigned y, unsigned z, unsigned w) { *(uint4 *)to = make_uint4(x, y, z, w); }

DEVICE float shuffle_xor(float x, int mask) {
  return __uint_as_float(emulated_shuffle(__float_as_uint(x), (threadIdx.x ^ (unsigned)mask) % 32));
}

DEVICE void copy_async(unsigned to, cu_address from, bool valid) { emulated_copy(to, (const void *)from, valid); }
DEVICE void copy_async_cached(unsigned to, cu_address from, bool valid) { emulated_copy(to, (const void *)from, valid); }
DEVICE void copy_commit() { emulated_copy_commit(); }
template <int N> DEVICE void copy_wait() { emulated_copy_wait(N); }

DEVICE void load_matrices(unsigned (&r)[4], unsigned address) { emulated_load_matrices(r, address, false); }
DEVICE void load_matrices_transposed(unsigned (&r)[4], unsigned address) { emulated_load_matrices(r, address, true); }
DEVICE void multiply_f16(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  emulated_multiply(d, a, b0, b1, false);
}
DEVICE void multiply_bf16(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  emulated_multiply(d, a, b0, b1, true);
}

#endif
