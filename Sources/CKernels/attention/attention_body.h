// Attention, one part: up to 256 queries of one head against all keys.
//
// q, k, v, o: [samples, tokens, heads * d], f32/f16/bf16, see ck_attention.h. Scores, sums and results in
// f32. Everything is transposed: 32 queries are the 32 columns of the register tile. Scores^T [keys][32] =
// K Q^T takes rows of K as they are stored; maxima and sums then run down the columns, lane by lane, and
// the probabilities are already the right-hand side of O^T [d][32] = V^T P^T, whose left-hand side is read
// from V as it is stored. Nothing is packed but Q. Sources: Milakov and Gimelshein 2018, arXiv:1805.02867
// (online softmax); Dao et al. 2022, arXiv:2205.14135 (blocks).

#include "../vector/micro.h"
#include "fetch.h"

typedef float v4 __attribute__((ext_vector_type(4)));

CK_INLINE v4 load4(const float *p) {
  v4 x;
  memcpy(&x, p, sizeof x);
  return x;
}
CK_INLINE void store4(float *p, v4 x) { memcpy(p, &x, sizeof x); }

/// to [columns][rows] = from [rows][columns] transposed; both counts are rounded up to multiples of 4.
CK_INLINE void transpose(
  float *to, long to_pitch, const float *from, long from_pitch, long rows, long columns)
{
  for (long r = 0; r < rows; r += 4)
    for (long c = 0; c < columns; c += 4) {
      const float *f = from + r * from_pitch + c, *g = f + 2 * from_pitch;
      float *t = to + c * to_pitch + r;
      const v4 x0 = load4(f), x1 = load4(f + from_pitch), x2 = load4(g), x3 = load4(g + from_pitch);
      const v4 a = __builtin_shufflevector(x0, x1, 0, 4, 1, 5);
      const v4 b = __builtin_shufflevector(x0, x1, 2, 6, 3, 7);
      const v4 d = __builtin_shufflevector(x2, x3, 0, 4, 1, 5);
      const v4 e = __builtin_shufflevector(x2, x3, 2, 6, 3, 7);
      store4(t, __builtin_shufflevector(a, d, 0, 1, 4, 5));
      store4(t + to_pitch, __builtin_shufflevector(a, d, 2, 3, 6, 7));
      store4(t + 2 * to_pitch, __builtin_shufflevector(b, e, 0, 1, 4, 5));
      store4(t + 3 * to_pitch, __builtin_shufflevector(b, e, 2, 3, 6, 7));
    }
}

/// scores [count][32] = k [count][d] * q [d][32]; rows up to a whole register tile are written.
static void score(float *scores, const float *k, long pitch, long count, const float *q, long d) {
  for (long j = 0; j < count; j += MR)
    for (long from = 0; from < d; from += 256) {
      const float *rows[MR];
      for (long i = 0; i < MR; i++) rows[i] = k + (j + i < count ? j + i : j) * pitch + from;
      const struct ck_left a = {.rows = rows, .segments = 1, .length = ck_min_long(256, d - from)};
      micro(&a, q + from * 32, scores + j * 32, from == 0, (struct ck_ahead){0}, 32);
    }
}

/// Masks keys after their query: scores [count][32] of keys `key` + j and queries `query` + lane.
static void mask(float *scores, long key, long count, long query) {
  for (long j = query > key ? query - key : 0; j < count; j++)
    for (long lane = 0; lane < 32 && query + lane < key + j; lane++)
      scores[j * 32 + lane] = -__builtin_inff();
}

/// scores -> probabilities relative to the new maxima. Updates maxima and sums [32] and writes the factor
/// [32] by which earlier results shrink.
static void soften(float *scores, long count, float *largest, float *sum, float *factor) {
  for (int lane = 0; lane < 32; lane += VL) {
    float *s = scores + lane;
    const vf before = vload(largest + lane);
    vf top[4] = {before, before, before, before};
    long j = 0;
    for (; j + 4 <= count; j += 4)
      for (int i = 0; i < 4; i++) {
        const vf x = vload(s + (j + i) * 32);
        top[i] = vselect(x > top[i], x, top[i]);
      }
    for (; j < count; j++) {
      const vf x = vload(s + j * 32);
      top[0] = vselect(x > top[0], x, top[0]);
    }
    top[0] = vselect(top[1] > top[0], top[1], top[0]);
    top[2] = vselect(top[3] > top[2], top[3], top[2]);
    const vf now = vselect(top[2] > top[0], top[2], top[0]);
    vf total[4] = {vsplat(0), vsplat(0), vsplat(0), vsplat(0)};
    for (j = 0; j + 4 <= count; j += 4)
      for (int i = 0; i < 4; i++) {
        const vf p = vexp2_negative(vload(s + (j + i) * 32) - now);
        vstore(s + (j + i) * 32, p);
        total[i] += p;
      }
    for (; j < count; j++) {
      const vf p = vexp2_negative(vload(s + j * 32) - now);
      vstore(s + j * 32, p);
      total[0] += p;
    }
    const vf shrink = vexp2_negative(before - now);
    vstore(factor + lane, shrink);
    vstore(largest + lane, now);
    vstore(sum + lane, vload(sum + lane) * shrink + ((total[0] + total[1]) + (total[2] + total[3])));
  }
}

/// o [depth][32] *= factor [32], unless all factors are 1.
static void shrink(float *o, long depth, const float *factor) {
  bool same = true;
  for (int i = 0; i < 32; i++) same &= factor[i] == 1.0f;
  if (same) return;
  for (int lane = 0; lane < 32; lane += VL) {
    const vf f = vload(factor + lane);
    for (long i = 0; i < depth; i++) vstore(o + i * 32 + lane, vload(o + i * 32 + lane) * f);
  }
}

/// What one part works on: queries first ..< first + count of one head.
struct head {
  const struct ck_attention *a;
  long first, count;
  long query_row, key_row, column;  // where they begin: row of q and o, row of k and v, column of all
  float *rows;                      // [32][row_pitch]
  long row_pitch;
};

/// q [d][32] = 32 queries from `query` of the part on, times `factor`; absent ones zero.
static void pack_queries(const struct head *h, float *q, long query, float factor) {
  const struct ck_attention *a = h->a;
  for (long i = 0; i < 32; i++) {
    float *row = h->rows + i * h->row_pitch;
    const long from = (h->query_row + query + i) * a->q_pitch + h->column;
    if (query + i < h->count) load_row(row, element(a->q, a->q_dtype, from), a->q_dtype, a->d);
    else memset(row, 0, (size_t)h->row_pitch * 4);
    for (long c = 0; c < a->d; c += VL) vstore(row + c, vload(row + c) * factor);
  }
  transpose(q, 32, h->rows, h->row_pitch, 32, a->d);
}

/// Rows of o from the part's query `query` on = o [d][32] / sum.
static void store_results(const struct head *h, float *o, const float *sum, long query) {
  const struct ck_attention *a = h->a;
  for (int lane = 0; lane < 32; lane += VL) {
    const vf scale = 1.0f / vload(sum + lane);
    for (long i = 0; i < a->d; i++) vstore(o + i * 32 + lane, vload(o + i * 32 + lane) * scale);
  }
  transpose(h->rows, h->row_pitch, o, 32, a->d, 32);
  for (long i = 0; i < 32 && query + i < h->count; i++) {
    const long to = (h->query_row + query + i) * a->o_pitch + h->column;
    store_row(element_out(a->o, a->o_dtype, to), a->o_dtype, h->rows + i * h->row_pitch, a->d);
  }
}

void CK_NAME(attention)(const void *arguments, long part, long parts, void *scratch) {
  (void)parts;
  const struct ck_attention *a = arguments;
  const struct ck_attention_plan plan = ck_attention_plan(a);
  const struct ck_attention_layout at = ck_attention_layout(a, &plan);
  float *memory = scratch, *k = memory + at.k, *v = memory + at.v, *scores = memory + at.scores;
  const long d = a->d, depth = (d + MR - 1) / MR * MR;
  const long q_tile = (d + 3) / 4 * 4 * 32, o_tile = plan.depth * 32;
  const long sample = part / plan.blocks / a->heads, first = part % plan.blocks * plan.block;
  const struct head h = {
    .a = a,
    .first = first,
    .count = ck_min_long(plan.block, a->queries - first),
    .query_row = sample * a->queries + first,
    .key_row = sample * a->keys,
    .column = part / plan.blocks % a->heads * d,
    .rows = memory + at.rows,
    .row_pitch = plan.pitch + 16,
  };

  const long last = a->causal ? ck_min_long(a->keys, first + h.count) : a->keys;
  fetch_rows(a->q, a->q_dtype, a->q_pitch, h.column, d, h.query_row, h.count);
  for (long key = 0; key < last; key += plan.keys) {
    for (long j = 0; j < ck_min_long(plan.keys, last - key); j++) {
      const long row = h.key_row + key + j;
      load_row(k + j * plan.pitch, element(a->k, a->k_dtype, row * a->k_pitch + h.column), a->k_dtype, d);
      load_row(v + j * plan.pitch, element(a->v, a->v_dtype, row * a->v_pitch + h.column), a->v_dtype, d);
    }
    for (long query = 0; query < h.count; query += 32) {
      // No key after the tile's last query matters to it.
      const long end = a->causal ? ck_min_long(last, first + query + 32) : last;
      const long n = ck_min_long(plan.keys, end - key);
      if (n <= 0) continue;
      float *q = memory + at.q + query / 32 * q_tile, *o = memory + at.o + query / 32 * o_tile;
      float *largest = memory + at.largest + query, *sum = memory + at.sum + query;
      float factor[32] __attribute__((aligned(64)));
      if (key == 0) {
        const long next = query + 32;
        fetch_rows(a->q, a->q_dtype, a->q_pitch, h.column, d, h.query_row + next, h.count - next);
        pack_queries(&h, q, query, a->scale * 1.4426950408889634f);
        for (int i = 0; i < 32; i++) largest[i] = -3e38f, sum[i] = 0;
      }
      if (key + n == end)
        fetch_rows(a->o, a->o_dtype, a->o_pitch, h.column, d, h.query_row + query, h.count - query);
      score(scores, k, plan.pitch, n, q, d);
      if (a->causal && key + n - 1 > first + query) mask(scores, key, n, first + query);
      soften(scores, n, largest, sum, factor);
      if (key > 0) shrink(o, depth, factor);
      for (long c = 0; c < depth; c += MR) {
        const struct ck_left left = {.down = v + c, .segments = 1, .length = n, .pitch = plan.pitch};
        micro(&left, scores, o + c * 32, key == 0, (struct ck_ahead){0}, 32);
      }
      if (key + n == end) store_results(&h, o, sum, query);
    }
  }
}
