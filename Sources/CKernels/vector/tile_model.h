// A model of the tile unit's time for processors without one: what a core does besides products is done as with tiles,
// results are wrong. On AMX a product takes 16 cycles whatever came before it, while the core goes on; here it is a link of
// one chain of divisions in a unit that kernels leave alone, 15 to 16 cycles each on a Zen 4 or 5.
//
//     swift build -c release --product sd-bench --scratch-path .build/tile-model -Xcc -DCK_TILE_MODEL=1
//
// CK_TILE_MODEL: 1: tiles are loaded in no time; 2: their lines are read as vectors. CK_TILE_LINKS: divisions a product;
// 2 on a Zen 4, whose units of 256 bits do half of the work a cycle.
#ifndef CK_TILE_MODEL_H
#define CK_TILE_MODEL_H

#ifndef CK_TILE_LINKS
#define CK_TILE_LINKS 1
#endif

CK_INLINE void tiles_on(void) {
  static const double divisor = 1.0000001, start = 1.5;
  __asm__ volatile("fninit; fldl %0; fldl %1" ::"m"(divisor), "m"(start) : "st", "st(1)");
}
CK_INLINE void tiles_off(void) { __asm__ volatile("fninit" ::: "st", "st(1)"); }

CK_INLINE void tile_product(int c, int a, int b) {
  (void)c, (void)a, (void)b;
#pragma clang loop unroll(full)
  for (int i = 0; i < CK_TILE_LINKS; i++) __asm__ volatile("fdiv %%st(1), %%st" ::: "st");
}

CK_INLINE void tile_zero(int t) { (void)t; }

CK_INLINE void tile_load(int t, const void *from, long stride) {
  (void)t, (void)from, (void)stride;
#if CK_TILE_MODEL == 2
#pragma clang loop unroll(full)
  for (long r = 0; r < 16; r++)
    __asm__ volatile("vmovdqu64 %0, %%zmm31" ::"m"(*(const char(*)[64])((const char *)from + r * stride)) : "xmm31");
#endif
}

/// Zeros, once the products before are done.
CK_INLINE void tile_store(int t, void *to, long stride) {
  (void)t;
  float done;
  __asm__ volatile("fsts %0" : "=m"(done));
  __m512i late = (__m512i)_mm512_set1_ps(done);
  __asm__("vpandq %1, %0, %0" : "+v"(late) : "v"(_mm512_setzero_si512()));
#pragma clang loop unroll(full)
  for (long r = 0; r < 16; r++)
    __asm__ volatile("vmovdqu64 %1, %0" : "=m"(*(char(*)[64])((char *)to + r * stride)) : "v"(late));
}

#endif
