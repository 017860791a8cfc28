// Parts and scratch of a convolution of bf16: functions of shapes, the same for all instruction sets.
#include "conv_bf16_plan.h"

long ck_conv_bf16_parts(const struct ck_conv *conv) {
  const struct ck_strips p = ck_strips(conv);
  return ck_phase_count(conv) * p.line_strips * p.column_strips * p.groups;
}

double ck_conv_bf16_cost(const struct ck_conv *conv, double product, long threads) {
  // Measured on two cores of a Zen 5, in nanoseconds; where they come from is in Documentation/Performance.md.
  const double copied_byte = 0.08, read_byte = 0.04, part = 3000;
  struct ck_source source;
  const struct ck_conv phase = ck_phase(conv, 0, &source), *c = &phase;
  const struct ck_strips p = ck_strips(c);
  const double strips = (double)(p.line_strips * p.column_strips), parts = (double)ck_conv_bf16_parts(conv);
  double k = 0, copied = 0;
  for (long i = 0; i < c->source_count; i++) {
    k += (double)(c->sources[i].kernel_h * ck_run(c->sources + i));
    copied += 2 * (double)ck_strip_elements(&p, c, c->sources + i);
  }
  // Rows between the lines of a strip are multiplied, too.
  const double blocks = ck_ceil_div((p.lines - 1) * p.pitch + p.columns, CK_BLOCK);
  const double products = strips * (double)p.panels * blocks * k / 32 * product;
  const double rows = p.in_place ? (double)p.columns * k * 2 * read_byte : copied * copied_byte;
  const double weights = (double)p.group * k * 64 * read_byte;
  // At the end threads wait for the last one: each for half a part, and as if they were four, or for a last round.
  const double share = 1 + 2 / parts, round = (double)(ck_ceil_div((long)parts, threads) * threads) / parts;
  const double waiting = share > round ? share : round;
  return (products * (double)ck_phase_count(conv) + parts * (rows + weights + part)) * waiting;
}

long ck_conv_bf16_copies(const struct ck_conv *conv) { return ck_strips(conv).groups; }

int ck_conv_bf16_has_statistics(const struct ck_conv *c) {
  const long rows = ck_statistics_rows(c), parts = c->statistics_parts, count = ck_phase_count(c);
  // A strip has whole parts.
  if (c->gated || rows == 0 || parts % count != 0 || rows * parts != c->out_h * c->out_w * count) return 0;
  const struct ck_strips p = ck_strips(c);
  // Nor is a strip made much larger for them than fits L2.
  long channels = 0;
  for (long i = 0; i < c->source_count; i++) channels += c->sources[i].channels;
  if (!p.in_place && rows > CK_STRIP_ROWS / 2 && rows * channels * 2 > CK_STRIP_BYTES) return 0;
  if (p.pointwise) return rows % CK_BLOCK == 0;
  return c->out_w % p.columns == 0 && rows % p.columns == 0 && c->out_h % (rows / p.columns) == 0;
}

size_t ck_conv_bf16_scratch(const struct ck_conv *conv) {
  const struct ck_strips p = ck_strips(conv);
  return ck_conv_bf16_layout(conv, &p).bytes;
}
