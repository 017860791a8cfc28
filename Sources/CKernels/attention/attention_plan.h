// How attention is cut: (sample, head, block of queries) are the parts, keys are streamed in blocks. From
// shapes alone.
#ifndef CK_ATTENTION_PLAN_H
#define CK_ATTENTION_PLAN_H

#include "../include/ck_attention.h"
#include "../vector/prelude.h"

struct ck_attention_plan {
  long block;       // queries of a part, a multiple of 32
  long blocks;      // parts of one head
  long keys;        // keys of a streamed block, a multiple of 24 = the least that all register tiles divide
  long pitch;       // f32 row of widened keys and values: an odd number of lines, to spread over sets
  long depth;       // d rounded up for the register tile
};

static inline struct ck_attention_plan ck_attention_plan(const struct ck_attention *a) {
  struct ck_attention_plan p = {0};
  if (a->queries <= 0 || a->d <= 0 || a->samples <= 0 || a->heads <= 0) return p;
  // Queries and results of a part stay in L2; blocks below 64 queries would pay too much for widening the
  // keys.
  const long largest = ck_max_long(64, ck_min_long(256, 65536 / a->d / 32 * 32));
  const long wanted = ck_ceil_div(32, a->samples * a->heads);
  p.blocks = ck_max_long(ck_ceil_div(a->queries, largest), ck_min_long(wanted, ck_ceil_div(a->queries, 64)));
  p.block = ck_ceil_div(ck_ceil_div(a->queries, p.blocks), 32) * 32;
  p.blocks = ck_ceil_div(a->queries, p.block);
  p.keys = ck_max_long(48, ck_min_long(192, 49152 / a->d / 24 * 24));
  p.pitch = (ck_ceil_div(a->d, 16) | 1) * 16;
  p.depth = ck_ceil_div(a->d, 24) * 24;
  return p;
}

/// Offsets in floats into a thread's scratch.
struct ck_attention_layout {
  size_t q;       // [block / 32][d][32]: queries transposed, times scale * log2 e
  size_t o;       // [block / 32][depth][32]: results transposed, not yet divided by the sum
  size_t k, v;    // [keys][pitch]
  size_t scores;  // [keys + 8][32]
  size_t rows;    // [32][pitch + 16]: 32 queries or results as rows
  size_t largest, sum;  // [block]
  size_t floats;
};

static inline struct ck_attention_layout ck_attention_layout(
  const struct ck_attention *a, const struct ck_attention_plan *p)
{
  struct ck_attention_layout l = {0};
  size_t at = 0;
  l.q = at, at += (size_t)(p->block * ((a->d + 3) / 4 * 4));
  l.o = at, at += (size_t)(p->block * p->depth);
  l.k = at, at += (size_t)(p->keys * p->pitch + 32);
  l.v = at, at += (size_t)(p->keys * p->pitch + 32);
  l.scores = at, at += (size_t)((p->keys + 8) * 32);
  l.rows = at, at += (size_t)(32 * (p->pitch + 16));
  l.largest = at, at += (size_t)p->block;
  l.sum = at, at += (size_t)p->block;
  l.floats = at;
  return l;
}

#endif
