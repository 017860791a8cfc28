// Parts and scratch of the normalizations: functions of shapes, the same for all instruction sets.
#include "norm_plan.h"

long ck_channel_statistics_parts(const struct ck_channel_statistics *statistics) {
  return statistics->samples * statistics->statistics_parts;
}

long ck_normalize_parts(const struct ck_normalize *normalize) {
  // Each part merges the statistics anew, so its rows must be worth that: four plain blocks.
  return normalize->samples * ck_row_blocks(normalize->rows, ck_ceil_div(normalize->channels, 4));
}

size_t ck_normalize_scratch(const struct ck_normalize *normalize) {
  return ck_coefficient_bytes(normalize);
}

long ck_layer_norm_parts(const struct ck_layer_norm *norm) {
  return ck_row_blocks(norm->rows, norm->columns);
}

size_t ck_layer_norm_scratch(const struct ck_layer_norm *norm) {
  return ck_whole_floats(norm->columns) * 2 * sizeof(float);  // gamma, beta
}

long ck_softmax_parts(const struct ck_softmax *softmax) {
  return ck_row_blocks(softmax->rows, softmax->columns);
}

size_t ck_softmax_scratch(const struct ck_softmax *softmax) {
  return ck_whole_floats(softmax->columns) * sizeof(float);
}
