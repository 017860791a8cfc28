// Convolutions and matrix products in 16 bits on tensor cores, sums in f32: implicit GEMM with everything behind it.
//
// A block computes BM pixels × BN columns. K runs over sources, channels and taps in pieces of 64 channels, which are
// 128-byte lines in shared memory, swizzled by 16-byte pieces (piece ^= line % 8); STAGES pieces are on their way at a
// time. Small results are cut along K: each part leaves its sums in memory, and the last one to finish adds them all in
// order, so that results do not depend on which one that is.
#include "epilogue.cuh"
#include "multiply.cuh"

// Walks K for the pieces that one thread copies: four lines of A and the lines of B that begin at its own. Taps take turns
// under the same channels, so that pixels which neighbouring taps share are read from the multiprocessor's own cache.
template <int BM, int BN> struct Loader {
  static constexpr int THREADS = BM * 2, LINES = THREADS / 8, B_PASSES = (BN + LINES - 1) / LINES;
  const cu_conv &p;
  const int m0, phase_y, phase_x, piece, line;
  int origin[4];       // where lines of A are under the first tap (if resized, under the present one)
  unsigned inside[4];  // their taps that are inside of the image
  int column, gates;   // the first line's column of w, values and gates taking turns by eights; gates are so much further
  int source, tap, ky, kx, c;
  bool entered;  // the source
  long long x_shift, w_shift;

  __device__ Loader(const cu_conv &p, int m0, int n0, int batch)
      : p(p), m0(m0), phase_y(p.phases == 2 ? batch / 2 : 0), phase_x(p.phases == 2 ? batch % 2 : 0),
        piece(threadIdx.x % 8), line(threadIdx.x / 8) {
    x_shift = product_shift(p, p.x_strides, batch);
    w_shift = product_shift(p, p.w_strides, batch);
    column = p.gated ? n0 / 2 + line / 16 * 8 + line % 8 : n0 + line;
    gates = p.gated ? line / 8 % 2 * (p.columns / 2) : 0;
  }

  static __device__ int taps(const cu_source &s) { return s.kernel_h * s.kernel_w; }
  static __device__ int pieces(const cu_source &s) { return taps(s) * ((s.channels + 63) / 64); }

  __device__ void seek(int target) {
    for (source = 0; target >= pieces(p.sources[source]); source++) target -= pieces(p.sources[source]);
    const cu_source &s = p.sources[source];
    c = target / taps(s) * 64;
    tap = target % taps(s);
    ky = tap / s.kernel_w;
    kx = tap % s.kernel_w;
    entered = false;
  }

  // The pixel that the first tap of line i sees; negative where line i has none.
  struct Pixel { int sample, y, x; };
  __device__ Pixel pixel(int i) const {
    const cu_source &s = p.sources[source];
    const int pixels = p.out_h * p.out_w, m = m0 + line + i * LINES, pixel = m % pixels;
    const int top = p.phases == 2 ? 1 - phase_y : s.pad_top, left = p.phases == 2 ? 1 - phase_x : s.pad_left;
    return {m < p.samples * pixels ? m / pixels : -1, pixel / p.out_w * s.stride - top, pixel % p.out_w * s.stride - left};
  }

  __device__ void enter() {
    entered = true;
    const cu_source &s = p.sources[source];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const Pixel at = pixel(i);
      origin[i] = ((at.sample * s.in_h + at.y) * s.in_w + at.x) * s.pitch;
      const int left = max(-at.x, 0), right = min(s.up_w - at.x, s.kernel_w);
      const unsigned row = at.sample >= 0 && left < right ? (1ull << right) - (1ull << left) : 0;
      inside[i] = 0;
#pragma unroll 1
      for (int y = max(-at.y, 0); y < min(s.up_h - at.y, s.kernel_h); y++) inside[i] |= row << y * s.kernel_w;
    }
  }

  // Where lines are under the present tap, for an image of another size than the taps see.
  __device__ void resize() {
    const cu_source &s = p.sources[source];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const Pixel at = pixel(i);
      const int y = nearest(at.y + ky, s.in_h, s.up_h), x = nearest(at.x + kx, s.in_w, s.up_w);
      origin[i] = ((at.sample * s.in_h + y) * s.in_w + x) * s.pitch;
    }
  }

  __device__ void advance() {
    const cu_source &s = p.sources[source];
    tap++;
    if (++kx < s.kernel_w) return;
    kx = 0;
    if (++ky < s.kernel_h) return;
    ky = tap = 0;
    c += 64;
    if (c < s.channels) return;
    c = 0;
    source++;
    entered = false;
  }

  __device__ void load(unsigned shared) {
    if (!entered) enter();
    const cu_source &s = p.sources[source];
    const bool resized = s.up_h != s.in_h || s.up_w != s.in_w;
    if (resized) resize();
    // What is not to be read has an address all the same, often outside of its tensor.
    const int channel = c + piece * 8, k = ((2 * phase_y + phase_x) * taps(s) + tap) * s.channels;
    const bool has = channel < s.channels;
    const cu_address x = s.x + 2 * (x_shift + channel + (resized ? 0 : (ky * s.in_w + kx) * s.pitch));
    const cu_address w = s.w + 2 * (w_shift + k + channel + (long long)(column + gates) * s.w_pitch);
    const unsigned at = shared + line * 128 + ((piece ^ (line & 7)) << 4), bit = has ? 1u << tap : 0;
#pragma unroll
    for (int i = 0; i < 4; i++) copy_async_cached(at + i * LINES * 128, x + 2ll * origin[i], (inside[i] & bit) != 0);
    const int limit = !has ? 0 : p.gated ? p.columns / 2 : p.columns, step = p.gated ? LINES / 2 : LINES;
    const long long step_bytes = 2ll * step * s.w_pitch;
#pragma unroll
    for (int i = 0; i < B_PASSES; i++) {
      if (BN % LINES != 0 && line + i * LINES >= BN) break;
      copy_async(at + (BM + i * LINES) * 128, w + i * step_bytes, column + i * step < limit);
    }
    advance();
  }
};

// Sums of a line in shared memory, so that neither those who write nor those who read them wait for one another's banks.
constexpr int pitch_of(int columns) { return columns + 8; }

template <int N> DEVICE void add_lines(float (&v)[N][8], const cu_epilogue &epilogue, const long long (&at)[N]) {
  float x[N][8];
  load_lines(x, epilogue.x, at, epilogue.dtype);
#pragma unroll
  for (int l = 0; l < N; l++)
#pragma unroll
    for (int i = 0; i < 8; i++) v[l][i] += x[l][i];
}

// What follows the sums, where all operands are aligned: a thread has eight columns of some pixels, several of these at a time.
template <int BM, int BN, bool GATED>
DEVICE void finish(const cu_conv &p, const float *sums, int rows, int m0, int n0, int batch) {
  constexpr int UNITS = GATED ? BN / 16 : BN / 8, LINES = BM * 2 / UNITS, BATCH = GATED ? 2 : 4;
  const int columns = GATED ? p.columns / 2 : p.columns, unit = threadIdx.x % UNITS;
  const int n = (GATED ? n0 / 2 : n0) + unit * 8;
  if (threadIdx.x >= UNITS * LINES || n >= columns) return;

  // Biases in front are the same for all pixels.
  float bias[1][8] = {}, gate_bias[1][8] = {};
  int first = 0;
  for (; first < p.epilogue_count && p.epilogues[first].kind == CU_BIAS; first++) {
    add_lines<1>(bias, p.epilogues[first], {n});
    if (GATED) add_lines<1>(gate_bias, p.epilogues[first], {n + columns});
  }
  const long long y_shift = product_shift(p, p.y_strides, batch) + n;
  for (int row = threadIdx.x / UNITS; row < rows; row += LINES * BATCH) {
    float v[BATCH][8], gate[BATCH][8];
    Output to[BATCH];
#pragma unroll
    for (int b = 0; b < BATCH; b++) {
      // Rows behind the last are the last once more, but not stored.
      const int line = row + b * LINES < rows ? row + b * LINES : rows - 1;
      to[b] = output(p, m0 + line, batch);
      const float *from = sums + line * pitch_of(BN) + unit * (GATED ? 16 : 8);
#pragma unroll
      for (int i = 0; i < 8; i++) {
        v[b][i] = from[i] + bias[0][i];
        if (GATED) gate[b][i] = from[8 + i] + gate_bias[0][i];
      }
    }
    bool gating = GATED;
    for (int e = first; e < p.epilogue_count; e++) {
      const cu_epilogue &epilogue = p.epilogues[e];
      if (epilogue.kind == CU_ACTIVATION) {
#pragma unroll
        for (int b = 0; b < BATCH; b++) activate8(epilogue.function, v[b]);
      } else if (GATED && epilogue.kind == CU_GATE) {
#pragma unroll
        for (int b = 0; b < BATCH; b++) {
          activate8(epilogue.function, gate[b]);
#pragma unroll
          for (int i = 0; i < 8; i++) v[b][i] *= gate[b][i];
        }
        gating = false;
      } else {
        long long at[BATCH];
#pragma unroll
        for (int b = 0; b < BATCH; b++) at[b] = operand_line(p, epilogue, to[b]) + n;
        add_lines(v, epilogue, at);
        if (GATED && gating) {
#pragma unroll
          for (int b = 0; b < BATCH; b++) at[b] += columns;
          add_lines(gate, epilogue, at);
        }
      }
    }
#pragma unroll
    for (int b = 0; b < BATCH; b++)
      if (row + b * LINES < rows) store8(v[b], p.y, y_shift + to[b].pixel * p.y_pitch, p.y_dtype);
  }
}

// The same sum by sum, where they are not.
template <int BM, int BN> DEVICE void finish_all(const cu_conv &p, const float *sums, int rows, int m0, int n0, int batch) {
  const int columns = p.gated ? p.columns / 2 : p.columns, first = p.gated ? n0 / 2 : n0;
  const int width = min(p.gated ? BN / 2 : BN, columns - first);
  const long long y_shift = product_shift(p, p.y_strides, batch) + first;
#pragma unroll 1
  for (int i = threadIdx.x; i < rows * width; i += BM * 2) {
    const int row = i / width, column = i % width;
    const float *from = sums + row * pitch_of(BN) + (p.gated ? column / 8 * 16 + column % 8 : column);
    const Output to = output(p, m0 + row, batch);
    const float value = finish_one(p, from[0], p.gated ? from[8] : 0, to, first + column, columns);
    store_float(p.y, y_shift + to.pixel * p.y_pitch + column, p.y_dtype, value);
  }
}

template <typename T, int BM, int BN, int STAGES> DEVICE void conv(const cu_conv &p, char *shared) {
  constexpr int THREADS = BM * 2, STAGE = (BM + BN) * 128, SUMS = BN / 2;
  const int batch = p.batch_first + blockIdx.z, split = blockIdx.y;
  const int m0 = blockIdx.x / p.tiles_n * BM, n0 = blockIdx.x % p.tiles_n * BN;
  const unsigned base = shared_address(shared);
  wait_for_previous();
  allow_next();

  Loader<BM, BN> loader(p, m0, n0, batch);
  int pieces = 0;
  for (int s = 0; s < p.source_count; s++) pieces += Loader<BM, BN>::pieces(p.sources[s]);
  const int begin = (int)((long long)pieces * split / p.splits);
  const int count = (int)((long long)pieces * (split + 1) / p.splits) - begin;
  loader.seek(begin);

  Sums<T, BM, BN> sums;
  constexpr int AHEAD = STAGES - 1 - Sums<T, BM, BN>::LAG;
#pragma unroll 1
  for (int i = 0; i < AHEAD; i++) {
    if (i < count) loader.load(base + i * STAGE);
    copy_commit();
  }
  int stage = 0, next = AHEAD % STAGES;
  for (int i = 0; i < count; i++) {
    copy_wait<AHEAD - 1>();
    sums.settle();
    __syncthreads();
    sums.add(base + stage * STAGE, base + stage * STAGE + BM * 128);
    if (i + AHEAD < count) loader.load(base + next * STAGE);
    copy_commit();
    if (++stage == STAGES) stage = 0;
    if (++next == STAGES) next = 0;
  }
  sums.finish();

  if (p.splits > 1) {
    const long long tile = (long long)batch * p.tiles_m * p.tiles_n + blockIdx.x;
    float *partials = (float *)p.partials + tile * p.splits * SUMS * THREADS + threadIdx.x;
#pragma unroll
    for (int r = 0; r < SUMS; r++) partials[((long long)split * SUMS + r) * THREADS] = sums.value[r];
    __syncthreads();
    int *last = (int *)shared, *counter = (int *)p.counters + tile;
    if (threadIdx.x == 0) {
      // For all threads of the block, which the barriers put in front of it and behind.
      __threadfence();
      *last = atomicAdd(counter, 1) == p.splits - 1;
      __threadfence();
    }
    __syncthreads();
    if (!*last) return;
#pragma unroll
    for (int r = 0; r < SUMS; r++) sums.value[r] = 0;
    for (int s = 0; s < p.splits; s++)
#pragma unroll
      for (int r = 0; r < SUMS; r++) sums.value[r] += __ldcg(partials + ((long long)s * SUMS + r) * THREADS);
    if (threadIdx.x == 0) *counter = 0;
  }
  __syncthreads();
  float *staged = (float *)shared;
#pragma unroll
  for (int r = 0; r < SUMS; r += 2) {
    const int row = sums.row(r), column = sums.column(r);
    *(float2 *)(staged + row * pitch_of(BN) + column) = make_float2(sums.value[r], sums.value[r + 1]);
  }
  __syncthreads();
  const int rows = min(p.samples * p.out_h * p.out_w - m0, BM);
  if (!p.aligned) {
    finish_all<BM, BN>(p, staged, rows, m0, n0, batch);
  } else if (p.gated) {
    finish<BM, BN, true>(p, staged, rows, m0, n0, batch);
  } else {
    finish<BM, BN, false>(p, staged, rows, m0, n0, batch);
  }
}

#ifdef SD_WGMMA
#define CONV_NAME(T, BM, BN) wgmma_##T##_##BM##x##BN
#else
#define CONV_NAME(T, BM, BN) conv_##T##_##BM##x##BN
#endif
#define CONV(T, BM, BN, STAGES, BLOCKS)                              \
  KERNEL(BM * 2, BLOCKS) CONV_NAME(T, BM, BN)(PARAMETER cu_conv p) { \
    SHARED_MEMORY(shared);                                           \
    conv<T, BM, BN, STAGES>(p, shared);                              \
  }

// Blocks of 96 KiB that a multiprocessor has room for.
#if __CUDA_ARCH__ == 900 || __CUDA_ARCH__ == 1000
#define WIDE_BLOCKS 2
#else
#define WIDE_BLOCKS 1
#endif

// `ConvTile` on the host has the same list.
#define TILES(T)                    \
  CONV(T, 256, 128, 3, 1)           \
  CONV(T, 128, 160, 4, 1)           \
  CONV(T, 128, 128, 3, WIDE_BLOCKS) \
  CONV(T, 128, 64, 4, WIDE_BLOCKS)  \
  CONV(T, 64, 64, 4, 3)
TILES(f16)
TILES(bf16)
