/// Normalizations: GroupNorm in two steps (channel statistics, then normalize), LayerNorm, softmax over
/// rows.
#ifndef CK_NORM_H
#define CK_NORM_H

#include "ck_types.h"

/// Arguments of `channel_statistics`: mean and sum of squared deviations of every channel over ranges of
/// rows.
///
/// x: [samples, rows, channels]. statistics: f32 [statistics_parts, samples, channels, 2]; entry (p, b, c)
/// is (mean, M2) over rows p*rows/P ..< (p+1)*rows/P of sample b (integer division, P = statistics_parts <=
/// rows). Sums of x - shift and (x - shift)^2 in f32, shift = the range's first row, so a large mean costs
/// no digits.
struct ck_channel_statistics {
  const void *x;
  float *statistics;
  enum ck_dtype dtype;
  long pitch;
  long samples, rows, channels;
  long statistics_parts;
};

/// Parts of a `channel_statistics` call. No scratch.
long ck_channel_statistics_parts(const struct ck_channel_statistics *statistics);

/// Arguments of `normalize`: y = activation((x - mean_g) * rsqrt(var_g + eps) * gamma_c + beta_c), group g
/// of channel c = c / (channels/groups), var biased. x, y: [samples, rows, channels]; y may be x if dtype
/// and pitch agree. Statistics are those of `channel_statistics` for the same samples, rows, channels; they
/// are merged in part order (Chan et al. 1979) in double. x may be channels first ..< first + channels of an
/// image with `all_channels`, whose statistics are given. Reference: Wu and He 2018, arXiv:1803.08494.
struct ck_normalize {
  const void *x;
  void *y;
  const float *statistics;
  const void *gamma, *beta;  ///< [channels]; NULL: ones, zeros
  enum ck_dtype x_dtype, y_dtype, gamma_dtype, beta_dtype;
  enum ck_activation activation;
  float eps;
  long x_pitch, y_pitch;
  long samples, rows, channels;
  long all_channels, first, groups;  ///< groups divides all_channels
  long statistics_parts;
};

long ck_normalize_parts(const struct ck_normalize *normalize);
size_t ck_normalize_scratch(const struct ck_normalize *normalize);

/// Arguments of `layer_norm`: y = (x - mean) * rsqrt(var + eps) * gamma + beta over each row of `columns`,
/// var biased, mean and deviations in two passes in f32. y may be x if dtype and pitch agree.
struct ck_layer_norm {
  const void *x;
  void *y;
  const void *gamma, *beta;  ///< [columns]; NULL: ones, zeros
  enum ck_dtype x_dtype, y_dtype, gamma_dtype, beta_dtype;
  float eps;
  long x_pitch, y_pitch;
  long rows, columns;
};

long ck_layer_norm_parts(const struct ck_layer_norm *norm);
size_t ck_layer_norm_scratch(const struct ck_layer_norm *norm);

/// Arguments of `softmax`: y = exp(x - max) / sum(exp(x - max)) over each row. y may be x if dtype and
/// pitch agree.
struct ck_softmax {
  const void *x;
  void *y;
  enum ck_dtype x_dtype, y_dtype;
  long x_pitch, y_pitch;
  long rows, columns;
};

long ck_softmax_parts(const struct ck_softmax *softmax);
size_t ck_softmax_scratch(const struct ck_softmax *softmax);

#endif
