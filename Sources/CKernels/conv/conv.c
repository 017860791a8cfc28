// Parts, scratch and operation count of a convolution: functions of shapes, the same for all instruction
// sets.
#include "conv_plan.h"

long ck_conv_parts(const struct ck_conv *conv) {
  const struct ck_conv_plan plan = ck_conv_plan(conv);
  return plan.strips * plan.groups;
}

size_t ck_conv_scratch(const struct ck_conv *conv) {
  const struct ck_conv_plan plan = ck_conv_plan(conv);
  return ck_conv_layout(conv, &plan).bytes;
}

double ck_conv_flops(const struct ck_conv *conv) {
  double k = 0;
  for (long i = 0; i < conv->source_count; i++) k += (double)ck_source_k(conv->sources + i);
  return 2.0 * (double)conv->samples * (double)conv->out_h * (double)conv->out_w * k * (double)conv->columns;
}
