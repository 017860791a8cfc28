// Convolution and matmul, one part: a strip of rows times a group of weight panels, over all of K.
//
// x NHWC f32/f16/bf16, weights panel32, y NHWC: see ck_conv.h. Sums in f32, one accumulator an element, K
// never split between threads. Loops, outside in: source, chunk of K, panel, block of MR rows. A chunk of a
// panel (32 KB) stays in L1 while the strip passes; between chunks the sums wait in L2. 16-bit operands are
// widened once a chunk. Sources: Goto and van de Geijn 2008 (loops); Dukhan 2019, arXiv:1907.02129 (row
// pointers in place of im2col).

#include "../vector/micro.h"
#include "conv_columns.h"

/// What one part works on.
struct work {
  const struct ck_conv *conv;
  long first_row, rows;         // of the result
  long first_panel, panels;
  long pitch;                   // rows of one panel's sums
  float *sums;                  // [panels][pitch][32], or of one panel
  bool one_panel;               // sums are finished before those of the next panel begin
  float *b, *a, *zeros;
  const float **table;
  int32_t *sample, *line, *column;  // of each row
  long y_line, y_sample;
};

/// First element of `source` under row r's tap (ky, kx), channel 0, or NULL outside the image.
CK_INLINE const void *pixel(const struct work *w, const struct ck_source *s, long r, long ky, long kx) {
  const long y = w->line[r] * s->stride_y - s->pad_top + ky;
  const long x = w->column[r] * s->stride_x - s->pad_left + kx;
  if ((unsigned long)y >= (unsigned long)s->up_h || (unsigned long)x >= (unsigned long)s->up_w) return NULL;
  const long iy = ck_nearest(y, s->in_h, s->up_h), ix = ck_nearest(x, s->in_w, s->up_w);
  return element(s->x, s->dtype, ((w->sample[r] * s->in_h + iy) * s->in_w + ix) * s->pitch);
}

CK_INLINE float *sums_of(const struct work *w, long p) { return w->sums + (w->one_panel ? 0 : p * w->pitch * 32); }

/// Index in y of row r's first element.
CK_INLINE long result_of(const struct work *w, long r) {
  return w->sample[r] * w->y_sample + w->line[r] * w->y_line + w->column[r] * w->conv->y_pitch;
}

/// Fills the table [block][tap][MR] for taps first ..< first + taps and channels from..<from + length.
/// Rows past the end repeat row 0: their sums are never read.
static void point_rows(
  const struct work *w, const struct ck_source *s, long first_tap, long taps, long from, long length)
{
  const long blocks = (w->rows + MR - 1) / MR, stride = (length + 15) / 16 * 16;
  for (long t = 0; t < taps; t++) {
    const long ky = (first_tap + t) / s->kernel_w, kx = (first_tap + t) % s->kernel_w;
    for (long r = 0; r < blocks * MR; r++) {
      const void *at = pixel(w, s, r < w->rows ? r : 0, ky, kx);
      const float **entry = w->table + ((r / MR) * taps + t) * MR + r % MR;
      if (s->dtype == CK_F32) {
        *entry = at ? (const float *)at + from : w->zeros;
      } else {
        float *wide = w->a + (r * taps + t) * stride;
        if (at) load_row(wide, element(at, s->dtype, from), s->dtype, length);
        else memset(wide, 0, (size_t)stride * 4);
        *entry = wide;
      }
    }
  }
}

CK_INLINE void add32(float *sum, const float *x) {
  for (int i = 0; i < 32; i += VL) vstore(sum + i, vload(sum + i) + vload(x + i));
}

/// Applies one epilogue to the sums [rows][32] of a panel. CK_GATE leaves one half.
static void apply(
  const struct work *w, const struct ck_epilogue *e, long panel, struct halves *h, float *sums)
{
  float row[32] __attribute__((aligned(64)));
  switch (e->kind) {
    case CK_BIAS:
      load_columns(row, e->x, e->dtype, h);
      for (long r = 0; r < w->rows; r++) add32(sums + r * 32, row);
      break;
    case CK_ROW:
      for (long r = 0; r < w->rows; r++) {
        if (r == 0 || w->sample[r] != w->sample[r - 1])
          load_columns(row, element(e->x, e->dtype, w->sample[r] * e->pitch), e->dtype, h);
        add32(sums + r * 32, row);
      }
      break;
    case CK_RESIDUAL:
      for (long r = 0; r < w->rows; r++) {
        const long pixel = (w->sample[r] * w->conv->out_h + w->line[r]) * w->conv->out_w + w->column[r];
        load_columns(row, element(e->x, e->dtype, pixel * e->pitch), e->dtype, h);
        add32(sums + r * 32, row);
      }
      break;
    case CK_ACTIVATION:
      activate(sums, w->rows * 32, e->activation);
      break;
    case CK_GATE:
      for (long r = 0; r < w->rows; r++)
        for (int i = 0; i < 16; i += VL) {
          float *value = sums + r * 32 + i;
          vstore(value, vload(value) * vgelu(vload(value + 16)));
        }
      *h = gated_halves(panel, h);
      break;
  }
}

/// Applies the epilogues to a panel's sums and stores them.
static void finish(const struct work *w, long p) {
  const struct ck_conv *c = w->conv;
  float *sums = sums_of(w, p);
  struct halves h = halves_of(c, w->first_panel + p);
  for (long i = 0; i < c->epilogue_count; i++) apply(w, c->epilogues + i, w->first_panel + p, &h, sums);
  for (long r = 0; r < w->rows; r++) {
    const long at = result_of(w, r);
    for (int i = 0; i < 2; i++) {
      void *to = element_out(c->y, c->y_dtype, at + h.column[i]);
      if (h.count[i] > 0) store_row(to, c->y_dtype, sums + r * 32 + 16 * i, h.count[i]);
    }
  }
}

/// Asks for the lines of y (and of residuals) that a block of rows is about to need.
CK_INLINE void fetch_results(const struct work *w, long panel, long row) {
  const struct ck_conv *c = w->conv;
  const long width = c->gated ? 16 : 32, columns = c->gated ? c->columns / 2 : c->columns;
  const long end = ck_min_long(panel * width + width, columns) - 1;
  for (long r = row; r < ck_min_long(row + MR, w->rows); r++) {
    const long at = result_of(w, r);
    __builtin_prefetch(element(c->y, c->y_dtype, at + panel * width), 1, 2);
    __builtin_prefetch(element(c->y, c->y_dtype, at + end), 1, 2);
  }
}

/// First element of the weights of a tap's channel `from` in a panel.
CK_INLINE long weights_index(const struct ck_source *s, long panel, long tap, long from) {
  const long line = tap / s->kernel_w, k = tap % s->kernel_w * s->channels + from;
  return ((panel * ck_panel_lines(s) + line) * ck_weights_run(s) + k) * 32;
}

/// A chunk of a panel's weights as f32 [taps * length][32]: where it is, or widened.
static const float *wide_weights(
  const struct work *w, const struct ck_source *s, long panel, long first_tap, long taps, long from, long length)
{
  const long start = weights_index(s, panel, first_tap, from);
  if (s->weights_dtype == CK_F32) return element(s->weights, CK_F32, start);
  if (s->weights_dtype == CK_F16) {
    load_row(w->b, element(s->weights, CK_F16, start), CK_F16, taps * length * 32);
    return w->b;
  }
  for (long t = 0; t < taps; t++) {
    // A kernel line may begin in the middle of a pair: k counts from the start of the line.
    const long at = (first_tap + t) % s->kernel_w * s->channels + from;
    const uint16_t *line = element(s->weights, CK_BF16, weights_index(s, panel, first_tap + t, from) - at * 32);
    for (long k = 0; k < length; k++) {
      const uint16_t *pairs = line + (at + k) / 2 * 64;
      for (int lane = 0; lane < 32; lane += VL)
        vstore(w->b + (t * length + k) * 32 + lane, vload_half_of_pairs(pairs + 2 * lane, (at + k) % 2));
    }
  }
  return w->b;
}

/// Adds one chunk of K to the sums of all panels, and finishes each after the last while it is in L1.
static void add_chunk(
  const struct work *w, const struct ck_source *s, long first_tap, long taps, long from, long length,
  bool first, bool last)
{
  point_rows(w, s, first_tap, taps, from, length);
  const struct ck_conv *c = w->conv;
  const long blocks = (w->rows + MR - 1) / MR, depth = taps * length;
  for (long p = 0; p < w->panels; p++) {
    const long panel = w->first_panel + p;
    const float *b = wide_weights(w, s, panel, first_tap, taps, from, length);
    float *sums = sums_of(w, p);
    // Meanwhile the next chunk of weights comes to L2: of the next panel, or of the first for the next
    // chunk of K.
    const long next = p + 1 < w->panels ? weights_index(s, panel + 1, first_tap, from)
      : weights_index(s, w->first_panel, first_tap, from) + depth * 32;
    const long step = ck_ceil_div(s->weights_dtype == CK_F32 ? 128 : 64, blocks);
    const char *ahead = element(s->weights, s->weights_dtype, next);
    const long width = c->gated ? 32 : ck_min_long(32, c->columns - panel * 32);
    for (long i = 0; i < blocks; i++) {
      if (last) fetch_results(w, panel, i * MR);
      const struct ck_left a = {.rows = w->table + i * taps * MR, .segments = taps, .length = length};
      micro(&a, b, sums + i * MR * 32, first, (struct ck_ahead){true, ahead + i * depth * step, step}, width);
    }
    if (last) finish(w, p);
  }
}

#include "conv_winograd.h"

/// The pixel of each row: line by line, or tile by tile of `side` lines and columns.
CK_INLINE void place_rows(const struct work *w, long side) {
  const long area = side * side, height = w->conv->out_h / side, width = w->conv->out_w / side;
  const long m = w->first_row / area;
  long n = m / (height * width), y = m / width % height, x = m % width;
  for (long r = 0; r < w->rows; r++) {
    const long i = r % area;
    w->sample[r] = (int32_t)n;
    w->line[r] = (int32_t)(side * y + i / side), w->column[r] = (int32_t)(side * x + i % side);
    if (i + 1 == area && ++x == width) {
      x = 0;
      if (++y == height) y = 0, n++;
    }
  }
}

void CK_NAME(conv)(const void *arguments, long part, long parts, void *scratch) {
  struct ck_source source;
  const long phase_parts = parts / ck_phase_count(arguments);
  const struct ck_conv phase = ck_phase(arguments, part / phase_parts, &source), *c = &phase;
  part %= phase_parts;
  const struct ck_conv_plan plan = ck_conv_plan(c);
  const struct ck_conv_layout layout = ck_conv_layout(c, &plan);
  char *memory = scratch;
  // Neighbouring parts share the weights of a group, which are the larger operand where it matters.
  const long strip = part % plan.strips, group = part / plan.strips;
  struct work w = {
    .conv = c,
    .first_row = strip * plan.strip,
    .rows = ck_min_long(plan.strip, plan.rows - strip * plan.strip),
    .first_panel = group * plan.group,
    .panels = ck_min_long(plan.group, plan.panels - group * plan.group),
    .pitch = plan.strip + CK_ROW_SLACK,
    .one_panel = layout.one_panel,
    .sums = (float *)(memory + layout.sums),
    .b = (float *)(memory + layout.b),
    .a = (float *)(memory + layout.a),
    .zeros = (float *)(memory + layout.zeros),
    .table = (const float **)(memory + layout.table),
    .sample = (int32_t *)(memory + layout.pixels),
  };
  w.line = w.sample + w.pitch;
  w.column = w.line + w.pitch;
  w.y_line = c->y_line ? c->y_line : c->out_w * c->y_pitch;
  w.y_sample = c->y_sample ? c->y_sample : c->out_h * w.y_line;
  memset(w.zeros, 0, CK_KC * 4);
  const long by_tiles = ck_winograd_sources(c);
  if (by_tiles > 0) place_rows(&w, 2);
  else place_rows(&w, 1);
  bool first = true;
  for (long i = 0, remaining = c->source_count - by_tiles; i < c->source_count; i++) {
    const struct ck_source *s = c->sources + i;
    if (s->winograd) continue;
    remaining--;
    const long all_taps = s->kernel_h * s->kernel_w;
    const long length = ck_chunk_channels(s), taps = ck_chunk_taps(s);
    for (long t = 0; t < all_taps; t += taps)
      for (long from = 0; from < s->channels; from += length) {
        const bool last = by_tiles == 0 && remaining == 0 && t + taps >= all_taps && from + length >= s->channels;
        const long more_taps = ck_min_long(taps, all_taps - t);
        const long more = ck_min_long(length, s->channels - from);
        add_chunk(&w, s, t, more_taps, from, more, first, last);
        first = false;
      }
  }
  if (by_tiles == 0) return;
  const struct tiles tiles = {
    .count = w.rows / 4,
    .side = ck_winograd_side(c),
    .pitch = plan.strip / 4 + CK_ROW_SLACK,
    .images = (float *)(memory + layout.images),
    .products = (float *)(memory + layout.products),
    .table = (const float **)(memory + layout.image_table),
  };
  add_tiles(&w, &tiles, first);
}
