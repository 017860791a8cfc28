// A block of sums of products of bf16 pairs on AVX512-BF16: register tiles of 8 x 32.
#ifndef CK_DOT_H
#define CK_DOT_H

#include "pairs.h"

/// Runs of k are multiples of RUN; so many rows are computed at once; nothing else is done meanwhile; no attempt fails.
enum { RUN = 2, ROWS_AT_ONCE = 8, WORKS_MEANWHILE = 0, MAY_FAIL = 0 };

CK_INLINE void begin_blocks(void) {}
CK_INLINE void end_blocks(void) {}

CK_INLINE void begin_attempt(void) {}
CK_INLINE bool attempt_failed(void) { return false; }

/// sums [8][32] = before (NULL: 0) + 8 rows times `run` k of a panel, in `vectors` vectors of columns. Fetches `step`
/// bytes from `ahead` on for every pair.
CK_INLINE void dot(
  const uint16_t *x, long row, const uint16_t *weights, long run, float *sums, const float *before, int vectors,
  const char *ahead, long step)
{
  vf sum[8][2];
  for (int i = 0; i < 8; i++)
    for (int v = 0; v < vectors; v++) sum[i][v] = before ? vload(before + i * 32 + v * VL) : vsplat(0);
#pragma clang loop unroll_count(4)
  for (long k = 0; k < run; k += 2) {
    __m512bh w[2];
    for (int v = 0; v < vectors; v++) w[v] = (__m512bh)_mm512_loadu_si512(weights + k * 32 + v * 32);
    for (int i = 0; i < 8; i++) {
      int32_t pair;
      memcpy(&pair, x + i * row + k, 4);
      const __m512bh both = (__m512bh)_mm512_set1_epi32(pair);
      for (int v = 0; v < vectors; v++) sum[i][v] = (vf)_mm512_dpbf16_ps((__m512)sum[i][v], w[v], both);
    }
    __builtin_prefetch(ahead, 0, 2);
    ahead += step;
  }
  for (int i = 0; i < 8; i++)
    for (int v = 0; v < vectors; v++) vstore(sums + i * 32 + v * VL, sum[i][v]);
}

/// Longest piece of a run: its 32 KB of weights stay in L1 for a block's register tiles.
enum { DOT_RUN = 512 };

/// The sums of a block.
CK_INLINE void multiply(const struct ck_block *b, struct pending *pending) {
  (void)pending;
  // Each register tile fetches its share of the next panel, 128 bytes a pair, for all that use this one.
  const long shares = 4 * b->blocks, bytes = 128 / shares;
  for (long i = 0; i < b->count; i++) {
    const struct ck_kernel_line *line = b->lines + i;
    for (long k = 0; k < line->run; k += DOT_RUN) {
      const long run = ck_min_long(DOT_RUN, line->run - k);
      const uint16_t *weights = line->weights + b->panel * line->panel + k * 32;
      const float *start = i == 0 && k == 0 ? b->before : b->sums;
      for (int tile = 0; tile < b->tiles; tile++)
        for (long r = 0; r < b->rows[tile]; r += 8) {
          const long share = b->index * 4 + tile * 2 + r / 8;
          const char *ahead = (const char *)(weights + (b->ahead ? line->panel : 0)) + share * run / 2 * bytes;
          const uint16_t *x = line->x + (b->start[tile] + r) * line->row + k;
          const long at = (tile * 16 + r) * 32;
          const float *before = start ? start + at : NULL;
          if (b->halves == 2) dot(x, line->row, weights, run, b->sums + at, before, 2, ahead, bytes);
          else dot(x, line->row, weights, run, b->sums + at, before, 1, ahead, bytes);
        }
    }
  }
}

#endif
