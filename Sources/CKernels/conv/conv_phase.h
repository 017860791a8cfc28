// Where the weights of a convolution lie, and the four convolutions of one with phases.
#ifndef CK_CONV_PHASE_H
#define CK_CONV_PHASE_H

#include "../include/ck_conv.h"
#include "../include/ck_pack.h"

enum { CK_PHASES = 4 };

static inline long ck_phase_count(const struct ck_conv *c) { return c->phases == 2 ? CK_PHASES : 1; }

/// k of a kernel line of the weights, padding included.
static inline long ck_weights_run(const struct ck_source *s) {
  return s->weights_dtype == CK_BF16 ? ck_packed_run(s->channels, s->kernel_w) : s->kernel_w * s->channels;
}

/// Kernel lines of a panel of the weights.
static inline long ck_panel_lines(const struct ck_source *s) {
  return s->panel_lines > 0 ? s->panel_lines : s->kernel_h;
}

/// The plain convolution of a phase; `source` becomes its only source. Without phases, the convolution itself.
static inline struct ck_conv ck_phase(const struct ck_conv *c, long phase, struct ck_source *source) {
  if (ck_phase_count(c) == 1) return *c;
  const long y = phase / 2, x = phase % 2, size = (long)ck_dtype_size(c->y_dtype);
  const long line = c->y_line ? c->y_line : 2 * c->out_w * c->y_pitch;
  *source = c->sources[0];
  source->panel_lines = CK_PHASES * source->kernel_h;
  const long run = source->winograd ? 9 * source->channels : source->kernel_h * ck_weights_run(source);
  source->weights = (const char *)source->weights + phase * run * 32 * (long)ck_dtype_size(source->weights_dtype);
  source->pad_top = 1 - y, source->pad_left = 1 - x;
  struct ck_conv one = *c;
  one.sources = source;
  one.phases = 1;
  one.y = (char *)c->y + (y * line + x * c->y_pitch) * size;
  one.y_pitch = 2 * c->y_pitch, one.y_line = 2 * line;
  one.y_sample = c->y_sample ? c->y_sample : 2 * c->out_h * line;
  one.statistics_parts = c->statistics_parts / CK_PHASES;
  if (c->statistics) one.statistics += phase * one.statistics_parts * c->samples * c->columns * 2;
  return one;
}

#endif
