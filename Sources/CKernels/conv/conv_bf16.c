// Parts and scratch of a convolution of bf16: functions of shapes, the same for all instruction sets.
#include "conv_bf16_plan.h"

long ck_conv_bf16_parts(const struct ck_conv *conv) {
  const struct ck_strips p = ck_strips(conv);
  return ck_phase_count(conv) * p.line_strips * p.column_strips * p.groups;
}

long ck_conv_bf16_copies(const struct ck_conv *conv) { return ck_strips(conv).groups; }

size_t ck_conv_bf16_scratch(const struct ck_conv *conv) {
  const struct ck_strips p = ck_strips(conv);
  return ck_conv_bf16_layout(conv, &p).bytes;
}
