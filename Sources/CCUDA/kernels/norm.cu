// Normalizations: GroupNorm in two steps, LayerNorm, softmax. Sums in f32 in an order that follows from shapes alone.
#include "prelude.cuh"

DEVICE float warp_sum(float x) {
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) x += shuffle_xor(x, mask);
  return x;
}

// A block has one part of one sample and 64 channels (blockIdx.y): 8 threads of 8 channels each, 32 rows at a time. Sums of
// x − shift and (x − shift)², shift being the part's first row, so that a large mean costs no digits.
KERNEL(256, 2) channel_statistics(PARAMETER cu_channel_statistics p) {
  constexpr int LINES = 32, BATCH = 8;
  __shared__ float sums[LINES][64 + 1], squares[LINES][64 + 1];
  wait_for_previous();
  allow_next();
  const int part = blockIdx.x, sample = blockIdx.z, channel = blockIdx.y * 64 + threadIdx.x % 8 * 8, lane = threadIdx.x / 8;
  const int begin = (int)((long long)part * p.rows / p.parts), end = (int)((long long)(part + 1) * p.rows / p.parts);
  const long long base = (long long)sample * p.rows * p.pitch + channel;
  float shift[1][8] = {}, sum[8] = {}, square[8] = {};
  if (p.pitch % 8 == 0 && channel + 8 <= p.channels && (p.x & 15) == 0) {
    load_lines<1>(shift, p.x, {base + (long long)begin * p.pitch}, p.dtype);
    for (int row = begin + lane; row < end; row += LINES * BATCH) {
      float x[BATCH][8];
      long long at[BATCH];
      // In place of rows that there are no more the first one, which is no deviation.
#pragma unroll
      for (int b = 0; b < BATCH; b++) at[b] = base + (long long)(row + b * LINES < end ? row + b * LINES : begin) * p.pitch;
      load_lines(x, p.x, at, p.dtype);
#pragma unroll
      for (int b = 0; b < BATCH; b++)
#pragma unroll
        for (int i = 0; i < 8; i++) {
          const float d = x[b][i] - shift[0][i];
          sum[i] += d;
          square[i] += d * d;
        }
    }
  } else {
#pragma unroll
    for (int i = 0; i < 8; i++) {
      if (channel + i >= p.channels) continue;
      const float first = load_float(p.x, base + (long long)begin * p.pitch + i, p.dtype);
      for (int row = begin + lane; row < end; row += LINES) {
        const float d = load_float(p.x, base + (long long)row * p.pitch + i, p.dtype) - first;
        sum[i] += d;
        square[i] += d * d;
      }
    }
  }
#pragma unroll
  for (int i = 0; i < 8; i++) {
    sums[lane][threadIdx.x % 8 * 8 + i] = sum[i];
    squares[lane][threadIdx.x % 8 * 8 + i] = square[i];
  }
  // The first row of the part, once more, by channel.
  __syncthreads();
  const int c = blockIdx.y * 64 + threadIdx.x;
  if (threadIdx.x >= 64 || c >= p.channels) return;
  float total = 0, totals = 0;
  for (int i = 0; i < LINES; i++) total += sums[i][threadIdx.x], totals += squares[i][threadIdx.x];
  const float count = (float)(end - begin), mean = total / count;
  const float first = load_float(p.x, base - channel + (long long)begin * p.pitch + c, p.dtype);
  float *out = (float *)p.statistics + (((long long)part * gridDim.z + sample) * p.channels + c) * 2;
  out[0] = first + mean;
  out[1] = fmaxf(totals - total * mean, 0.0f);
}

// Visits the parts of `rows` in order, with how many rows each has: that of part p is floor((p + 1) rows / parts) − floor(p
// rows / parts).
template <typename Body> DEVICE void for_parts(int rows, int parts, Body body) {
  const int whole = rows / parts, rest = rows % parts;
#pragma unroll 4
  for (int part = 0, sum = 0; part < parts; part++) {
    sum += rest;
    const bool more = sum >= parts;
    if (more) sum -= parts;
    body(part, (float)(whole + (more ? 1 : 0)));
  }
}

// y = function(factor · x + offset) of rows from `begin` to `end`; a thread has eight channels of some rows.
DEVICE void normalize_lines(const cu_normalize &p, const float *factors, const float *offsets, long long x_base, long long y_base,
                            int own, int begin, int end) {
  constexpr int BATCH = 4;
  const int units = own / 8, side = units < 256 ? units : 256, lines = 256 / side;
  if ((int)threadIdx.x >= side * lines) return;
  for (int unit = threadIdx.x % side; unit < units; unit += side) {
    float factor[8], offset[8];
#pragma unroll
    for (int i = 0; i < 8; i++) factor[i] = factors[unit * 8 + i], offset[i] = offsets[unit * 8 + i];
    for (int row = begin + threadIdx.x / side; row < end; row += lines * BATCH) {
      float v[BATCH][8];
      long long at[BATCH];
#pragma unroll
      for (int b = 0; b < BATCH; b++)
        at[b] = x_base + (long long)(row + b * lines < end ? row + b * lines : begin) * p.x_pitch + unit * 8;
      load_lines(v, p.x, at, p.x_dtype);
#pragma unroll
      for (int b = 0; b < BATCH; b++) {
        if (row + b * lines >= end) break;
#pragma unroll
        for (int i = 0; i < 8; i++) v[b][i] = v[b][i] * factor[i] + offset[i];
        activate8(p.function, v[b]);
        store8(v[b], p.y, y_base + (long long)(row + b * lines) * p.y_pitch + unit * 8, p.y_dtype);
      }
    }
  }
}

// A block has some whole groups of one sample (blockIdx.y) and a range of rows. It merges the groups' statistics first
// (Chan et al. 1979), then makes one pass over its pixels.
KERNEL(256, 2) normalize(PARAMETER cu_normalize p) {
  SHARED_MEMORY(shared);  // factor and offset of every channel; before that, its mean and squared deviations
  wait_for_previous();
  allow_next();
  const int sample = blockIdx.z, width = p.all_channels / p.groups;
  const int first_group = blockIdx.y * p.block_groups, channels = p.block_groups * width;
  // Channels of the whole image that this block has, cut to those that x has.
  const int low = first_group * width > p.first ? first_group * width : p.first;
  const int high_all = first_group * width + channels;
  const int high = high_all < p.first + p.channels ? high_all : p.first + p.channels;
  if (low >= high) return;
  float *factors = (float *)shared, *offsets = factors + channels;
  // Means of parts have nearly equal weights; sums are of counts times means.
  for (int c = threadIdx.x; c < channels && first_group * width + c < p.all_channels; c += 256) {
    const float2 *of_channel = (const float2 *)p.statistics + (long long)sample * p.all_channels + first_group * width + c;
    const long long pitch = (long long)p.samples * p.all_channels;
    float sum = 0, deviation = 0;
    for_parts(p.rows, p.parts, [&](int part, float count) { sum += count * of_channel[part * pitch].x; });
    const float mean = sum / (float)p.rows;
    for_parts(p.rows, p.parts, [&](int part, float count) {
      const float2 at = of_channel[part * pitch];
      deviation += at.y + count * (at.x - mean) * (at.x - mean);
    });
    factors[c] = mean;
    offsets[c] = deviation;
  }
  __syncthreads();
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  for (int group = warp; group < p.block_groups && first_group + group < p.groups; group += 8) {
    float *means = factors + group * width, *deviations = offsets + group * width;
    float sum = 0, deviation = 0;
    for (int i = lane; i < width; i += 32) sum += means[i];
    const float mean = warp_sum(sum) / (float)width;
    for (int i = lane; i < width; i += 32) deviation += deviations[i] + (float)p.rows * (means[i] - mean) * (means[i] - mean);
    const float scale = 1 / sqrtf(warp_sum(deviation) / ((float)p.rows * (float)width) + p.eps);
    for (int i = lane; i < width; i += 32) {
      const int c = (first_group + group) * width + i - p.first;
      const bool has = c >= 0 && c < p.channels;
      const float gamma = has && p.gamma ? load_float(p.gamma, c, p.gamma_dtype) : 1;
      const float beta = has && p.beta ? load_float(p.beta, c, p.beta_dtype) : 0;
      means[i] = scale * gamma;
      deviations[i] = beta - mean * scale * gamma;
    }
  }
  __syncthreads();
  const int begin = blockIdx.x * p.block_rows, end = begin + p.block_rows < p.rows ? begin + p.block_rows : p.rows;
  const int own = high - low, start = low - p.first;
  factors += low - first_group * width;
  offsets += low - first_group * width;
  const long long x_base = (long long)sample * p.rows * p.x_pitch + start, y_base = (long long)sample * p.rows * p.y_pitch + start;
  if ((own | start | p.x_pitch | p.y_pitch) % 8 == 0 && ((p.x | p.y) & 15) == 0) {
    normalize_lines(p, factors, offsets, x_base, y_base, own, begin, end);
  } else {
    for (int i = threadIdx.x; i < (end - begin) * own; i += 256) {
      const int row = begin + i / own, c = i % own;
      const float v = load_float(p.x, x_base + (long long)row * p.x_pitch + c, p.x_dtype);
      store_float(p.y, y_base + (long long)row * p.y_pitch + c, p.y_dtype, activate(p.function, v * factors[c] + offsets[c]));
    }
  }
}

// A warp's row of at most 256 N columns, which stays in registers.
template <int N> DEVICE void layer_norm_line(const cu_layer_norm &p, long long x, long long y, int lane) {
  float v[N][8], sum = 0, squares = 0;
  long long at[N];
#pragma unroll
  for (int u = 0; u < N; u++) at[u] = x + (u * 256 + lane * 8 < p.columns ? u * 256 + lane * 8 : 0);
  load_lines(v, p.x, at, p.x_dtype);
#pragma unroll
  for (int u = 0; u < N; u++)
#pragma unroll
    for (int i = 0; i < 8; i++) sum += u * 256 + lane * 8 < p.columns ? v[u][i] : 0;
  const float mean = warp_sum(sum) / (float)p.columns;
#pragma unroll
  for (int u = 0; u < N; u++)
#pragma unroll
    for (int i = 0; i < 8; i++) squares += u * 256 + lane * 8 < p.columns ? (v[u][i] - mean) * (v[u][i] - mean) : 0;
  const float scale = 1 / sqrtf(warp_sum(squares) / (float)p.columns + p.eps);
#pragma unroll
  for (int u = 0; u < N; u++) {
    const int c = u * 256 + lane * 8;
    if (c >= p.columns) break;
#pragma unroll
    for (int i = 0; i < 8; i++) v[u][i] = (v[u][i] - mean) * scale;
    if (p.gamma) {
      float gamma[1][8], beta[1][8];
      load_lines<1>(gamma, p.gamma, {c}, p.gamma_dtype);
      load_lines<1>(beta, p.beta, {c}, p.beta_dtype);
#pragma unroll
      for (int i = 0; i < 8; i++) v[u][i] = v[u][i] * gamma[0][i] + beta[0][i];
    }
    store8(v[u], p.y, y + c, p.y_dtype);
  }
}

// A warp a row.
KERNEL(256, 2) layer_norm(PARAMETER cu_layer_norm p) {
  wait_for_previous();
  allow_next();
  const int row = blockIdx.x * 8 + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= p.rows) return;
  const long long x = (long long)row * p.x_pitch, y = (long long)row * p.y_pitch;
  const bool whole = (p.columns | p.x_pitch | p.y_pitch) % 8 == 0 && ((p.x | p.y | p.gamma | p.beta) & 15) == 0;
  if (whole && p.columns <= 512) return layer_norm_line<2>(p, x, y, lane);
  if (whole && p.columns <= 768) return layer_norm_line<3>(p, x, y, lane);
  if (whole && p.columns <= 1280) return layer_norm_line<5>(p, x, y, lane);
  float sum = 0, squares = 0;
  for (int c = lane; c < p.columns; c += 32) sum += load_float(p.x, x + c, p.x_dtype);
  const float mean = warp_sum(sum) / (float)p.columns;
  for (int c = lane; c < p.columns; c += 32) {
    const float d = load_float(p.x, x + c, p.x_dtype) - mean;
    squares += d * d;
  }
  const float scale = 1 / sqrtf(warp_sum(squares) / (float)p.columns + p.eps);
  for (int c = lane; c < p.columns; c += 32) {
    float value = (load_float(p.x, x + c, p.x_dtype) - mean) * scale;
    if (p.gamma) value = value * load_float(p.gamma, c, p.gamma_dtype) + load_float(p.beta, c, p.beta_dtype);
    store_float(p.y, y + c, p.y_dtype, value);
  }
}

KERNEL(256, 4) softmax(PARAMETER cu_softmax p) {
  __shared__ float partial[8];
  wait_for_previous();
  allow_next();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const long long x = (long long)blockIdx.x * p.x_pitch, y = (long long)blockIdx.x * p.y_pitch;
  float highest = NEGATIVE_INFINITY, total = 0;
  bool has_nan = false;
  for (int c = threadIdx.x; c < p.columns; c += 256) {
    const float value = load_float(p.x, x + c, p.x_dtype) * p.scale;
    has_nan |= value != value;
    highest = fmaxf(highest, value);
  }
  for (int mask = 16; mask > 0; mask /= 2) highest = fmaxf(highest, shuffle_xor(highest, mask));
  if (lane == 0) partial[warp] = highest;
  __syncthreads();
  for (int i = 0; i < 8; i++) highest = fmaxf(highest, partial[i]);
  __syncthreads();
  for (int c = threadIdx.x; c < p.columns; c += 256) total += expf(load_float(p.x, x + c, p.x_dtype) * p.scale - highest);
  if (has_nan) total = bits_to_float(0x7fffffffu);
  total = warp_sum(total);
  if (lane == 0) partial[warp] = total;
  __syncthreads();
  total = 0;
  for (int i = 0; i < 8; i++) total += partial[i];
  for (int c = threadIdx.x; c < p.columns; c += 256)
    store_float(p.y, y + c, p.y_dtype, expf(load_float(p.x, x + c, p.x_dtype) * p.scale - highest) / total);
}
