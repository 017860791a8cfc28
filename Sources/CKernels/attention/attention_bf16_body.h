// Attention on bf16, one part: up to 1024 queries of one head against all keys.
//
// q, k, v, o: [samples, tokens, heads * d] bf16, see ck_attention_bf16.h. Everything is transposed: 32 queries
// are the 32 columns of a block. Scores^T [keys][32] = K Q^T takes rows of K as they are; maxima and sums then
// run down the columns, lane by lane, and the probabilities of two keys are already the pairs of
// O^T [d][32] = V^T P^T. A maximum that grows a little is not followed: probabilities may exceed 1 by 2^8
// before results are scaled down. None is looked for where the sizes of queries and keys tell that powers stay
// within 2^-64 ... 2^64 anyway, with values of usual sizes; then scores are softened block by block, each while the
// next is made, and two blocks of them are all that is kept, in L1. Others wait for the last of their tile and are
// softened while the scores of the next tile are made, and the results of the tile before.
// Sources: Milakov and Gimelshein 2018, arXiv:1805.02867 (online softmax); Dao et al. 2022, arXiv:2205.14135
// (blocks); Dao, FlashAttention-4, 2025 (rescaling only where the maximum grows much).

#include "fetch.h"
#include "transpose.h"

/// What one part works on.
struct head {
  const struct ck_attention *a;
  struct ck_attention_bf16_plan plan;
  long count;                       // queries
  long query_row, key_row, column;  // where they begin: row of q and o, row of k and v, column of all
  uint16_t *k, *v, *sizes;          // of the block; sizes: the largest magnitude in each column of its keys
  float factor;      // of scores in the exponent of 2, in 128ths
  bool odd_queries, odd_keys;  // whether some of the part's queries, of the block's keys are not finite
  bool far_values;   // whether powers of 2^±64 may carry the largest of the block's values away
  bool ones;         // whether row d of v, which costs nothing, is ones: row d of the results is the probabilities' sum
};

/// A tile of 32 queries and what is known of it.
struct tile {
  uint16_t *q;
  float *before, *o;  // results of the keys before, NULL if there are none, and with those of this block
  float *sum;
  float *largest;     // in 128ths of a binary digit, whole
};

enum { ALL = -1, TWO_BLOCKS = 63 };  // masks of rows

/// A tile's scores that wait to become probabilities.
struct pending {
  const struct head *h;
  struct tile tile;
  float *scores;
  long mask;         // row r of the scores is at r & mask: all of them are kept, or two blocks of 32
  uint16_t *p;       // its probabilities, in pairs
  long next, ready, count;  // keys, even: softened, whose scores are there, all, rounded up to 32
  long present;             // those from here on do not exist
  bool odd;          // whether some scores are infinite or not a number, or too large for the usual way
  bool bounded;      // whether no power of 2 is far from 1, or it is of minus infinity
  vf total[2];
};

/// 2^x for x <= 9, relative error 1e-4. NaN stays.
CK_INLINE vf vexp2_short(vf x) {
  x = (vf)_mm512_max_ps(_mm512_set1_ps(-126.0f), (__m512)x);
  const vf n = (vf)_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), t = x - n;
  vf p = vsplat(0.0551716685f);
  p = vfma(p, t, vsplat(0.242608376f));
  p = vfma(p, t, vsplat(0.693260789f));
  p = vfma(p, t, vsplat(0.999928415f));
  return vscale(p, n);
}

/// f - round(128 (2^(f / 128) - 1)): by how much the fraction f of an exponent exceeds the mantissa of its power.
static const uint8_t excess[128] __attribute__((aligned(64))) = {
  0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4,
  4, 5, 5, 5, 5, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7, 8,
  8, 8, 8, 8, 8, 9, 9, 9, 9, 9, 9, 9, 10, 10, 10, 10,
  10, 10, 10, 10, 10, 10, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11,
  11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11,
  11, 11, 10, 10, 10, 10, 10, 10, 10, 10, 10, 9, 9, 9, 9, 9,
  9, 9, 8, 8, 8, 8, 8, 7, 7, 7, 7, 7, 6, 6, 6, 6,
  5, 5, 5, 4, 4, 4, 3, 3, 3, 3, 2, 2, 1, 1, 1, 0,
};

/// Adding it to a float leaves the nearest whole number, plus the exponent's bias of bf16, in its low 16 bits.
#define CK_BIASED (CK_ROUNDER + 127 * 128)

/// What a tile's scores become powers of 2 with, in registers.
struct powers {
  vf factor, shift[2];
  __m512i up;           // brings the low half of 32 bits to the place of the high half
  __mmask64 high, low;  // the bytes of high halves; of fractions
};

CK_INLINE struct powers powers(const struct pending *s) {
  struct powers p = {
    .factor = vsplat(s->h->factor),
    .shift = {CK_BIASED - vload(s->tile.largest), CK_BIASED - vload(s->tile.largest + VL)},
    .up = _mm512_set4_epi32(0x0d0c0d0c, 0x09080908, 0x05040504, 0x01000100),
    .high = 0xcccccccccccccccc,
    .low = 0x5555555555555555,
  };
  __asm__("" : "+v"(p.up), "+k"(p.high), "+k"(p.low));  // or what is known of them becomes more instructions
  return p;
}

/// The pairs (2^a, 2^b) in bf16, where a and b are x * factor + shift in 128ths. Seven bits of fraction are all that
/// bf16 keeps: they select the mantissa, the rest is the exponent. `clamps`: a or b may be below the smallest number,
/// which makes 0; minus infinity always does.
CK_INLINE __m512i vexp2_pairs(vf x, vf y, const struct powers *p, int half, bool clamps) {
  __m512 a = (__m512)vfma(x, p->factor, p->shift[half]), b = (__m512)vfma(y, p->factor, p->shift[half]);
  if (clamps) a = _mm512_max_ps(a, _mm512_set1_ps(CK_ROUNDER)), b = _mm512_max_ps(b, _mm512_set1_ps(CK_ROUNDER));
  const __m512i k = _mm512_mask_shuffle_epi8((__m512i)a, p->high, (__m512i)b, p->up);
  const __m512i first = _mm512_load_si512(excess), last = _mm512_load_si512(excess + 64);
  return _mm512_sub_epi16(k, _mm512_maskz_permutex2var_epi8(p->low, first, k, last));
}

/// Where the next row of scores is.
CK_INLINE const float *next_scores(const struct pending *s) { return s->scores + (s->next & s->mask) * 32; }

/// Rows of scores up to `end` become pairs of probabilities, two keys at a time, where some are odd or do not exist.
static __attribute__((noinline)) void finish_odd_rows(struct pending *s, long end) {
  const vf factor = vsplat(s->h->factor / 128.0f);
  for (; s->next < end && s->next < s->present; s->next += 2)
    for (int i = 0; i < 2; i++) {
      const float *from = next_scores(s) + i * VL;
      const vf shift = vload(s->tile.largest + i * VL) / -128.0f;
      __m512i p = vinterleave_bf16(
        vexp2_short(vfma(vload(from), factor, shift)), vexp2_short(vfma(vload(from + 32), factor, shift)));
      if (s->next + 1 == s->present) p = _mm512_maskz_mov_epi16(0x55555555, p);
      s->total[i] = (vf)_mm512_dpbf16_ps((__m512)s->total[i], (__m512bh)p, (__m512bh)_mm512_set1_epi16(0x3f80));
      _mm512_storeu_si512(s->p + s->next * 32 + i * 32, p);
    }
  if (s->next >= end) return;
  memset(s->p + s->next * 32, 0, (size_t)(end - s->next) * 64);
  s->next = end;
}

/// Rows of scores up to `end` become pairs of probabilities, where all are usual. `adds`: their sum is wanted.
CK_INLINE void finish_usual_rows(struct pending *s, long end, bool clamps, bool adds) {
  const struct powers to = powers(s);
  const __m512bh ones = (__m512bh)_mm512_set1_epi16(0x3f80);
  __m512 total[2] = {(__m512)s->total[0], (__m512)s->total[1]};
  const float *x = next_scores(s);
  uint16_t *p = s->p + s->next * 32;
#pragma clang loop unroll(disable)
  for (const float *last = x + (end - s->next) * 32; x < last; x += 64, p += 64) {
    const __m512i left = vexp2_pairs(vload(x), vload(x + 32), &to, 0, clamps);
    const __m512i right = vexp2_pairs(vload(x + VL), vload(x + 32 + VL), &to, 1, clamps);
    if (adds) {
      total[0] = _mm512_dpbf16_ps(total[0], (__m512bh)left, ones);
      total[1] = _mm512_dpbf16_ps(total[1], (__m512bh)right, ones);
    }
    _mm512_storeu_si512(p, left);
    _mm512_storeu_si512(p + 32, right);
  }
  s->total[0] = (vf)total[0], s->total[1] = (vf)total[1];
  s->next = end;
}

static __attribute__((noinline)) void finish_far_rows(struct pending *s, long end) {
  finish_usual_rows(s, end, true, true);
}

/// Up to `rows` rows of scores become pairs of probabilities.
CK_INLINE void finish_rows(struct pending *s, long rows) {
  const long last = ck_min_long(s->ready, s->next + ck_ceil_div(rows, 2) * 2);
  while (s->next < last) {
    const long end = s->mask == ALL ? last : ck_min_long(last, (s->next | s->mask) + 1);
    const long usual = s->odd ? 0 : ck_min_long(end, s->present / 2 * 2);
    if (s->next < usual) {
      if (!s->bounded) finish_far_rows(s, usual);
      else if (s->h->ones) finish_usual_rows(s, usual, false, false);
      else finish_usual_rows(s, usual, false, true);
    }
    if (s->next < end) finish_odd_rows(s, end);
  }
}

/// c [rows][32] = before (NULL: 0) + x [rows][run] * weights [run / 2][32][2], while `softened` rows of scores are
/// softened, maybe of c itself as soon as they are there. Row r of c is at r & mask.
CK_INLINE void product_once(
  float *c, long mask, const float *before, const uint16_t *x, long row, long rows, const uint16_t *weights, long run,
  struct pending *pending, long softened)
{
  const struct ck_kernel_line line = {.x = x, .weights = weights, .row = row, .run = run, .columns = 1};
  for (long r = 0; r < rows; r += 32) {
    const int tiles = rows - r > 16 ? 2 : 1;
    const long share = ck_ceil_div(softened * tiles, ck_ceil_div(rows, 16));
    const struct ck_block b = {
      .lines = &line, .count = 1, .start = {r, r + 16},
      .rows = {ck_min_long(16, rows - r), ck_min_long(16, rows - r - 16)},
      .tiles = tiles, .halves = 2, .sums = c + (r & mask) * 32, .before = before ? before + r * 32 : NULL, .blocks = 1,
      .finish = share,
    };
    const long already = pending->next;
    multiply(&b, pending);
    // What the unit did not do meanwhile, as long as scores are in L1.
    finish_rows(pending, share - (pending->next - already));
    if (pending->scores == c) pending->ready = r + 32;
  }
}

/// The same, attempted until it succeeds. What became of scores in an attempt that failed is overwritten.
CK_INLINE void product(
  float *c, long mask, const float *before, const uint16_t *x, long row, long rows, const uint16_t *weights, long run,
  struct pending *pending, long softened)
{
  for (int attempt = 1;; attempt++) {
    begin_attempt();
    product_once(c, mask, before, x, row, rows, weights, run, pending, softened);
    if (!attempt_failed() || attempt == MOST_ATTEMPTS) return;
    if (attempt == 1) ck_note_repeated(false);
    if (pending->scores == c) pending->next = pending->ready = 0, pending->total[0] = pending->total[1] = vsplat(0);
  }
}

/// The larger magnitudes of 32 bf16, as whole numbers.
CK_INLINE __m512i larger(__m512i magnitudes, __m512i x) {
  return _mm512_max_epu16(magnitudes, _mm512_and_si512(x, _mm512_set1_epi16(0x7fff)));
}

/// Whether some magnitudes reach that of the number with these bits.
CK_INLINE bool reach(__m512i magnitudes, uint16_t bits) {
  return _mm512_cmpge_epu16_mask(magnitudes, _mm512_set1_epi16((int16_t)bits)) != 0;
}

/// Whether some magnitudes are infinite or not a number.
CK_INLINE bool is_odd(__m512i magnitudes) { return reach(magnitudes, 0x7f80); }

/// q = 32 queries from `query` of the part on, in pairs; absent ones zero.
static void pack_queries(struct head *h, uint16_t *q, long query) {
  const struct ck_attention *a = h->a;
  const uint16_t *from = (const uint16_t *)a->q + (h->query_row + query) * a->q_pitch + h->column;
  __m512i magnitudes = _mm512_setzero_si512();
  for (long half = 0; half < 32; half += 16)
    for (long c = 0; c < h->plan.row; c += 32) {
      vi rows[16];
      const __mmask32 mask = (__mmask32)((1ull << clamp(a->d - c, 32)) - 1);
      for (int i = 0; i < 16; i++) {
        const bool exists = query + half + i < h->count;
        const uint16_t *at = exists ? from + (half + i) * a->q_pitch + c : from;
        const __m512i row = _mm512_maskz_loadu_epi16(exists ? mask : 0, at);
        magnitudes = larger(magnitudes, row);
        rows[i] = (vi)row;
      }
      transpose16(rows);
      for (int i = 0; i < 16; i++) memcpy(q + (c / 2 + i) * 64 + half * 2, &rows[i], 64);
    }
  h->odd_queries |= is_odd(magnitudes);
}

/// to[16][32] = the columns of `mask` of 32 rows of values, transposed; zeros from row `count` on. Returns the larger
/// magnitudes.
CK_INLINE __m512i transpose_values(
  uint16_t *to, long step, const uint16_t *v, long pitch, long count, __mmask16 mask, __m512i magnitudes)
{
  vi pairs[16];
  for (int i = 0; i < 16; i++) {
    // Nothing behind the last row is touched, not even under a mask, which may be slow.
    const __m256i first = _mm256_maskz_loadu_epi16(2 * i < count ? mask : 0, 2 * i < count ? v + 2 * i * pitch : v);
    const __m256i second =
      _mm256_maskz_loadu_epi16(2 * i + 1 < count ? mask : 0, 2 * i + 1 < count ? v + (2 * i + 1) * pitch : v);
    pairs[i] = (vi)_mm512_or_si512(
      _mm512_cvtepu16_epi32(first), _mm512_slli_epi32(_mm512_cvtepu16_epi32(second), 16));
    magnitudes = larger(magnitudes, (__m512i)pairs[i]);
  }
  transpose16(pairs);
  for (int i = 0; i < 16; i++) memcpy(to + i * step, &pairs[i], 64);
  return magnitudes;
}

/// Copies keys and transposes values of a block of `count` keys; zeros up to whole tiles.
static void pack_keys(struct head *h, long key, long count) {
  const struct ck_attention *a = h->a;
  const long all = ck_round_up(count, 32);
  const uint16_t *k = (const uint16_t *)a->k + (h->key_row + key) * a->k_pitch + h->column;
  const uint16_t *v = (const uint16_t *)a->v + (h->key_row + key) * a->v_pitch + h->column;
  h->odd_keys = false;
  for (long c = 0; c < h->plan.row; c += 32) {
    __m512i magnitudes = _mm512_setzero_si512();
    const __mmask32 mask = (__mmask32)((1ull << clamp(a->d - c, 32)) - 1);
    const uint16_t *from = k + c;
    uint16_t *to = h->k + c;
    for (long j = 0; j < count; j++, from += a->k_pitch, to += h->plan.row) {
      const __m512i row = _mm512_maskz_loadu_epi16(mask, from);
      magnitudes = larger(magnitudes, row);
      _mm512_storeu_si512(to, row);
    }
    for (long j = count; j < all; j++, to += h->plan.row) _mm512_storeu_si512(to, _mm512_setzero_si512());
    _mm512_storeu_si512(h->sizes + c, magnitudes);
    h->odd_keys |= is_odd(magnitudes);
  }
  __m512i magnitudes = _mm512_setzero_si512();
  for (long c = 0; c < h->plan.depth; c += 16) {
    const __mmask16 mask = (__mmask16)((1u << clamp(a->d - c, 16)) - 1);
    for (long j = 0; j < all; j += 32) {
      const uint16_t *from = v + j * a->v_pitch + c;
      uint16_t *to = h->v + c * h->plan.column + j;
      if (j + 32 <= count) magnitudes = transpose_values(to, h->plan.column, from, a->v_pitch, 32, mask, magnitudes);
      else magnitudes = transpose_values(to, h->plan.column, from, a->v_pitch, count - j, mask, magnitudes);
    }
  }
  if (h->ones)
    for (long j = 0; j < all; j += 32)
      _mm512_storeu_si512(h->v + a->d * h->plan.column + j, _mm512_set1_epi16(0x3f80));
  const uint16_t least = (127 - 32) << 7, most = (127 + 32) << 7;  // 2^-32, 2^32
  h->far_values = !reach(magnitudes, least) || reach(magnitudes, most);
}

/// Masks keys after their query: scores [count][32] of keys `key` + j and queries `query` + lane.
static void mask_future(float *scores, long key, long count, long query) {
  for (long j = query > key ? query - key : 0; j < count; j++)
    for (long lane = 0; lane < 32 && query + lane < key + j; lane++)
      scores[j * 32 + lane] = -__builtin_inff();
}

/// Whether no score of the block is more than 64 binary digits from what is subtracted from the tile's: its magnitude
/// is at most the sum of |q| times the largest |k| of each column.
static bool is_bounded(const struct head *h, const struct tile *t) {
  if (h->far_values) return false;
  const __m512 factor = _mm512_set1_ps(h->factor);
  __m512 bound[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
  for (long c = 0; c < h->a->d; c += 2) {
    int32_t pair;
    memcpy(&pair, h->sizes + c, 4);
    for (int i = 0; i < 2; i++) {
      const __m512i q = _mm512_and_si512(_mm512_loadu_si512(t->q + c * 32 + i * 32), _mm512_set1_epi16(0x7fff));
      bound[i] = _mm512_dpbf16_ps(bound[i], (__m512bh)q, (__m512bh)_mm512_set1_epi32(pair));
    }
  }
  bool bounded = true;
  for (int i = 0; i < 2; i++) {
    const __m512 subtracted = t->before ? _mm512_loadu_ps(t->largest + i * VL) : _mm512_setzero_ps();
    const __m512 most = _mm512_fmadd_ps(bound[i], factor, _mm512_abs_ps(subtracted));
    bounded &= _mm512_cmp_ps_mask(most, _mm512_set1_ps(64 * 128.0f), _CMP_LE_OQ) == 0xffff;
  }
  return bounded;
}

/// Follows the maximum of new scores [count][32] where it grows by more than 2^8, scaling what is there down. Returns
/// whether it is small enough to be counted in 128ths.
static bool follow_maximum(const struct head *h, struct tile *t, const float *scores, long count) {
  bool small = true;
  for (int lane = 0; lane < 32; lane += VL) {
    const float *s = scores + lane;
    vf top[4] = {vload(s), vload(s), vload(s), vload(s)};
    long j = 1;
    for (; j + 4 <= count; j += 4)
      for (int i = 0; i < 4; i++) top[i] = (vf)_mm512_max_ps((__m512)vload(s + (j + i) * 32), (__m512)top[i]);
    for (; j < count; j++) top[0] = (vf)_mm512_max_ps((__m512)vload(s + j * 32), (__m512)top[0]);
    top[0] = (vf)_mm512_max_ps((__m512)top[1], (__m512)top[0]);
    top[2] = (vf)_mm512_max_ps((__m512)top[3], (__m512)top[2]);
    const vf most = (vf)_mm512_max_ps((__m512)top[2], (__m512)top[0]) * h->factor;
    const vf now = (vf)_mm512_roundscale_ps((__m512)most, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    small &= _mm512_cmp_ps_mask(_mm512_abs_ps((__m512)now), _mm512_set1_ps(0x1p21f), _CMP_LT_OQ) == 0xffff;
    if (!t->before) {
      vstore(t->largest + lane, now);
      vstore(t->sum + lane, vsplat(0));
      continue;
    }
    const vf before = vload(t->largest + lane);
    if (_mm512_cmp_ps_mask((__m512)(now - before), _mm512_set1_ps(8 * 128.0f), _CMP_GT_OQ) == 0) continue;
    const vf after = (vf)_mm512_max_ps((__m512)now, (__m512)before), shrink = vexp2_negative((before - after) / 128.0f);
    vstore(t->largest + lane, after);
    vstore(t->sum + lane, vload(t->sum + lane) * shrink);
    float *o = t->before + lane;
    for (long i = 0; i < h->plan.depth; i++, o += 32) vstore(o, vload(o) * shrink);
  }
  return small;
}

/// Results of a tile, while rows are softened, of the next tile or its own.
static void add_results(struct pending *s, struct pending *meanwhile, long softened) {
  const struct head *h = s->h;
  const long keys = ck_round_up(s->present, RUN), depth = ck_round_up(h->a->d, ROWS_AT_ONCE);
  product(s->tile.o, ALL, s->tile.before, h->v, h->plan.column, depth, s->p, keys, meanwhile, softened);
  for (int i = 0; i < 2; i++) vstore(s->tile.sum + i * VL, vload(s->tile.sum + i * VL) + s->total[i]);
}

/// The rest of a tile's softening, and its results, while the next tile is softened.
static void finish(struct pending *s, struct pending *next) {
  if (s->count == 0) return;
  finish_rows(s, s->count);
  add_results(s, next, next->count / 2);
}

/// All of a tile whose scores can be softened as they come: a block of 32 while the next is made, the last one while
/// results are, before the products come to it.
static void finish_at_once(struct pending *s) {
  const struct head *h = s->h;
  const long keys = ck_round_up(s->present, 16), run = ck_round_up(h->a->d, RUN);
  product(s->scores, s->mask, NULL, h->k, h->plan.row, keys, s->tile.q, run, s, 2 * keys);
  s->ready = s->count;
  // With one block there is no product before.
  if (!WORKS_MEANWHILE || s->count == 32) finish_rows(s, s->count);
  // At 64 rows a block of products, half of these steps are enough for the last 32.
  add_results(s, s, 4 * ck_round_up(h->a->d, ROWS_AT_ONCE));
}

/// Rows of o from the part's query `query` on = o [depth][32] / sum.
static void store_results(const struct head *h, const struct tile *t, long query) {
  const struct ck_attention *a = h->a;
  for (long lane = 0; lane < 32; lane += 16) {
    const vf scale = 1.0f / vload((h->ones ? t->o + h->a->d * 32 : t->sum) + lane);
    const long exist = clamp(h->count - query - lane, 16);
    for (long c = 0; c < a->d; c += 16) {
      const long count = clamp(a->d - c, 16);
      vi rows[16];
      for (int i = 0; i < 16; i++) rows[i] = i < count ? (vi)(vload(t->o + (c + i) * 32 + lane) * scale) : (vi)(0);
      transpose16(rows);
      uint16_t *to = (uint16_t *)a->o + (h->query_row + query + lane) * a->o_pitch + h->column + c;
      for (long i = 0; i < exist; i++, to += a->o_pitch) vstore_some(to, CK_BF16, (vf)rows[i], count);
    }
  }
}

void CK_NAME(attention_bf16)(const void *arguments, long part, long parts, void *scratch) {
  (void)parts;
  const struct ck_attention *a = arguments;
  struct head h = {.a = a, .plan = ck_attention_bf16_plan(a), .factor = a->scale * 128.0f * 1.4426950408889634f};
  const struct ck_attention_bf16_layout at = ck_attention_bf16_layout(&h.plan);
  char *memory = scratch;
  const long sample = part / h.plan.blocks / a->heads, first = part % h.plan.blocks * h.plan.block;
  h.count = ck_min_long(h.plan.block, a->queries - first);
  h.query_row = sample * a->queries + first;
  h.key_row = sample * a->keys;
  h.column = part / h.plan.blocks % a->heads * a->d;
  h.ones = a->d % ROWS_AT_ONCE != 0;
  h.k = (uint16_t *)(memory + at.k), h.v = (uint16_t *)(memory + at.v), h.sizes = (uint16_t *)(memory + at.sizes);

  // Of the blocks of keys in turn: what a product adds to is still there should it fail.
  float *const o = (float *)(memory + at.o), *const results[] = {o, o + MAY_FAIL * h.plan.block * h.plan.depth};

  struct pending none = {0};
  begin_blocks();
  const long last = a->causal ? ck_min_long(a->keys, first + h.count) : a->keys;
  for (long key = 0; key < last; key += h.plan.keys) {
    pack_keys(&h, key, ck_min_long(h.plan.keys, last - key));
    struct pending pending = none;
    for (long query = 0; query < h.count; query += 32) {
      // No key after the tile's last query matters to it.
      const long end = a->causal ? ck_min_long(last, first + query + 32) : last;
      const long n = ck_min_long(h.plan.keys, end - key);
      if (n <= 0) continue;
      struct tile t = {
        .q = (uint16_t *)(memory + at.q) + query * h.plan.row,
        .before = key > 0 ? results[(key / h.plan.keys + 1) % 2] + query * h.plan.depth : NULL,
        .o = results[key / h.plan.keys % 2] + query * h.plan.depth,
        .largest = (float *)(memory + at.largest) + query,
        .sum = (float *)(memory + at.sum) + query,
      };
      if (key == 0) {
        pack_queries(&h, t.q, query);
        const long next = query + 32;
        fetch_rows(a->q, CK_BF16, a->q_pitch, h.column, a->d, h.query_row + next, h.count - next);
      }
      if (key + n == end)
        fetch_rows(a->o, CK_BF16, a->o_pitch, h.column, a->d, h.query_row + query, h.count - query);
      const bool bounded = is_bounded(&h, &t), masked = a->causal && key + n - 1 > first + query;
      const bool at_once = bounded && !masked;
      // Two tiles' scores are kept where those of the one before are still to be softened.
      const long place = at_once ? 0 : query / 32 % 2 * h.plan.keys * 32;
      float *s = (float *)(memory + at.scores) + place;
      if (bounded && !t.before)
        for (int i = 0; i < 32; i++) t.largest[i] = t.sum[i] = 0;
      struct pending next = {
        .h = &h, .tile = t, .scores = s, .mask = at_once ? TWO_BLOCKS : ALL, .p = (uint16_t *)(memory + at.p) + place,
        .count = ck_round_up(n, 32), .present = n, .odd = h.odd_queries || h.odd_keys, .bounded = bounded,
      };
      if (at_once) {
        finish(&pending, &none);
        pending = none;
        finish_at_once(&next);
        continue;
      }
      // Scores that have to be looked at first, or masked, are softened while the next tile's are made.
      const long run = ck_round_up(a->d, RUN);
      product(s, next.mask, NULL, h.k, h.plan.row, ck_round_up(n, 16), t.q, run, &pending, pending.count / 2);
      next.ready = next.count;
      if (masked) mask_future(s, key, n, first + query);
      if (!bounded) next.odd |= !follow_maximum(&h, &t, s, n);
      finish(&pending, &next);
      pending = next;
    }
    finish(&pending, &none);
  }
  for (long query = 0; query < h.count; query += 32) {
    const long keys = a->causal ? ck_min_long(last, first + query + 32) : last;
    const struct tile t = {
      .o = results[(ck_ceil_div(keys, h.plan.keys) + 1) % 2] + query * h.plan.depth,
      .sum = (float *)(memory + at.sum) + query};
    store_results(&h, &t, query);
  }
  end_blocks();
}
