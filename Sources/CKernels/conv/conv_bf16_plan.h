// How a convolution of bf16 is cut: strips of rows times groups of weight panels. From shapes and blocking alone.
#ifndef CK_CONV_BF16_PLAN_H
#define CK_CONV_BF16_PLAN_H

#include "../include/ck_conv_bf16.h"
#include "../norm/norm_plan.h"
#include "../vector/pairs.h"
#include "conv_phase.h"

enum {
  CK_BLOCK = 32,                  // rows (and columns) of a block of sums
  CK_STRIP_ROWS = 2048,           // most rows of a strip but for whole parts of statistics, however large the blocking
  CK_STRIP_BYTES = 1 << 20,       // most bytes of a strip's images: they stay in L2
  CK_SEGMENT = 32,                // about the columns of an image that a strip takes
  CK_NARROW = 8,                  // most columns of an image whose windows are copied one by one
};

/// A strip is `lines` times `columns` pixels of one sample's result, or, where every source is read pixel by
/// pixel (`pointwise`), `columns` rows of all of it taken as one line.
struct ck_strips {
  int pointwise;
  int in_place;           // the sources are read where they are, not copied
  long lines, columns;    // of a strip; the last ones may be smaller
  long line_strips, column_strips;
  /// Rows from a line of a strip to the next: further than `columns` where windows overlap into the next
  /// columns and blocks run across lines. The rows between are computed and dropped.
  long pitch;
  long panels, group, groups;
};

static inline long ck_source_is_pointwise(const struct ck_conv *c, const struct ck_source *s) {
  return s->kernel_h == 1 && s->kernel_w == 1 && s->stride_y == 1 && s->stride_x == 1 && s->pad_top == 0 &&
    s->pad_left == 0 && s->in_h == c->out_h && s->in_w == c->out_w && s->up_h == s->in_h && s->up_w == s->in_w;
}

/// Elements of a kernel line of the weights: kernel columns times channels, in whole tiles.
static inline long ck_run(const struct ck_source *s) { return ck_packed_run(s->channels, s->kernel_w); }

/// Whether windows overlap in the strip: then the channels of neighbouring pixels are contiguous and a kernel
/// line is one run of them. Otherwise every pixel has its own copy of its run, padded with zeros: in narrow images too
/// much would be computed between the lines.
static inline int ck_overlaps(const struct ck_conv *c, const struct ck_source *s) {
  return s->kernel_w * s->channels == ck_run(s) && (s->kernel_w == 1 || c->out_w > CK_NARROW);
}

/// Elements from a row of a strip to the next.
static inline long ck_row(const struct ck_conv *c, const struct ck_source *s) {
  return ck_overlaps(c, s) ? s->stride_x * s->channels : ck_run(s);
}

/// Further columns that a line of a strip holds for the windows of its last.
static inline long ck_overhang(const struct ck_conv *c, const struct ck_source *s) {
  return ck_overlaps(c, s) ? ck_max_long(0, ck_ceil_div(s->kernel_w - s->stride_x, s->stride_x)) : 0;
}

/// Lines that `lines` lines of the result read in each of the stride's phases.
static inline long ck_phase_lines(const struct ck_source *s, long lines) {
  return lines + (s->kernel_h - 1) / s->stride_y;
}
static inline long ck_phases(const struct ck_source *s) { return ck_min_long(s->stride_y, s->kernel_h); }

/// Elements of a source's strip, with room for a block that runs over its end.
static inline size_t ck_strip_elements(
  const struct ck_strips *p, const struct ck_conv *c, const struct ck_source *s)
{
  if (p->in_place) return 0;
  const long rows = ck_phases(s) * ck_phase_lines(s, p->lines) * p->pitch + 2 * CK_BLOCK;
  return (size_t)(rows * ck_row(c, s) + ck_run(s) + 31) / 32 * 32;
}

/// Pixels of a part of the statistics; 0 where there are none.
static inline long ck_statistics_rows(const struct ck_conv *c) {
  return c->statistics_parts > 0 ? c->out_h * c->out_w * ck_phase_count(c) / c->statistics_parts : 0;
}

static inline struct ck_strips ck_strips(const struct ck_conv *c) {
  const long rows = c->samples * c->out_h * c->out_w;
  struct ck_strips p = {.pointwise = 1, .in_place = rows >= CK_BLOCK, .panels = ck_panels(c->columns, c->gated)};
  if (rows <= 0 || p.panels <= 0) return p;
  long channels = 0, overhang = 0;
  for (long i = 0; i < c->source_count; i++) {
    const struct ck_source *s = c->sources + i;
    p.pointwise &= ck_source_is_pointwise(c, s);
    p.in_place &= p.pointwise & (s->channels == ck_run(s)) & (s->normalize == NULL);
    channels += ck_row(c, s) * ck_phases(s);
    overhang = ck_max_long(overhang, ck_overhang(c, s));
  }
  const long fitting = ck_max_long(64, CK_STRIP_BYTES / 2 / ck_max_long(channels, 1));
  const long most = ck_min_long(ck_max_long(CK_BLOCK, ck_min_long(c->blocking.rows, CK_STRIP_ROWS)), fitting);
  if (p.pointwise) {
    p.lines = p.line_strips = 1;
    // Of whole parts of the statistics.
    const long unit = ck_max_long(CK_BLOCK, ck_statistics_rows(c));
    p.columns = ck_ceil_div(ck_ceil_div(rows, ck_ceil_div(rows, most)), unit) * unit;
    p.column_strips = ck_ceil_div(rows, p.columns);
    p.pitch = p.columns;
  } else {
    const long segments = ck_max_long(1, c->out_w / CK_SEGMENT);
    p.columns = ck_ceil_div(ck_ceil_div(c->out_w, segments), 16) * 16;
    if (segments == 1) p.columns = c->out_w;
    p.column_strips = ck_ceil_div(c->out_w, p.columns);
    p.lines = ck_max_long(1, ck_min_long(c->out_h, most / p.columns));
    p.lines = ck_ceil_div(c->out_h, ck_ceil_div(c->out_h, p.lines));
    const long unit = ck_max_long(1, ck_statistics_rows(c) / p.columns);
    p.lines = ck_min_long(c->out_h, ck_ceil_div(p.lines, unit) * unit);
    p.line_strips = ck_ceil_div(c->out_h, p.lines) * c->samples;
    p.pitch = p.columns + overhang;
  }
  p.group = ck_max_long(1, ck_min_long(c->blocking.panels, p.panels));
  p.groups = ck_ceil_div(p.panels, p.group);
  p.group = ck_ceil_div(p.panels, p.groups);
  p.groups = ck_ceil_div(p.panels, p.group);
  return p;
}

/// Where the result of a row goes.
struct ck_row_place {
  long y;       // index in y of its first element
  long row;     // its number in the result
  long sample;
};

/// The rows of a block: one or two tiles of 16 rows of the strip.
struct ck_block_rows {
  long start[2];            // the rows of the strip at which the tiles begin
  long rows[2];             // the last row of a tile that exists, plus 1
  int tiles, count;         // count: of rows that exist
  long first;               // the place of the first of them
  uint8_t at[CK_BLOCK];     // the block's row of each row that exists
};

/// Most blocks of a strip.
static inline long ck_strip_blocks(const struct ck_strips *p) {
  // Tiles that stay within lines, or run across them.
  const long rows = ck_max_long(p->lines * p->columns, (p->lines - 1) * p->pitch + p->columns);
  return ck_ceil_div(rows, CK_BLOCK) + 1;
}

/// Offsets into a thread's scratch, each a multiple of 64 bytes.
struct ck_conv_bf16_layout {
  size_t sums;    // f32 [2][32][32]: a block that is computed and one that is finished
  size_t lines;   // ck_kernel_line, all sources'
  size_t places;  // ck_row_place, of every row of the strip that exists
  size_t blocks;  // ck_block_rows
  size_t coefficients;  // of a source that is copied or filled, where it is normalized
  size_t strips;  // bf16, source after source
  size_t bytes;
};

static inline long ck_kernel_lines(const struct ck_conv *c) {
  long lines = 0;
  for (long i = 0; i < c->source_count; i++) lines += c->sources[i].kernel_h;
  return lines;
}

static inline struct ck_conv_bf16_layout ck_conv_bf16_layout(const struct ck_conv *c, const struct ck_strips *p) {
  struct ck_conv_bf16_layout l = {0};
  size_t at = 2 * CK_BLOCK * CK_BLOCK * sizeof(float);
  l.lines = at, at += ((size_t)ck_kernel_lines(c) * sizeof(struct ck_kernel_line) + 63) / 64 * 64;
  l.places = at, at += ((size_t)(p->lines * p->columns) * sizeof(struct ck_row_place) + 63) / 64 * 64;
  l.blocks = at, at += ((size_t)ck_strip_blocks(p) * sizeof(struct ck_block_rows) + 63) / 64 * 64;
  l.coefficients = at;
  size_t coefficients = 0;
  for (long i = 0; i < c->source_count; i++) {
    const struct ck_normalize *n = c->sources[i].normalize;
    if (n && ck_coefficient_bytes(n) > coefficients) coefficients = ck_coefficient_bytes(n);
  }
  at += coefficients;
  l.strips = at;
  for (long i = 0; i < c->source_count; i++) at += ck_strip_elements(p, c, c->sources + i) * 2;
  l.bytes = at;
  return l;
}

#endif
