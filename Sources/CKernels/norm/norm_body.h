// Channel statistics and normalize (GroupNorm in two steps), LayerNorm, softmax: layouts in ck_norm.h. Sums
// in f32, shifted or in two passes so that a large mean costs no digits; statistics of ranges merge in
// double. Sources: Wu and He 2018, arXiv:1803.08494; Ba et al. 2016, arXiv:1607.06450; Chan, Golub and
// LeVeque 1979 (merging).

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

/// to[n] = x as f32, or `otherwise` where x is NULL.
CK_INLINE void load_or(float *to, const void *x, enum ck_dtype dtype, long n, float otherwise) {
  if (x) load_row(to, x, dtype, n);
  else
    for (long i = 0; i < n; i += VL) vstore(to + i, vsplat(otherwise));
}

/// Merges the ranges' statistics of one sample, channel by channel, then the channels of each group. Each
/// channel becomes (x - center) * scale + shift: centered first, so that a mean far above the deviation
/// costs no digits.
static void coefficients(
  const struct ck_normalize *a, long sample, double *mean, double *m2, float *center, float *scale,
  float *shift)
{
  // Only the groups of these channels are merged.
  const long ranges = a->statistics_parts, width = a->all_channels / a->groups;
  const long first_group = a->first / width, end_group = ck_ceil_div(a->first + a->channels, width);
  const long skip = first_group * width, channels = (end_group - first_group) * width;
  double count = 0;
  for (long p = 0; p < ranges; p++) {
    const float *s = a->statistics + ((p * a->samples + sample) * a->all_channels + skip) * 2;
    const double more = (double)((p + 1) * a->rows / ranges - p * a->rows / ranges), all = count + more;
    const double weight = more / all, cross = count * more / all;
    if (p == 0) {
      for (long c = 0; c < channels; c++) mean[c] = s[2 * c], m2[c] = s[2 * c + 1];
    } else {
      for (long c = 0; c < channels; c++) {
        const double delta = s[2 * c] - mean[c];
        mean[c] += delta * weight;
        m2[c] += s[2 * c + 1] + delta * delta * cross;
      }
    }
    count = all;
  }
  load_or(scale, a->gamma, a->gamma_dtype, a->channels, 1);
  load_or(shift, a->beta, a->beta_dtype, a->channels, 0);
  for (long g = 0; g < end_group - first_group; g++) {
    double total = 0, deviations = 0;
    for (long c = g * width; c < (g + 1) * width; c++) total += mean[c];
    const double group_mean = total / (double)width;
    for (long c = g * width; c < (g + 1) * width; c++) {
      const double delta = mean[c] - group_mean;
      deviations += m2[c] + delta * delta * count;
    }
    const double inverse = 1.0 / __builtin_sqrt(deviations / (count * (double)width) + (double)a->eps);
    const long from = ck_max_long(0, skip + g * width - a->first);
    for (long c = from; c < ck_min_long(a->channels, skip + (g + 1) * width - a->first); c++) {
      const double factor = (double)scale[c] * inverse;
      center[c] = (float)group_mean;
      scale[c] = (float)factor;
      shift[c] = (float)((double)shift[c] - (group_mean - (double)center[c]) * factor);
    }
  }
}

void CK_NAME(normalize)(const void *arguments, long part, long parts, void *scratch) {
  const struct ck_normalize *a = arguments;
  const long blocks = parts / a->samples, sample = part / blocks, block = part % blocks;
  const size_t channels = ck_whole_floats(a->channels), all = ck_whole_floats(a->all_channels);
  double *mean = scratch, *m2 = mean + all;
  float *center = (float *)(m2 + all), *scale = center + channels, *shift = scale + channels;
  float *row = shift + channels;
  coefficients(a, sample, mean, m2, center, scale, shift);
  for (long r = block * a->rows / blocks; r < (block + 1) * a->rows / blocks; r++) {
    const long at = sample * a->rows + r;
    load_row(row, element(a->x, a->x_dtype, at * a->x_pitch), a->x_dtype, a->channels);
    if (a->activation == CK_SILU) {
      for (long c = 0; c < a->channels; c += VL)
        vstore(row + c, vsilu(vfma(vload(row + c) - vload(center + c), vload(scale + c), vload(shift + c))));
    } else {
      for (long c = 0; c < a->channels; c += VL)
        vstore(row + c, vfma(vload(row + c) - vload(center + c), vload(scale + c), vload(shift + c)));
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
