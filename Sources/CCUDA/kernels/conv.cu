// Convolutions and matrix products in 16 bits on tensor cores, sums in f32: implicit GEMM with everything behind it.
//
// A block computes BM pixels × BN columns. K runs over sources, channels and taps in pieces of 64 channels, which are
// 128-byte lines in shared memory, swizzled by 16-byte pieces (piece ^= line % 8); STAGES pieces are on their way at a
// time. Small results are cut along K: each part leaves its sums in memory, and the last one to finish adds them all in
// order, so that results do not depend on which one that is.
#include "prelude.cuh"
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
    x_shift = w_shift = 0;
    if (p.phases == 1) {
      x_shift = batch / p.batch_inner * p.x_strides[0] + batch % p.batch_inner * p.x_strides[1];
      w_shift = batch / p.batch_inner * p.w_strides[0] + batch % p.batch_inner * p.w_strides[1];
    }
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

// What follows the sums, eight columns of a pixel at a time.
template <int BM, int BN>
DEVICE void finish(const cu_conv &p, const float *sums, int m0, int n0, int batch) {
  constexpr int THREADS = BM * 2, PITCH = BN + 4;
  const int per_row = p.gated ? BN / 16 : BN / 8, columns = p.gated ? p.columns / 2 : p.columns;
  const int first = p.gated ? n0 / 2 : n0, pixels = p.out_h * p.out_w;
  const long long y_shift =
      p.phases == 2 ? 0 : batch / p.batch_inner * p.y_strides[0] + batch % p.batch_inner * p.y_strides[1];
  for (int unit = threadIdx.x; unit < BM * per_row; unit += THREADS) {
    const int row = unit / per_row, part = unit % per_row;
    const int m = m0 + row, n = first + part * 8;
    if (m >= p.samples * pixels || n >= columns) continue;
    const int sample = m / pixels;
    long long pixel = m;
    if (p.phases == 2) {
      const int oy = m % pixels / p.out_w, ox = m % p.out_w;
      pixel = ((long long)sample * 2 * p.out_h + 2 * oy + batch / 2) * 2 * p.out_w + 2 * ox + batch % 2;
    }
    float v[8], gate[8];
    const float *from = sums + row * PITCH + part * (p.gated ? 16 : 8);
#pragma unroll
    for (int i = 0; i < 8; i++) v[i] = from[i], gate[i] = p.gated ? from[8 + i] : 0;
    const bool whole = p.aligned && n + 8 <= columns;
    bool gating = p.gated;
    for (int e = 0; e < p.epilogue_count; e++) {
      const cu_epilogue &epilogue = p.epilogues[e];
      if (epilogue.kind == CU_ACTIVATION) {
        activate8(epilogue.function, v);
        continue;
      }
      if (epilogue.kind == CU_GATE) {
        activate8(epilogue.function, gate);
#pragma unroll
        for (int i = 0; i < 8; i++) v[i] *= gate[i];
        gating = false;
        continue;
      }
      const long long base = epilogue.kind == CU_BIAS ? 0
          : (epilogue.kind == CU_ROW ? (long long)sample : pixel) * epilogue.pitch;
      float x[8];
#pragma unroll
      for (int half = 0; half < 2; half++) {
        if (half && !gating) break;
        const long long at = base + n + half * columns;
        if (whole) {
          load8(x, epilogue.x, at, epilogue.dtype);
        } else {
          for (int i = 0; i < 8; i++) x[i] = n + i < columns ? load_float(epilogue.x, at + i, epilogue.dtype) : 0;
        }
#pragma unroll
        for (int i = 0; i < 8; i++) (half ? gate[i] : v[i]) += x[i];
      }
    }
    const long long at = y_shift + pixel * p.y_pitch + n;
    if (whole) {
      store8(v, p.y, at, p.y_dtype);
    } else {
      for (int i = 0; i < 8; i++)
        if (n + i < columns) store_float(p.y, at + i, p.y_dtype, v[i]);
    }
  }
}

template <typename T, int BM, int BN, int STAGES> DEVICE void conv(const cu_conv &p, char *shared) {
  constexpr int THREADS = BM * 2, STAGE = (BM + BN) * 128, SUMS = BN / 2;
  const int batch = p.batch_first + blockIdx.z, split = blockIdx.y, tile_n = blockIdx.x % p.tiles_n, tile_m = blockIdx.x / p.tiles_n;
  const int m0 = tile_m * BM, n0 = tile_n * BN;
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
    __threadfence();
    __syncthreads();
    int *last = (int *)shared, *counter = (int *)p.counters + tile;
    if (threadIdx.x == 0) *last = atomicAdd(counter, 1) == p.splits - 1;
    __syncthreads();
    if (!*last) return;
    __threadfence();
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
    *(float2 *)(staged + row * (BN + 4) + column) = make_float2(sums.value[r], sums.value[r + 1]);
  }
  __syncthreads();
  finish<BM, BN>(p, staged, m0, n0, batch);
}

#define CONV(T, BM, BN, STAGES, BLOCKS)                                                          \
  KERNEL(BM * 2, BLOCKS) conv_##T##_##BM##x##BN(PARAMETER cu_conv p) {                           \
    SHARED_MEMORY(shared);                                                                       \
    conv<T, BM, BN, STAGES>(p, shared);                                                          \
  }

// Blocks of 96 KiB that a multiprocessor has room for.
#if __CUDA_ARCH__ == 900 || __CUDA_ARCH__ == 1000
#define WIDE_BLOCKS 2
#else
#define WIDE_BLOCKS 1
#endif

// `ConvTile` on the host has the same list.
#define TILES(T)                    \
  CONV(T, 128, 160, 4, 1)           \
  CONV(T, 128, 128, 3, WIDE_BLOCKS) \
  CONV(T, 128, 64, 4, WIDE_BLOCKS)  \
  CONV(T, 64, 64, 4, 3)
TILES(f16)
TILES(bf16)
