// Which instruction set this processor and operating system support (cpuid, XCR0, permission for tiles), and
// the measured peaks of one thread.
#include "include/ck_cpu.h"

#include <time.h>

#include "vector/prelude.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

/// Register state that the operating system saves: XCR0.
__attribute__((target("xsave"))) static unsigned long long saved_state(void) { return _xgetbv(0); }

/// BF16, and VBMI, which all but the first processors with BF16 have.
static bool has_avx512_bf16(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(c & 1u << 1)) return false;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 5) != 0;
}

/// Asks the system to save this process's tiles; the answer holds for all its threads.
static bool allow_tiles(void) {
#if defined(__linux__)
  enum { REQUEST_STATE = 0x1023, TILE_DATA = 18 };
  return syscall(SYS_arch_prctl, REQUEST_STATE, TILE_DATA) == 0;
#else
  return false;
#endif
}

enum ck_isa ck_detect(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return CK_GENERIC;
  const unsigned fma_xsave_avx_f16c = 1u << 12 | 1u << 27 | 1u << 28 | 1u << 29;
  if ((c & fma_xsave_avx_f16c) != fma_xsave_avx_f16c) return CK_GENERIC;
  const unsigned long long state = saved_state();
  const unsigned ymm = 0x6, zmm = 0xe6;
  if ((state & ymm) != ymm || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & 1u << 5)) return CK_GENERIC;
  const unsigned f_dq_bw_vl = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
  if ((state & zmm) != zmm || (b & f_dq_bw_vl) != f_dq_bw_vl) return CK_AVX2;
  // Leaf 1DH, which describes the tiles, reads zero on some virtual machines whose tiles work: it is not asked.
#ifdef CK_TILE_MODEL
  if (has_avx512_bf16()) return CK_AMX;
#endif
  const unsigned bf16_tile = 1u << 22 | 1u << 24, tiles = 0x60000;
  if ((d & bf16_tile) != bf16_tile || (state & tiles) != tiles || !has_avx512_bf16()) return CK_AVX512;
  return allow_tiles() ? CK_AMX : CK_AVX512;
}

int ck_has_bf16(void) { return ck_detect() >= CK_AVX512 && has_avx512_bf16(); }
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
__attribute__((target("avx512f,avx512bf16"))) static void spin_avx512_bf16(void) {
  __m512 chain[CHAINS] = {0};
  __m512bh a = {0}, b = {0};
  for (int round = 0; round < ROUNDS; round++) {
    _Pragma("clang loop unroll(full)") for (int i = 0; i < CHAINS; i++) {
      chain[i] = _mm512_dpbf16_ps(chain[i], a, b);
      __asm__ volatile("" : "+v"(chain[i]));
    }
  }
}
#pragma clang attribute push(__attribute__((target("avx512f,amx-tile,amx-bf16"))), apply_to = function)
#include "vector/tile_unit.h"
static void spin_tiles(void) {
  tiles_on();
  tile_zero(0), tile_zero(1), tile_zero(2), tile_zero(3), tile_zero(4), tile_zero(5);
  for (int round = 0; round < ROUNDS; round++) {
    tile_product(0, 4, 5);
    tile_product(1, 4, 5);
    tile_product(2, 4, 5);
    tile_product(3, 4, 5);
  }
  tiles_off();
}
#pragma clang attribute pop
#endif

/// The best rate of `spin`, which computes `flops`, repeated for `seconds`.
static double best_rate(void (*spin)(void), double flops, double seconds) {
  double best = 0, start = now(), before = start;
  do {
    spin();
    const double after = now(), rate = flops / (after - before);
    if (rate > best) best = rate;
    before = after;
  } while (before - start < seconds);
  return best;
}

double ck_peak_flops_f32(enum ck_isa isa, double seconds) {
  void (*spin)(void) = spin_generic;
  double lanes = 4;
#if defined(__x86_64__)
  if (isa == CK_AVX2) spin = spin_avx2, lanes = 8;
  if (isa >= CK_AVX512) spin = spin_avx512, lanes = 16;
#endif
  (void)isa;
  return best_rate(spin, 2.0 * lanes * CHAINS * ROUNDS, seconds);
}

double ck_peak_flops_bf16(enum ck_isa isa, double seconds) {
#if defined(__x86_64__)
  if (isa == CK_AMX) return best_rate(spin_tiles, 2.0 * 16 * 16 * 32 * 4 * ROUNDS, seconds);
  return best_rate(spin_avx512_bf16, 2.0 * 32 * CHAINS * ROUNDS, seconds);
#else
  (void)isa, (void)seconds;
  return 0;
#endif
}
