// Parts, scratch and operation count of a convolution: functions of shapes, the same for all instruction
// sets.
#include "conv_plan.h"

long ck_conv_parts(const struct ck_conv *conv) {
  const struct ck_conv_plan plan = ck_conv_plan(conv);
  return ck_phase_count(conv) * plan.strips * plan.groups;
}

size_t ck_conv_scratch(const struct ck_conv *conv) {
  const struct ck_conv_plan plan = ck_conv_plan(conv);
  return ck_conv_layout(conv, &plan).bytes;
}
