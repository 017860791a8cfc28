// How a convolution is cut: strips of rows times groups of weight panels, chunks of K. From shapes and blocking alone.
#ifndef CK_CONV_PLAN_H
#define CK_CONV_PLAN_H

#include "../vector/prelude.h"
#include "conv_phase.h"

enum {
  CK_KC = 256,         // longest chunk of K: its 32 KB of one panel stay in L1 while a strip passes
  CK_WINOGRAD_KC = 128,  // the same where a panel has 16 matrices
  CK_ROW_SLACK = 8,    // a register tile may run over the end of a strip
  CK_MOST_ROWS = 1024, CK_MOST_PANELS = 64,  // however large the blocking: sums of 8 MB
};

struct ck_conv_plan {
  long rows, panels;    // of the whole result
  long strip, strips;   // rows of a strip (the last may be shorter)
  long group, groups;   // panels of a group (the last may be shorter)
};

static inline long ck_source_k(const struct ck_source *s) { return s->kernel_h * s->kernel_w * s->channels; }

/// Channels of one tap that a chunk takes, and the taps of a chunk: several only if they are whole.
static inline long ck_chunk_channels(const struct ck_source *s) {
  const long channels = ck_ceil_div(s->channels, ck_ceil_div(s->channels, CK_KC));
  return channels + (channels < s->channels && channels % 2);  // pairs stay together
}
static inline long ck_chunk_taps(const struct ck_source *s) {
  if (s->channels > CK_KC) return 1;
  const long taps = s->kernel_h * s->kernel_w;
  return ck_ceil_div(taps, ck_ceil_div(taps, CK_KC / s->channels));
}

/// Sources in layout "winograd".
static inline long ck_winograd_sources(const struct ck_conv *c) {
  long count = 0;
  for (long i = 0; i < c->source_count; i++) count += c->sources[i].winograd != 0;
  return count;
}

/// The side of their windows.
static inline int ck_winograd_side(const struct ck_conv *c) {
  for (long i = 0; i < c->source_count; i++)
    if (c->sources[i].winograd) return (int)c->sources[i].kernel_h + 1;
  return 0;
}

/// Channels of a chunk of theirs, whole vectors.
static inline long ck_winograd_chunk(const struct ck_source *s) {
  return (ck_ceil_div(s->channels, ck_ceil_div(s->channels, CK_WINOGRAD_KC)) + 15) / 16 * 16;
}

static inline struct ck_conv_plan ck_conv_plan(const struct ck_conv *c) {
  struct ck_conv_plan p = {
    .rows = c->samples * c->out_h * c->out_w,
    .panels = ck_panels(c->columns, c->gated),
  };
  if (p.rows <= 0 || p.panels <= 0) return p;
  const long most = ck_max_long(8, ck_min_long(c->blocking.rows, CK_MOST_ROWS));
  const long even = ck_ceil_div(p.rows, ck_ceil_div(p.rows, most));
  const long least = ck_winograd_sources(c) > 0 ? 32 : 8;  // eight tiles
  p.strip = ck_ceil_div(even, least) * least;
  p.strips = ck_ceil_div(p.rows, p.strip);
  const long group = ck_max_long(1, ck_min_long(ck_min_long(c->blocking.panels, CK_MOST_PANELS), p.panels));
  p.groups = ck_ceil_div(p.panels, group);
  p.group = ck_ceil_div(p.panels, p.groups);
  p.groups = ck_ceil_div(p.panels, p.group);
  return p;
}

/// Offsets into a thread's scratch, each a multiple of 64 bytes.
struct ck_conv_layout {
  size_t sums;     // f32 [group][strip + slack][32]
  size_t b;        // f32 [CK_KC][32]: a chunk of 16-bit weights, widened
  size_t a;        // f32 [strip + slack][chunk]: a chunk of a 16-bit source, widened
  size_t table;    // row pointers [blocks][taps of a chunk][rows of a register tile]
  size_t pixels;   // int32 [3][strip]: n, oy, ox of each row
  size_t zeros;    // f32 [CK_KC]
  size_t images, products, image_table;  // of tiles: see conv_winograd.h
  int one_panel;   // sums are those of one panel
  size_t bytes;
};

static inline struct ck_conv_layout ck_conv_layout(const struct ck_conv *c, const struct ck_conv_plan *p) {
  long chunk = 0, taps = 0, tile_chunk = 0;
  int narrow_a = 0, narrow_b = 0;
  for (long i = 0; i < c->source_count; i++) {
    const struct ck_source *s = c->sources + i;
    if (s->winograd) {
      tile_chunk = ck_max_long(tile_chunk, ck_winograd_chunk(s));
      continue;
    }
    taps = ck_max_long(taps, ck_chunk_taps(s));
    if (s->dtype != CK_F32) {
      narrow_a = 1;
      chunk = ck_max_long(chunk, ck_chunk_taps(s) * ((ck_chunk_channels(s) + 15) / 16 * 16));
    }
    if (s->weights_dtype != CK_F32) narrow_b = 1;
  }
  const size_t rows = (size_t)(p->strip + CK_ROW_SLACK);
  struct ck_conv_layout l = {0};
  size_t at = 0;
  l.one_panel = ck_winograd_sources(c) == c->source_count;
  l.sums = at, at += (l.one_panel ? 1 : (size_t)p->group) * rows * 32 * 4;
  l.b = at, at += narrow_b ? (size_t)CK_KC * 32 * 4 : 0;
  l.a = at, at += narrow_a ? rows * (size_t)chunk * 4 : 0;
  at = (at + 63) / 64 * 64;
  l.table = at, at += ((size_t)taps * rows * sizeof(void *) + 63) / 64 * 64;
  l.pixels = at, at += (rows * 3 * 4 + 63) / 64 * 64;
  l.zeros = at, at += CK_KC * 4;
  if (tile_chunk > 0) {
    const size_t tiles = (size_t)(p->strip / 4 + CK_ROW_SLACK);
    const size_t places = (size_t)(ck_winograd_side(c) * ck_winograd_side(c));
    l.images = at, at += places * (tiles * (size_t)tile_chunk + 16) * 4;
    l.products = at, at += (size_t)p->group * places * tiles * 32 * 4;
    l.image_table = at, at += places * tiles * sizeof(void *);
  }
  l.bytes = at;
  return l;
}

#endif
