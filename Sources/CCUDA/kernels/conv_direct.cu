// Convolutions and matrix products of any types in f32 arithmetic: what the tensor cores' kernels do not take (f32, channels
// that are no multiple of eight). 64 pixels × 64 columns a block, 16 k at a time, 4 × 4 sums a thread.
#include "epilogue.cuh"

KERNEL(256, 2) conv_direct(PARAMETER cu_conv p) {
  __shared__ float a[16][68], b[16][68];
  wait_for_previous();
  allow_next();
  const int batch = p.batch_first + blockIdx.z, m0 = blockIdx.x / p.tiles_n * 64, n0 = blockIdx.x % p.tiles_n * 64;
  const int pixels = p.out_h * p.out_w, rows = p.samples * pixels;
  const int outputs = p.gated ? p.columns / 2 : p.columns;
  const int phase_y = p.phases == 2 ? batch / 2 : 0, phase_x = p.phases == 2 ? batch % 2 : 0;
  const long long x_shift = product_shift(p, p.x_strides, batch);
  const int ty = threadIdx.x / 16, tx = threadIdx.x % 16;

  // Gated: the first half of the block's columns are values, the second their gates.
  float sums[4][4] = {};
  for (int index = 0; index < p.source_count; index++) {
    const cu_source &s = p.sources[index];
    const int pad_top = p.phases == 2 ? 1 - phase_y : s.pad_top, pad_left = p.phases == 2 ? 1 - phase_x : s.pad_left;
    const int taps = s.kernel_h * s.kernel_w, depth = taps * s.channels;
    const long long w_shift = product_shift(p, p.w_strides, batch) + (2 * phase_y + phase_x) * depth;
    for (int k0 = 0; k0 < depth; k0 += 16) {
      for (int i = threadIdx.x; i < 16 * 64; i += 256) {
        const int k = k0 + i % 16, m = m0 + i / 16, n = i / 16;
        float x = 0, w = 0;
        if (k < depth) {
          const int tap = k / s.channels, channel = k % s.channels;
          if (m < rows) {
            int iy = m % pixels / p.out_w * s.stride + tap / s.kernel_w - pad_top;
            int ix = m % p.out_w * s.stride + tap % s.kernel_w - pad_left;
            if (iy >= 0 && iy < s.up_h && ix >= 0 && ix < s.up_w) {
              if (s.up_h != s.in_h) iy = nearest(iy, s.in_h, s.up_h);
              if (s.up_w != s.in_w) ix = nearest(ix, s.in_w, s.up_w);
              const long long pixel = ((long long)(m / pixels) * s.in_h + iy) * s.in_w + ix;
              x = load_float(s.x, x_shift + pixel * s.pitch + channel, s.x_dtype);
            }
          }
          const int column = p.gated ? n0 / 2 + n % 32 : n0 + n;
          if (column < outputs) {
            const long long line = column + (p.gated && n >= 32 ? outputs : 0);
            w = load_float(s.w, w_shift + line * s.w_pitch + k, s.w_dtype);
          }
        }
        a[i % 16][i / 16] = x;
        b[i % 16][i / 16] = w;
      }
      __syncthreads();
#pragma unroll
      for (int k = 0; k < 16; k++) {
        float u[4], v[4];
#pragma unroll
        for (int i = 0; i < 4; i++) u[i] = a[k][ty * 4 + i], v[i] = b[k][tx + 16 * i];
#pragma unroll
        for (int i = 0; i < 4; i++)
#pragma unroll
          for (int j = 0; j < 4; j++) sums[i][j] += u[i] * v[j];
      }
      __syncthreads();
    }
  }

  // Columns tx + 16 j; with gates those of j = 2, 3 belong to the values of j = 0, 1.
  const long long y_shift = product_shift(p, p.y_strides, batch);
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const int m = m0 + ty * 4 + i;
    if (m >= rows) continue;
    const Output to = output(p, m, batch);
#pragma unroll
    for (int j = 0; j < 4; j++) {
      const int n = (p.gated ? n0 / 2 : n0) + tx + 16 * j;
      if (n >= outputs || (p.gated && j >= 2)) continue;
      const float value = finish_one(p, sums[i][j], sums[i][(j + 2) % 4], to, n, outputs);
      store_float(p.y, y_shift + to.pixel * p.y_pitch + n, p.y_dtype, value);
    }
  }
}
