// Which instruction set this processor and operating system support (cpuid, XCR0), and the measured peak of
// one thread.
#include "include/ck_cpu.h"

#include <stddef.h>
#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

/// Register state that the operating system saves: XCR0.
__attribute__((target("xsave"))) static unsigned long long saved_state(void) { return _xgetbv(0); }

enum ck_isa ck_detect(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return CK_GENERIC;
  const unsigned fma_xsave_avx_f16c = 1u << 12 | 1u << 27 | 1u << 28 | 1u << 29;
  if ((c & fma_xsave_avx_f16c) != fma_xsave_avx_f16c) return CK_GENERIC;
  const unsigned long long state = saved_state();
  const unsigned ymm = 0x6, zmm = 0xe6;
  if ((state & ymm) != ymm || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & 1u << 5)) return CK_GENERIC;
  const unsigned f_dq_bw_vl = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
  return (state & zmm) == zmm && (b & f_dq_bw_vl) == f_dq_bw_vl ? CK_AVX512 : CK_AVX2;
}

int ck_has_bf16(void) {
  unsigned a, b, c, d;
  const unsigned avx512_bf16 = 1u << 5;
  return ck_detect() == CK_AVX512 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & avx512_bf16) != 0;
}
#else
enum ck_isa ck_detect(void) { return CK_GENERIC; }

int ck_has_bf16(void) { return 0; }
#endif

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum { ROUNDS = 20000, CHAINS = 12 };  // CHAINS covers latency times throughput of any current core

// x = x * a + b in CHAINS independent chains; the empty asm keeps them apart and alive.
#define CK_SPIN(vector, constraint, multiply_add) \
  { \
    vector chain[CHAINS] = {0}, a = {0}, b = {0}; \
    a += 0.5f, b += 1.0f; \
    for (int round = 0; round < ROUNDS; round++) { \
      _Pragma("clang loop unroll(full)") for (int i = 0; i < CHAINS; i++) { \
        chain[i] = multiply_add; \
        __asm__ volatile("" : "+" constraint(chain[i])); \
      } \
    } \
  }

typedef float four __attribute__((ext_vector_type(4)));
static void spin_generic(void) {
#if defined(__x86_64__)
  CK_SPIN(four, "x", chain[i] * a + b)
#elif defined(__aarch64__)
  CK_SPIN(four, "w", __builtin_elementwise_fma(chain[i], a, b))
#else
  CK_SPIN(float, "m", chain[i] * a + b)
#endif
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void spin_avx2(void) {
  CK_SPIN(__m256, "x", _mm256_fmadd_ps(chain[i], a, b))
}
__attribute__((target("avx512f"))) static void spin_avx512(void) {
  CK_SPIN(__m512, "v", _mm512_fmadd_ps(chain[i], a, b))
}
#endif

double ck_peak_flops_f32(enum ck_isa isa, double seconds) {
  void (*spin)(void) = spin_generic;
  double lanes = 4;
#if defined(__x86_64__)
  if (isa == CK_AVX2) spin = spin_avx2, lanes = 8;
  if (isa >= CK_AVX512) spin = spin_avx512, lanes = 16;
#endif
  (void)isa;
  double best = 0, start = now(), before = start;
  do {
    spin();
    const double after = now(), rate = 2.0 * lanes * CHAINS * ROUNDS / (after - before);
    if (rate > best) best = rate;
    before = after;
  } while (before - start < seconds);
  return best;
}
