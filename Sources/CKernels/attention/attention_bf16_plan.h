// How attention on bf16 is cut: (sample, head, block of queries) are the parts, keys are streamed in blocks. From
// shapes alone.
#ifndef CK_ATTENTION_BF16_PLAN_H
#define CK_ATTENTION_BF16_PLAN_H

#include "../include/ck_attention_bf16.h"
#include "../vector/prelude.h"

enum { CK_KEYS = 512 };  // of a streamed block, at most

static inline long ck_round_up(long n, long to) { return ck_ceil_div(n, to) * to; }

struct ck_attention_bf16_plan {
  long block, blocks;   // queries of a part, a multiple of 32; parts of one head
  long keys;            // of a streamed block, a multiple of 32
  long row;             // elements of a row of keys: d in whole tiles
  long depth;           // rows of results: d in tiles of 16
  long column;          // elements of a row of values transposed: keys, off powers of two
};

static inline struct ck_attention_bf16_plan ck_attention_bf16_plan(const struct ck_attention *a) {
  struct ck_attention_bf16_plan p = {0};
  if (a->queries <= 0 || a->d <= 0 || a->samples <= 0 || a->heads <= 0) return p;
  // Queries and results of a part stay in L2; small blocks would pay too much for copying keys and values.
  const long largest = ck_max_long(64, ck_min_long(1024, 131072 / a->d / 32 * 32));
  const long wanted = ck_ceil_div(32, a->samples * a->heads);
  p.blocks = ck_max_long(ck_ceil_div(a->queries, largest), ck_min_long(wanted, ck_ceil_div(a->queries, 64)));
  p.block = ck_round_up(ck_ceil_div(a->queries, p.blocks), 32);
  p.blocks = ck_ceil_div(a->queries, p.block);
  p.keys = ck_round_up(ck_ceil_div(a->keys, ck_max_long(1, ck_ceil_div(a->keys, CK_KEYS))), 32);
  p.row = ck_round_up(a->d, 32);
  p.depth = ck_round_up(a->d, 16);
  p.column = p.keys + 32;
  return p;
}

/// Offsets in bytes into a thread's scratch, each a multiple of 64.
struct ck_attention_bf16_layout {
  size_t q;       // bf16 [block / 32][row / 2][32][2]: queries in pairs
  size_t o;       // f32 [2][block / 32][depth][32]: results transposed, not yet divided by the sum; see MAY_FAIL
  size_t k;       // bf16 [keys][row]
  size_t v;       // bf16 [depth][column]: values transposed
  size_t sizes;   // bf16 [row]: the largest magnitude of each column of k
  size_t scores;  // f32 [2][keys][32]: of one tile of queries, and of the one before
  size_t p;       // bf16 [2][keys / 2][32][2]: their probabilities in pairs
  size_t largest, sum;  // f32 [block]
  size_t bytes;
};

static inline struct ck_attention_bf16_layout ck_attention_bf16_layout(const struct ck_attention_bf16_plan *p) {
  struct ck_attention_bf16_layout l = {0};
  size_t at = 0;
  l.q = at, at += (size_t)(p->block * p->row) * 2;
  l.o = at, at += (size_t)(2 * p->block * p->depth) * 4;
  l.k = at, at += (size_t)(p->keys * p->row) * 2;
  l.v = at, at += (size_t)(p->depth * p->column) * 2;
  l.sizes = at, at += (size_t)p->row * 2;
  l.scores = at, at += (size_t)(2 * p->keys * 32) * 4;
  l.p = at, at += (size_t)(2 * p->keys * 32) * 2;
  l.largest = at, at += (size_t)p->block * 4;
  l.sum = at, at += (size_t)p->block * 4;
  l.bytes = at;
  return l;
}

#endif
