// Channel statistics and normalize (GroupNorm in two steps), LayerNorm, softmax: layouts in ck_norm.h. Sums
// in f32, shifted or in two passes so that a large mean costs no digits; statistics of ranges merge in
// double. Sources: Wu and He 2018, arXiv:1803.08494; Ba et al. 2016, arXiv:1607.06450; Chan, Golub and
// LeVeque 1979 (merging).

#include "coefficients.h"

/// The sum over a vector's lanes, pairwise, in an order of its own for each width.
CK_INLINE float add_lanes(vf x) {
  float lane[VL];
  memcpy(lane, &x, sizeof lane);
  for (int half = VL / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) lane[i] += lane[i + half];
  return lane[0];
}

enum { CHANNELS = 4 };  // vectors of channels that are summed side by side

/// Mean and M2 of `width` <= CHANNELS * VL channels over rows at x: shifted by the first row.
CK_INLINE void channel_block(
  const void *x, enum ck_dtype dtype, long pitch, long rows, long width, float *statistics)
{
  vf shift[CHANNELS], sum[CHANNELS], square[CHANNELS];
  float row[CHANNELS * VL] __attribute__((aligned(64)));
  memset(row, 0, sizeof row);
  load_row(row, x, dtype, width);
  for (int v = 0; v < CHANNELS; v++) shift[v] = vload(row + v * VL), sum[v] = square[v] = vsplat(0);
  for (long r = 0; r < rows; r++) {
    const void *at = element(x, dtype, r * pitch);
    if (width == CHANNELS * VL) {
      for (int v = 0; v < CHANNELS; v++) {
        const vf d = vload_as(element(at, dtype, v * VL), dtype) - shift[v];
        sum[v] += d, square[v] = vfma(d, d, square[v]);
      }
    } else {
      load_row(row, at, dtype, width);
      for (int v = 0; v < CHANNELS; v++) {
        const vf d = vload(row + v * VL) - shift[v];
        sum[v] += d, square[v] = vfma(d, d, square[v]);
      }
    }
  }
  float mean[CHANNELS * VL], deviations[CHANNELS * VL];
  for (int v = 0; v < CHANNELS; v++) {
    const vf m = sum[v] / (float)rows, m2 = square[v] - sum[v] * m;
    vstore(mean + v * VL, shift[v] + m);
    vstore(deviations + v * VL, vselect(m2 < 0.0f, vsplat(0), m2));
  }
  for (long c = 0; c < width; c++) statistics[2 * c] = mean[c], statistics[2 * c + 1] = deviations[c];
}

void CK_NAME(channel_statistics)(const void *arguments, long part, long parts, void *scratch) {
  (void)parts, (void)scratch;
  const struct ck_channel_statistics *a = arguments;
  const long range = part / a->samples, sample = part % a->samples;
  const long first = range * a->rows / a->statistics_parts, end = (range + 1) * a->rows / a->statistics_parts;
  for (long c = 0; c < a->channels; c += CHANNELS * VL) {
    const void *x = element(a->x, a->dtype, (sample * a->rows + first) * a->pitch + c);
    float *to = a->statistics + (part * a->channels + c) * 2;
    const long width = ck_min_long(CHANNELS * VL, a->channels - c);
    if (a->dtype == CK_F32) channel_block(x, CK_F32, a->pitch, end - first, width, to);
    else if (a->dtype == CK_F16) channel_block(x, CK_F16, a->pitch, end - first, width, to);
    else channel_block(x, CK_BF16, a->pitch, end - first, width, to);
  }
}

void CK_NAME(normalize)(const void *arguments, long part, long parts, void *scratch) {
  const struct ck_normalize *a = arguments;
  const long blocks = parts / a->samples, sample = part / blocks, block = part % blocks;
  float *row = scratch;
  const struct coefficients k = coefficients(a, sample, row + ck_whole_floats(a->channels));
  for (long r = block * a->rows / blocks; r < (block + 1) * a->rows / blocks; r++) {
    const long at = sample * a->rows + r;
    load_row(row, element(a->x, a->x_dtype, at * a->x_pitch), a->x_dtype, a->channels);
    if (a->activation == CK_SILU) {
      for (long c = 0; c < a->channels; c += VL) vstore(row + c, vsilu(normal(&k, c, vload(row + c))));
    } else {
      for (long c = 0; c < a->channels; c += VL) vstore(row + c, normal(&k, c, vload(row + c)));
      activate(row, a->channels, a->activation);
    }
    store_row(element_out(a->y, a->y_dtype, at * a->y_pitch), a->y_dtype, row, a->channels);
  }
}

/// The sum of x - mean over x[0 ..< n], or of its square: four chains of vectors, then the odd ones.
CK_INLINE float sum_row(const float *x, long n, float mean, bool squares) {
  vf sum[4] = {vsplat(0), vsplat(0), vsplat(0), vsplat(0)};
  long i = 0;
  for (; i + 4 * VL <= n; i += 4 * VL)
    for (int chain = 0; chain < 4; chain++) {
      const vf d = vload(x + i + chain * VL) - mean;
      sum[chain] += squares ? d * d : d;
    }
  for (; i + VL <= n; i += VL) {
    const vf d = vload(x + i) - mean;
    sum[0] += squares ? d * d : d;
  }
  float total = add_lanes((sum[0] + sum[1]) + (sum[2] + sum[3]));
  for (; i < n; i++) total += squares ? (x[i] - mean) * (x[i] - mean) : x[i] - mean;
  return total;
}

void CK_NAME(layer_norm)(const void *arguments, long part, long parts, void *scratch) {
  const struct ck_layer_norm *a = arguments;
  const long n = a->columns;
  float *gamma = scratch, *beta = gamma + ck_whole_floats(n), *row = beta + ck_whole_floats(n);
  load_or(gamma, a->gamma, a->gamma_dtype, n, 1);
  load_or(beta, a->beta, a->beta_dtype, n, 0);
  for (long r = part * a->rows / parts; r < (part + 1) * a->rows / parts; r++) {
    load_row(row, element(a->x, a->x_dtype, r * a->x_pitch), a->x_dtype, n);
    const float mean = sum_row(row, n, 0, false) / (float)n;
    // What rounding left in the mean is in the sum of deviations.
    const float rest = sum_row(row, n, mean, false) / (float)n;
    const float variance = sum_row(row, n, mean, true) / (float)n - rest * rest;
    const float inverse = 1.0f / __builtin_sqrtf(variance + a->eps);
    for (long c = 0; c < n; c += VL) {
      const vf x = ((vload(row + c) - mean) - rest) * inverse;
      vstore(row + c, vfma(x, vload(gamma + c), vload(beta + c)));
    }
    store_row(element_out(a->y, a->y_dtype, r * a->y_pitch), a->y_dtype, row, n);
  }
}

void CK_NAME(softmax)(const void *arguments, long part, long parts, void *scratch) {
  const struct ck_softmax *a = arguments;
  const long n = a->columns;
  float *row = scratch;
  for (long r = part * a->rows / parts; r < (part + 1) * a->rows / parts; r++) {
    load_row(row, element(a->x, a->x_dtype, r * a->x_pitch), a->x_dtype, n);
    for (long i = n; i < vround(n); i++) row[i] = -__builtin_inff();
    vf top = vload(row);
    for (long i = 0; i < n; i += VL) {
      const vf x = vload(row + i);
      top = vselect(x > top, x, top);
    }
    float largest = -__builtin_inff();
    for (int i = 0; i < VL; i++) largest = top[i] > largest ? top[i] : largest;
    vf sum = vsplat(0);
    for (long i = 0; i < n; i += VL) {
      const vf p = vexp(vload(row + i) - largest);
      vstore(row + i, p);
      sum += p;
    }
    const float inverse = 1.0f / add_lanes(sum);
    for (long i = 0; i < n; i += VL) vstore(row + i, vload(row + i) * inverse);
    store_row(element_out(a->y, a->y_dtype, r * a->y_pitch), a->y_dtype, row, n);
  }
}
