// Blocking, parts and scratch of a convolution: functions of shapes, the same for all instruction sets.
#include "conv_plan.h"

struct ck_blocking ck_conv_blocking(const struct ck_conv *c) {
  // Weights are read once a strip; the sums of a strip and a group, at most 256 KB, stay in L2. About 128 parts, but
  // none below some 4 million multiply-adds. By tiles, where images are transformed once a group, 32 longer ones.
  const int by_tiles = ck_winograd_sources(c) > 0;
  const long most_parts = by_tiles ? 32 : 128;
  const struct ck_blocking most = {.rows = by_tiles ? 256 : 128, .panels = 16};
  const long rows = c->samples * c->out_h * c->out_w, panels = ck_panels(c->columns, c->gated);
  long k = 0;
  for (long i = 0; i < c->source_count; i++) k += ck_source_k(c->sources + i);
  if (rows <= 0 || panels <= 0 || k <= 0) return most;
  const long strips = ck_ceil_div(rows, most.rows), strip = ck_ceil_div(rows, strips);
  const long group = ck_max_long(ck_ceil_div(panels * strips, most_parts), ck_ceil_div(4L << 20, strip * 32 * k));
  return (struct ck_blocking){most.rows, ck_min_long(group, most.panels)};
}

long ck_conv_parts(const struct ck_conv *conv) {
  const struct ck_conv_plan plan = ck_conv_plan(conv);
  return ck_phase_count(conv) * plan.strips * plan.groups;
}

size_t ck_conv_scratch(const struct ck_conv *conv) {
  const struct ck_conv_plan plan = ck_conv_plan(conv);
  return ck_conv_layout(conv, &plan).bytes;
}
