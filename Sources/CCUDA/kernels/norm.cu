// Normalizations: GroupNorm in two steps, LayerNorm, softmax. Sums in f32 in an order that follows from shapes alone.
#include "prelude.cuh"

DEVICE float warp_sum(float x) {
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) x += shuffle_xor(x, mask);
  return x;
}

// A block has one part of one sample and 64 channels (blockIdx.y): 8 threads of 8 channels each, 32 rows at a time. Sums of
// x − shift and (x − shift)², shift being the part's first row, so that a large mean costs no digits.
KERNEL(256, 4) channel_statistics(PARAMETER cu_channel_statistics p) {
  __shared__ float sums[32][64 + 1], squares[32][64 + 1];
  wait_for_previous();
  allow_next();
  const int part = blockIdx.x, sample = blockIdx.z, channel = blockIdx.y * 64 + threadIdx.x % 8 * 8, lane = threadIdx.x / 8;
  const int begin = (int)((long long)part * p.rows / p.parts), end = (int)((long long)(part + 1) * p.rows / p.parts);
  const long long base = (long long)sample * p.rows * p.pitch;
  const bool whole = p.pitch % 8 == 0 && channel + 8 <= p.channels && (p.x & 15) == 0;
  float shift[8], sum[8] = {}, square[8] = {}, x[8];
  auto read = [&](float(&v)[8], int row) {
    const long long at = base + (long long)row * p.pitch + channel;
    if (whole) return load8(v, p.x, at, p.dtype);
#pragma unroll
    for (int i = 0; i < 8; i++) v[i] = channel + i < p.channels ? load_float(p.x, at + i, p.dtype) : 0;
  };
  read(shift, begin);
#pragma unroll 4
  for (int row = begin + lane; row < end; row += 32) {
    read(x, row);
#pragma unroll
    for (int i = 0; i < 8; i++) {
      const float d = x[i] - shift[i];
      sum[i] += d;
      square[i] += d * d;
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
  for (int i = 0; i < 32; i++) total += sums[i][threadIdx.x], totals += squares[i][threadIdx.x];
  const float count = (float)(end - begin), mean = total / count;
  const float first = load_float(p.x, base + (long long)begin * p.pitch + c, p.dtype);
  float *out = (float *)p.statistics + (((long long)part * gridDim.z + sample) * p.channels + c) * 2;
  out[0] = first + mean;
  out[1] = fmaxf(totals - total * mean, 0.0f);
}

// A block has some whole groups of one sample (blockIdx.y) and a range of rows. It merges the groups' statistics first
// (Chan et al. 1979), then makes one pass over its pixels.
KERNEL(256, 4) normalize(PARAMETER cu_normalize p) {
  SHARED_MEMORY(shared);  // factor and offset of every channel
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
  const float *statistics = (const float *)p.statistics;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  for (int group = warp; group < p.block_groups && first_group + group < p.groups; group += 8) {
    const int begin = (first_group + group) * width;
    // Means of parts have nearly equal weights; sums are of counts times means.
    float sum = 0;
    for (int i = lane; i < width * p.parts; i += 32) {
      const int part = i / width, channel = begin + i % width;
      const float count = (float)((int)((long long)(part + 1) * p.rows / p.parts) - (int)((long long)part * p.rows / p.parts));
      sum += count * statistics[(((long long)part * p.samples + sample) * p.all_channels + channel) * 2];
    }
    const float total = (float)p.rows * (float)width, mean = warp_sum(sum) / total;
    float deviation = 0;
    for (int i = lane; i < width * p.parts; i += 32) {
      const int part = i / width, channel = begin + i % width;
      const float count = (float)((int)((long long)(part + 1) * p.rows / p.parts) - (int)((long long)part * p.rows / p.parts));
      const float *at = statistics + (((long long)part * p.samples + sample) * p.all_channels + channel) * 2;
      const float d = at[0] - mean;
      deviation += at[1] + count * d * d;
    }
    const float scale = 1 / sqrtf(warp_sum(deviation) / total + p.eps);
    for (int i = lane; i < width; i += 32) {
      const int c = begin + i - p.first;
      if (c < 0 || c >= p.channels) continue;
      const float gamma = p.gamma ? load_float(p.gamma, c, p.gamma_dtype) : 1;
      const float beta = p.beta ? load_float(p.beta, c, p.beta_dtype) : 0;
      factors[group * width + i] = scale * gamma;
      offsets[group * width + i] = beta - mean * scale * gamma;
    }
  }
  __syncthreads();
  const int begin = blockIdx.x * p.block_rows, end = begin + p.block_rows < p.rows ? begin + p.block_rows : p.rows;
  const int own = high - low, shift = low - first_group * width, start = low - p.first;
  const long long x_base = (long long)sample * p.rows * p.x_pitch + start, y_base = (long long)sample * p.rows * p.y_pitch + start;
  const bool whole = (own | start | p.x_pitch | p.y_pitch) % 8 == 0 && ((p.x | p.y) & 15) == 0;
  if (whole) {
    const int units = own / 8;
    for (int i = threadIdx.x; i < (end - begin) * units; i += 256) {
      const int row = begin + i / units, c = i % units * 8;
      float v[8];
      load8(v, p.x, x_base + (long long)row * p.x_pitch + c, p.x_dtype);
#pragma unroll
      for (int j = 0; j < 8; j++) v[j] = v[j] * factors[shift + c + j] + offsets[shift + c + j];
      activate8(p.function, v);
      store8(v, p.y, y_base + (long long)row * p.y_pitch + c, p.y_dtype);
    }
  } else {
    for (int i = threadIdx.x; i < (end - begin) * own; i += 256) {
      const int row = begin + i / own, c = i % own;
      const float v = load_float(p.x, x_base + (long long)row * p.x_pitch + c, p.x_dtype);
      store_float(p.y, y_base + (long long)row * p.y_pitch + c, p.y_dtype,
                  activate(p.function, v * factors[shift + c] + offsets[shift + c]));
    }
  }
}

// A warp a row, which is read three times; it stays in the first cache.
KERNEL(256, 4) layer_norm(PARAMETER cu_layer_norm p) {
  wait_for_previous();
  allow_next();
  const int row = blockIdx.x * 8 + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= p.rows) return;
  const long long x = (long long)row * p.x_pitch, y = (long long)row * p.y_pitch;
  const bool whole = (p.columns | p.x_pitch | p.y_pitch) % 8 == 0 && ((p.x | p.y | p.gamma | p.beta) & 15) == 0;
  float v[8], sum = 0, squares = 0;
  if (whole) {
    for (int c = lane * 8; c < p.columns; c += 256) {
      load8(v, p.x, x + c, p.x_dtype);
#pragma unroll
      for (int i = 0; i < 8; i++) sum += v[i];
    }
  } else {
    for (int c = lane; c < p.columns; c += 32) sum += load_float(p.x, x + c, p.x_dtype);
  }
  const float mean = warp_sum(sum) / (float)p.columns;
  if (whole) {
    for (int c = lane * 8; c < p.columns; c += 256) {
      load8(v, p.x, x + c, p.x_dtype);
#pragma unroll
      for (int i = 0; i < 8; i++) squares += (v[i] - mean) * (v[i] - mean);
    }
  } else {
    for (int c = lane; c < p.columns; c += 32) {
      const float d = load_float(p.x, x + c, p.x_dtype) - mean;
      squares += d * d;
    }
  }
  const float scale = 1 / sqrtf(warp_sum(squares) / (float)p.columns + p.eps);
  if (whole) {
    for (int c = lane * 8; c < p.columns; c += 256) {
      load8(v, p.x, x + c, p.x_dtype);
#pragma unroll
      for (int i = 0; i < 8; i++) v[i] = (v[i] - mean) * scale;
      if (p.gamma) {
        float gamma[8], beta[8];
        load8(gamma, p.gamma, c, p.gamma_dtype);
        load8(beta, p.beta, c, p.beta_dtype);
#pragma unroll
        for (int i = 0; i < 8; i++) v[i] = v[i] * gamma[i] + beta[i];
      }
      store8(v, p.y, y + c, p.y_dtype);
    }
  } else {
    for (int c = lane; c < p.columns; c += 32) {
      float value = (load_float(p.x, x + c, p.x_dtype) - mean) * scale;
      if (p.gamma) value = value * load_float(p.gamma, c, p.gamma_dtype) + load_float(p.beta, c, p.beta_dtype);
      store_float(p.y, y + c, p.y_dtype, value);
    }
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
