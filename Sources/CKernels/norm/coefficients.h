// Scale and shift of a group normalization from its statistics, for the kernels that apply it.
#ifndef CK_COEFFICIENTS_H
#define CK_COEFFICIENTS_H

/// to[n] = x as f32, or `otherwise` where x is NULL.
CK_INLINE void load_or(float *to, const void *x, enum ck_dtype dtype, long n, float otherwise) {
  if (x) load_row(to, x, dtype, n);
  else
    for (long i = 0; i < n; i += VL) vstore(to + i, vsplat(otherwise));
}

/// What channel c of a sample becomes: (x - center[c]) * scale[c] + shift[c]. Centered first, so that a mean far
/// above the deviation costs no digits.
struct coefficients {
  float *center, *scale, *shift;
};

CK_INLINE vf normal(const struct coefficients *k, long c, vf x) {
  return vfma(x - vload(k->center + c), vload(k->scale + c), vload(k->shift + c));
}

/// y[first ..< end] = these channels of x, normalized and activated.
CK_INLINE void normalize_channels(
  const struct ck_normalize *a, const struct coefficients *k, void *y, enum ck_dtype y_dtype, const void *x,
  enum ck_dtype x_dtype, long first, long end)
{
  for (long c = first; c < end; c += VL) {
    const vf v = normal(k, c, vload_some(element(x, x_dtype, c), x_dtype, end - c));
    vstore_some(element_out(y, y_dtype, c), y_dtype, vactivate(v, a->activation, y_dtype == CK_BF16), end - c);
  }
}

enum { MERGED = 32 };  // channels that are merged side by side, in registers

/// mean, m2 [width] = those of all ranges, whose (mean, M2) [width] are `step` floats apart.
CK_INLINE void merge_ranges(
  const struct ck_normalize *a, const float *statistics, long step, long width, double *mean, double *m2)
{
  double means[MERGED] = {0}, deviations[MERGED] = {0}, count = 0;
  for (long p = 0; p < a->statistics_parts; p++, statistics += step) {
    const double more = (double)((p + 1) * a->rows / a->statistics_parts - p * a->rows / a->statistics_parts);
    const double all = count + more, weight = more / all, cross = count * weight;
    for (long c = 0; c < width; c++) {
      const double delta = statistics[2 * c] - means[c];
      means[c] += delta * weight;
      deviations[c] += statistics[2 * c + 1] + delta * delta * cross;
    }
    count = all;
  }
  for (long c = 0; c < width; c++) mean[c] = means[c], m2[c] = deviations[c];
}

/// Merges the ranges' statistics of one sample, channel by channel, then the channels of each group. `memory` has
/// ck_coefficient_bytes, at a multiple of 64 bytes.
static struct coefficients coefficients(const struct ck_normalize *a, long sample, void *memory) {
  const size_t padded = ck_whole_floats(a->channels), all = ck_whole_floats(a->all_channels);
  double *mean = memory, *m2 = mean + all;
  float *center = (float *)(m2 + all), *scale = center + padded, *shift = scale + padded;
  // Only the groups of these channels are merged.
  const long width = a->all_channels / a->groups;
  const long first_group = a->first / width, end_group = ck_ceil_div(a->first + a->channels, width);
  const long skip = first_group * width, channels = (end_group - first_group) * width;
  for (long c = 0; c < channels; c += MERGED) {
    const float *s = a->statistics + (sample * a->all_channels + skip + c) * 2;
    const long step = a->samples * a->all_channels * 2;
    if (c + MERGED <= channels) merge_ranges(a, s, step, MERGED, mean + c, m2 + c);
    else merge_ranges(a, s, step, channels - c, mean + c, m2 + c);
  }
  const double count = (double)a->rows;
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
  return (struct coefficients){center, scale, shift};
}

#endif
