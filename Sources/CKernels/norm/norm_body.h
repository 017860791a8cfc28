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

/// Rows of a sample, normalized and activated.
CK_INLINE void normalize_rows(
  const struct ck_normalize *a, const struct coefficients *k, long first, long end, enum ck_dtype x_dtype,
  enum ck_dtype y_dtype)
{
  for (long r = first; r < end; r++) {
    const void *x = element(a->x, x_dtype, r * a->x_pitch);
    normalize_channels(a, k, element_out(a->y, y_dtype, r * a->y_pitch), y_dtype, x, x_dtype, 0, a->channels);
  }
}

void CK_NAME(normalize)(const void *arguments, long part, long parts, void *scratch) {
  const struct ck_normalize *a = arguments;
  const long blocks = parts / a->samples, sample = part / blocks, block = part % blocks;
  const struct coefficients k = coefficients(a, sample, scratch);
  const long before = sample * a->rows;
  const long first = before + block * a->rows / blocks, end = before + (block + 1) * a->rows / blocks;
  if (a->x_dtype == CK_BF16 && a->y_dtype == CK_BF16) normalize_rows(a, &k, first, end, CK_BF16, CK_BF16);
  else if (a->x_dtype == CK_F32 && a->y_dtype == CK_F32) normalize_rows(a, &k, first, end, CK_F32, CK_F32);
  else normalize_rows(a, &k, first, end, a->x_dtype, a->y_dtype);
}

/// The sums of x - center over x[0 ..< n] and of its squares: four chains of vectors.
CK_INLINE void add_row(const void *x, enum ck_dtype dtype, long n, float center, float *sum, float *squares) {
  vf sums[4] = {vsplat(0), vsplat(0), vsplat(0), vsplat(0)}, more[4] = {vsplat(0), vsplat(0), vsplat(0), vsplat(0)};
  long i = 0;
  for (; i + 4 * VL <= n; i += 4 * VL)
    for (int chain = 0; chain < 4; chain++) {
      const vf d = vload_as(element(x, dtype, i + chain * VL), dtype) - center;
      sums[chain] += d, more[chain] = vfma(d, d, more[chain]);
    }
  for (; i < n; i += VL) {
    // Absent lanes are zero, and zero they stay.
    float present[VL];
    for (int lane = 0; lane < VL; lane++) present[lane] = i + lane < n ? center : 0;
    const vf d = vload_some(element(x, dtype, i), dtype, n - i) - vload(present);
    sums[0] += d, more[0] = vfma(d, d, more[0]);
  }
  *sum = add_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
  *squares = add_lanes((more[0] + more[1]) + (more[2] + more[3]));
}

enum { NORMED = 4 };  // rows that are normalized side by side: each has to wait for its sums

/// `rows` <= NORMED rows from `first` on.
CK_INLINE void layer_norm_rows(
  const struct ck_layer_norm *a, long first, long rows, enum ck_dtype x_dtype, enum ck_dtype y_dtype,
  const float *gamma, const float *beta)
{
  const long n = a->columns;
  float mean[NORMED], rest[NORMED], inverse[NORMED];
  for (long r = 0; r < rows; r++) {
    float sum, squares;
    add_row(element(a->x, x_dtype, (first + r) * a->x_pitch), x_dtype, n, 0, &sum, &squares);
    mean[r] = sum / (float)n;
  }
  for (long r = 0; r < rows; r++) {
    // What rounding left in the mean is in the sum of deviations.
    float sum, squares;
    add_row(element(a->x, x_dtype, (first + r) * a->x_pitch), x_dtype, n, mean[r], &sum, &squares);
    rest[r] = sum / (float)n;
    inverse[r] = 1.0f / __builtin_sqrtf(squares / (float)n - rest[r] * rest[r] + a->eps);
  }
  for (long r = 0; r < rows; r++) {
    const void *x = element(a->x, x_dtype, (first + r) * a->x_pitch);
    void *y = element_out(a->y, y_dtype, (first + r) * a->y_pitch);
    for (long c = 0; c < n; c += VL) {
      const vf d = (vload_some(element(x, x_dtype, c), x_dtype, n - c) - mean[r]) - rest[r];
      const vf result = vfma(d * inverse[r], vload(gamma + c), vload(beta + c));
      vstore_some(element_out(y, y_dtype, c), y_dtype, result, n - c);
    }
  }
}

void CK_NAME(layer_norm)(const void *arguments, long part, long parts, void *scratch) {
  const struct ck_layer_norm *a = arguments;
  float *gamma = scratch, *beta = gamma + ck_whole_floats(a->columns);
  load_or(gamma, a->gamma, a->gamma_dtype, a->columns, 1);
  load_or(beta, a->beta, a->beta_dtype, a->columns, 0);
  const long end = (part + 1) * a->rows / parts;
  for (long r = part * a->rows / parts; r < end; r += NORMED) {
    const long rows = ck_min_long(NORMED, end - r);
    if (a->x_dtype == CK_BF16 && a->y_dtype == CK_BF16) layer_norm_rows(a, r, rows, CK_BF16, CK_BF16, gamma, beta);
    else if (a->x_dtype == CK_F32 && a->y_dtype == CK_F32) layer_norm_rows(a, r, rows, CK_F32, CK_F32, gamma, beta);
    else layer_norm_rows(a, r, rows, a->x_dtype, a->y_dtype, gamma, beta);
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
