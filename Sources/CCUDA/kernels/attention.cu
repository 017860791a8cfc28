// Attention in blocks of keys with an online softmax; scores are never stored.
//
// A warp has 16 queries, or 32 where registers allow, as each matrix of keys or values that it loads serves all of them; keys
// and values come in tiles of 64, copied while the tile before is worked on. Lines in shared memory are padded to an odd
// number of 16-byte pieces, so that matrices are loaded without conflicts. Sources: Dao 2023, arXiv:2307.08691
// (FlashAttention-2); Milakov & Gimelshein 2018, arXiv:1805.02867 (online softmax).
#include "prelude.cuh"

constexpr int KEYS = 64, THREADS = 128;

// 16-byte pieces of a line of D padded to 16, made odd.
constexpr int pieces_of(int d) { return ((d + 15) / 16 * 2) | 1; }

// Copies ROWS rows from `row` on; pieces behind D and rows behind `rows` are zeros.
template <int D, int ROWS> DEVICE void copy_rows(unsigned to, cu_address from, int pitch, int row, int rows) {
  constexpr int PIECES = (D + 15) / 16 * 2, LINE = pieces_of(D) * 16;
  static_assert(ROWS * PIECES % THREADS == 0, "all threads copy as much");
#pragma unroll
  for (int i = 0; i < ROWS * PIECES / THREADS; i++) {
    const int index = i * THREADS + threadIdx.x, line = index / PIECES, piece = index % PIECES;
    const bool valid = row + line < rows && piece * 8 < D;
    copy_async(to + line * LINE + piece * 16, from + 2 * ((long long)(row + line) * pitch + piece * 8), valid);
  }
}

// ROWS: fragments of 16 queries a warp.
template <typename T, int D, int ROWS> DEVICE void attention(const cu_attention &p, char *shared) {
  constexpr int K_STEPS = (D + 15) / 16, V_FRAGMENTS = D / 8, LINE = pieces_of(D) * 16, TILE = KEYS * LINE;
  constexpr int QUERIES = THREADS / 32 * ROWS * 16;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int head = blockIdx.y, sample = blockIdx.z, first = blockIdx.x * QUERIES;
  const unsigned base = shared_address(shared);
  wait_for_previous();
  allow_next();
  const cu_address q = p.q + 2 * ((long long)sample * p.queries * p.q_pitch + head * p.d);
  const cu_address k = p.k + 2 * ((long long)sample * p.keys * p.k_pitch + head * p.d);
  const cu_address v = p.v + 2 * ((long long)sample * p.keys * p.v_pitch + head * p.d);
  const int last_query = first + QUERIES < p.queries ? first + QUERIES : p.queries;
  const int keys = p.causal && last_query < p.keys ? last_query : p.keys;
  const int tiles = (keys + KEYS - 1) / KEYS;

  copy_rows<D, QUERIES>(base, q, p.q_pitch, first, p.queries);
  copy_commit();
  copy_wait<0>();
  __syncthreads();
  unsigned queries[ROWS][K_STEPS][4];
#pragma unroll
  for (int r = 0; r < ROWS; r++)
#pragma unroll
    for (int s = 0; s < K_STEPS; s++)
      load_matrices(queries[r][s], base + ((warp * ROWS + r) * 16 + lane % 16) * LINE + (2 * s + lane / 16) * 16);
  __syncthreads();

  // Two tiles of keys, then two of values.
  copy_rows<D, KEYS>(base, k, p.k_pitch, 0, p.keys);
  copy_rows<D, KEYS>(base + 2 * TILE, v, p.v_pitch, 0, p.keys);
  copy_commit();

  float sums[ROWS][V_FRAGMENTS][4] = {};
  float highest[ROWS][2], total[ROWS][2] = {};
#pragma unroll
  for (int r = 0; r < ROWS; r++) highest[r][0] = highest[r][1] = NEGATIVE_INFINITY;
  const float scale = p.scale * 1.4426950408889634f;
  const int own = first + warp * ROWS * 16 + lane / 4;
  for (int tile = 0; tile < tiles; tile++) {
    const unsigned at = base + tile % 2 * TILE;
    if (tile + 1 < tiles) {
      const unsigned to = base + (tile + 1) % 2 * TILE;
      copy_rows<D, KEYS>(to, k, p.k_pitch, (tile + 1) * KEYS, p.keys);
      copy_rows<D, KEYS>(to + 2 * TILE, v, p.v_pitch, (tile + 1) * KEYS, p.keys);
    }
    copy_commit();
    copy_wait<1>();
    __syncthreads();

    float scores[ROWS][KEYS / 8][4] = {};
#pragma unroll
    for (int s = 0; s < K_STEPS; s++) {
#pragma unroll
      for (int j = 0; j < KEYS / 8; j += 2) {
        unsigned columns[4];
        load_matrices(columns, at + (j * 8 + lane % 8 + lane / 16 * 8) * LINE + (2 * s + lane / 8 % 2) * 16);
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
          T::multiply(scores[r][j], queries[r][s], columns[0], columns[1]);
          T::multiply(scores[r][j + 1], queries[r][s], columns[2], columns[3]);
        }
      }
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      float(&score)[KEYS / 8][4] = scores[r];
      if (tile == tiles - 1 || p.causal) {
#pragma unroll
        for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
          for (int i = 0; i < 4; i++) {
            const int key = tile * KEYS + j * 8 + lane % 4 * 2 + i % 2;
            if (key >= p.keys || (p.causal && key > own + r * 16 + i / 2 * 8)) score[j][i] = NEGATIVE_INFINITY;
          }
      }
#pragma unroll
      for (int half = 0; half < 2; half++) {
        float top = highest[r][half];
#pragma unroll
        for (int j = 0; j < KEYS / 8; j++) top = fmaxf(top, fmaxf(score[j][2 * half], score[j][2 * half + 1]));
        top = fmaxf(top, shuffle_xor(top, 1));
        top = fmaxf(top, shuffle_xor(top, 2));
        const float base = top == NEGATIVE_INFINITY ? 0 : top, shift = base * scale;
        // Exactly 1 where the maximum stays.
        const float rescale = exp2_fast((highest[r][half] - base) * scale);
        highest[r][half] = top;
        float sum = 0;
#pragma unroll
        for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
          for (int i = 2 * half; i < 2 * half + 2; i++) {
            score[j][i] = exp2_fast(score[j][i] * scale - shift);
            sum += score[j][i];
          }
        total[r][half] = total[r][half] * rescale + sum;
#pragma unroll
        for (int j = 0; j < V_FRAGMENTS; j++) sums[r][j][2 * half] *= rescale, sums[r][j][2 * half + 1] *= rescale;
      }
    }
#pragma unroll
    for (int s = 0; s < KEYS / 16; s++) {
      unsigned probabilities[ROWS][4];
#pragma unroll
      for (int r = 0; r < ROWS; r++)
#pragma unroll
        for (int i = 0; i < 4; i++)
          probabilities[r][i] = T::pack(scores[r][2 * s + i / 2][i % 2 * 2], scores[r][2 * s + i / 2][i % 2 * 2 + 1]);
#pragma unroll
      for (int j = 0; j < V_FRAGMENTS; j += 2) {
        unsigned columns[4];
        load_matrices_transposed(columns, at + 2 * TILE + (s * 16 + lane % 16) * LINE + (j + lane / 16) * 16);
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
          T::multiply(sums[r][j], probabilities[r], columns[0], columns[1]);
          if (j + 1 < V_FRAGMENTS) T::multiply(sums[r][j + 1], probabilities[r], columns[2], columns[3]);
        }
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int r = 0; r < ROWS; r++)
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float &sum = total[r][half];
      sum += shuffle_xor(sum, 1);
      sum += shuffle_xor(sum, 2);
      const int query = own + r * 16 + half * 8;
      if (query >= p.queries) continue;
      const float factor = 1 / sum;
      const long long row = ((long long)sample * p.queries + query) * p.o_pitch + head * p.d + lane % 4 * 2;
#pragma unroll
      for (int j = 0; j < V_FRAGMENTS; j++) {
        const float low = sums[r][j][2 * half] * factor, high = sums[r][j][2 * half + 1] * factor;
        if (p.o_dtype == CU_F32) {
          *(float2 *)((float *)p.o + row + j * 8) = make_float2(low, high);
        } else {
          *(unsigned *)((unsigned short *)p.o + row + j * 8) = T::pack(low, high);
        }
      }
    }
}

// `Attention.rows` on the host has the same list of widths.
#define ATTENTION(T, D, ROWS)                                        \
  KERNEL(THREADS, 1) attention_##T##_##D(PARAMETER cu_attention p) { \
    SHARED_MEMORY(shared);                                           \
    attention<T, D, ROWS>(p, shared);                                \
  }
#define WIDTHS(T) \
  ATTENTION(T, 8, 2) ATTENTION(T, 16, 2) ATTENTION(T, 32, 2) ATTENTION(T, 40, 2) ATTENTION(T, 64, 2) \
  ATTENTION(T, 80, 1) ATTENTION(T, 128, 1) ATTENTION(T, 160, 1)
WIDTHS(f16)
WIDTHS(bf16)

// Any types and widths: a block has one query of one head and keeps all its scores.
KERNEL(128, 1) attention_any(PARAMETER cu_attention p) {
  SHARED_MEMORY(shared);
  float *scores = (float *)shared;
  __shared__ float partial[4];
  wait_for_previous();
  allow_next();
  const int query = blockIdx.x, head = blockIdx.y, sample = blockIdx.z, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int keys = p.causal ? query + 1 : p.keys;
  const long long q = ((long long)sample * p.queries + query) * p.q_pitch + head * p.d;
  const long long k = (long long)sample * p.keys * p.k_pitch + head * p.d;
  const long long v = (long long)sample * p.keys * p.v_pitch + head * p.d;
  float highest = NEGATIVE_INFINITY;
  for (int key = threadIdx.x; key < keys; key += 128) {
    float score = 0;
    for (int i = 0; i < p.d; i++)
      score += load_float(p.q, q + i, p.dtype) * load_float(p.k, k + (long long)key * p.k_pitch + i, p.dtype);
    scores[key] = score * p.scale;
    highest = fmaxf(highest, scores[key]);
  }
  for (int mask = 16; mask > 0; mask /= 2) highest = fmaxf(highest, shuffle_xor(highest, mask));
  if (lane == 0) partial[warp] = highest;
  __syncthreads();
  highest = fmaxf(fmaxf(partial[0], partial[1]), fmaxf(partial[2], partial[3]));
  __syncthreads();
  float total = 0;
  for (int key = threadIdx.x; key < keys; key += 128) {
    scores[key] = expf(scores[key] - highest);
    total += scores[key];
  }
  for (int mask = 16; mask > 0; mask /= 2) total += shuffle_xor(total, mask);
  if (lane == 0) partial[warp] = total;
  __syncthreads();
  total = partial[0] + partial[1] + partial[2] + partial[3];
  for (int i = threadIdx.x; i < p.d; i += 128) {
    float sum = 0;
    for (int key = 0; key < keys; key++) sum += scores[key] * load_float(p.v, v + (long long)key * p.v_pitch + i, p.dtype);
    store_float(p.o, ((long long)sample * p.queries + query) * p.o_pitch + head * p.d + i, p.o_dtype, sum / total);
  }
}
