// Convolution and matmul of bf16, one part: a strip of rows times a group of weight panels, over all of K.
//
// x NHWC bf16, weights panel32 in pairs, y NHWC: see ck_conv_bf16.h. Sums in f32, one accumulator an element.
// Loops, outside in: panel, block of 32 rows, kernel line, k. The strip stays in L2 and a panel passes through
// it. While a block is computed, the one before is finished, and a source is normalized that later ones read.
// Sources: Goto and van de Geijn 2008 (blocking);
// Georganas et al. 2018, arXiv:1808.05567 (direct convolution by small products over a strip).

#include "../norm/coefficients.h"
#include "conv_columns.h"

/// A source whose strip is filled while the first panel is multiplied, piece by piece.
struct filling {
  const struct ck_source *source;  // NULL if there is none
  struct coefficients coefficients;
  uint16_t *strip;
  const uint16_t *image;  // of the sample
  long y, x;              // the pixel of the image with which the strip begins
  long lines, pixels;     // of the strip
  long step;              // elements from line to line
  long line, pixel, channel;  // what is next
  long pieces;            // to be filled between products
};

/// What one part works on.
struct work {
  const struct ck_conv *conv;
  struct ck_strips plan;
  long sample, line, column;   // of the result, where the strip begins; pointwise: column counts rows of all
  long lines, columns;         // of this strip
  struct ck_kernel_line *kernel_lines;
  long kernel_line_count;
  struct ck_row_place *places;  // of the strip's rows, in order
  struct ck_block_rows *blocks;
  long block_count;
  uint16_t *strips;
  void *coefficients;          // memory for those of a source
  struct filling filling;
};

/// to = the channels of a pixel, normalized where the source is.
CK_INLINE void copy_pixel(
  const struct ck_source *s, const struct coefficients *k, uint16_t *to, const uint16_t *from)
{
  if (s->normalize) normalize_channels(s->normalize, k, to, CK_BF16, from, CK_BF16, 0, s->channels);
  else memcpy(to, from, (size_t)s->channels * 2);
}

/// Copies `count` pixels of a source's line, from pixel `x` of the (upsampled) image on; zeros outside.
static void copy_pixels(
  const struct ck_source *s, const struct coefficients *k, uint16_t *to, const uint16_t *line, long x, long count,
  long step)
{
  const size_t bytes = (size_t)s->channels * 2;
  long i = 0;
  for (; i < count && x + i < 0; i++) memset(to + i * step, 0, bytes);
  const long inside = ck_min_long(count, s->up_w - x);
  if (!s->normalize && s->up_w == s->in_w && s->pitch == s->channels && step == s->channels && inside > i) {
    memcpy(to + i * step, line + (x + i) * s->pitch, bytes * (size_t)(inside - i));
    i = inside;
  }
  for (; i < inside; i++)
    copy_pixel(s, k, to + i * step, line + ck_nearest(x + i, s->in_w, s->up_w) * s->pitch);
  for (; i < count; i++) memset(to + i * step, 0, bytes);
}

/// One line of a source's strip: line y of the image for windows of `columns` pixels from column `first` on.
static void copy_line(
  const struct ck_conv *c, const struct ck_source *s, const struct coefficients *k, uint16_t *to, long sample, long y,
  long first, long columns)
{
  const long x = first * s->stride_x - s->pad_left, run = ck_run(s), pixels = s->kernel_w * s->channels;
  const bool outside = y < 0 || y >= s->up_h;
  const long iy = outside ? 0 : ck_nearest(y, s->in_h, s->up_h);
  const uint16_t *line = (const uint16_t *)s->x + (sample * s->in_h + iy) * s->in_w * s->pitch;
  if (ck_overlaps(c, s)) {
    const long count = (columns - 1) * s->stride_x + s->kernel_w;
    if (outside) memset(to, 0, (size_t)(count * s->channels) * 2);
    else copy_pixels(s, k, to, line, x, count, s->channels);
    return;
  }
  for (long i = 0; i < columns; i++) {
    uint16_t *window = to + i * run;
    if (outside) memset(window, 0, (size_t)run * 2);
    else {
      copy_pixels(s, k, window, line, x + i * s->stride_x, s->kernel_w, s->channels);
      memset(window + pixels, 0, (size_t)(run - pixels) * 2);
    }
  }
}

/// Whether a source's strip is filled meanwhile. One that is not normalized is copied faster at once.
CK_INLINE bool fills_meanwhile(const struct ck_conv *c, const struct ck_source *s) {
  return s->normalize && s->stride_y == 1 && s->stride_x == 1 && s->up_h == s->in_h && s->up_w == s->in_w &&
    ck_overlaps(c, s);
}

enum { PIECE = 64 };  // channels that are filled at once

/// Up to `pieces` pieces more.
static __attribute__((noinline)) void fill_more(struct filling *f, long pieces) {
  const struct ck_source *s = f->source;
  for (; pieces > 0 && f->line < f->lines; pieces--) {
    const long y = f->y + f->line, x = f->x + f->pixel, first = f->channel;
    uint16_t *to = f->strip + f->line * f->step + f->pixel * s->channels;
    f->channel = ck_min_long(first + PIECE, s->channels);
    if (y < 0 || y >= s->in_h || x < 0 || x >= s->in_w) memset(to + first, 0, (size_t)(f->channel - first) * 2);
    else {
      // Products would have to wait for memory as well, so the next line is fetched now.
      const uint16_t *from = f->image + (y * s->in_w + x) * s->pitch;
      const uint16_t *below = from + (y + 1 < s->in_h ? s->in_w * s->pitch : 0);
      for (long c = first; c < f->channel; c += 32) __builtin_prefetch(below + c, 0, 2);
      normalize_channels(s->normalize, &f->coefficients, to, CK_BF16, from, CK_BF16, first, f->channel);
    }
    if (f->channel < s->channels) continue;
    f->channel = 0;
    if (++f->pixel < f->pixels) continue;
    f->pixel = 0, f->line++;
  }
}

/// What the strip's first `lines` lines lack.
static void fill_lines(struct filling *f, long lines) {
  while (f->line < ck_min_long(lines, f->lines)) fill_more(f, f->pixels);
}

/// Copies the part's piece of every source, but for one that is filled meanwhile, and says where the kernel lines find
/// theirs.
static void fill_strips(struct work *w) {
  const struct ck_conv *c = w->conv;
  struct ck_kernel_line *line = w->kernel_lines;
  uint16_t *strip = w->strips;
  for (long i = 0; i < c->source_count; i++) {
    const struct ck_source *s = c->sources + i;
    const long row = w->plan.in_place ? s->pitch : ck_row(c, s), run = ck_run(s);
    const long phase_lines = ck_phase_lines(s, w->lines), step = w->plan.pitch * row;
    struct coefficients k = {0};
    if (!w->plan.in_place && w->plan.pointwise) {
      // Rows of all samples, one after the other: an image of one line.
      const uint16_t *x = (const uint16_t *)s->x + w->column * s->pitch;
      const long rows = c->samples * c->out_h * c->out_w / (s->normalize ? s->normalize->samples : 1);
      for (long r = 0; r < w->columns; r++) {
        if (s->normalize && (r == 0 || (w->column + r) % rows == 0))
          k = coefficients(s->normalize, (w->column + r) / rows, w->coefficients);
        copy_pixel(s, &k, strip + r * row, x + r * s->pitch);
        memset(strip + r * row + s->channels, 0, (size_t)(run - s->channels) * 2);
      }
    } else if (!w->plan.in_place && !w->filling.source && fills_meanwhile(c, s)) {
      w->filling = (struct filling){
        .source = s,
        .strip = strip,
        .image = (const uint16_t *)s->x + w->sample * s->in_h * s->in_w * s->pitch,
        .y = w->line - s->pad_top, .x = w->column - s->pad_left,
        .lines = phase_lines, .pixels = w->columns - 1 + s->kernel_w, .step = step,
      };
    } else if (!w->plan.in_place) {
      if (s->normalize) k = coefficients(s->normalize, w->sample, w->coefficients);
      for (long phase = 0; phase < ck_phases(s); phase++)
        for (long l = 0; l < phase_lines; l++) {
          const long y = (w->line + l) * s->stride_y - s->pad_top + phase;
          copy_line(c, s, &k, strip + (phase * phase_lines + l) * step, w->sample, y, w->column, w->columns);
        }
    }
    const uint16_t *x = w->plan.in_place ? (const uint16_t *)s->x + w->column * s->pitch : strip;
    for (long ky = 0; ky < s->kernel_h; ky++)
      *line++ = (struct ck_kernel_line){
        .x = x + (ky % s->stride_y * phase_lines + ky / s->stride_y) * step,
        .weights = (const uint16_t *)s->weights + ky * run * 32,
        .row = row,
        .run = run,
        .columns = ck_overlaps(c, s) ? s->kernel_w : 1,
        .panel = ck_panel_lines(s) * run * 32,
      };
    strip += ck_strip_elements(&w->plan, c, s);
  }
  w->kernel_line_count = line - w->kernel_lines;
  // Now that no other source needs the memory.
  struct filling *f = &w->filling;
  if (f->source) f->coefficients = coefficients(f->source->normalize, w->sample, w->coefficients);
}

/// Where the rows of the strip go.
static void place_rows(struct work *w) {
  const struct ck_conv *c = w->conv;
  const long y_line = c->y_line ? c->y_line : c->out_w * c->y_pitch;
  const long y_sample = c->y_sample ? c->y_sample : c->out_h * y_line;
  struct ck_row_place *place = w->places;
  long n = w->sample, y = w->line, x = w->column;
  if (w->plan.pointwise) {
    n = x / (c->out_h * c->out_w), y = x / c->out_w % c->out_h, x %= c->out_w;
    const long first = w->column;
    for (long i = 0; i < w->columns; i++) {
      *place++ = (struct ck_row_place){n * y_sample + y * y_line + x * c->y_pitch, first + i, n};
      if (++x < c->out_w) continue;
      x = 0;
      if (++y < c->out_h) continue;
      y = 0, n++;
    }
    return;
  }
  for (long l = 0; l < w->lines; l++)
    for (long i = 0; i < w->columns; i++)
      *place++ = (struct ck_row_place){
        n * y_sample + (y + l) * y_line + (x + i) * c->y_pitch, ((n * c->out_h) + y + l) * c->out_w + x + i, n};
}

/// Cuts the rows of the strip into blocks.
static void cut_blocks(struct work *w) {
  const struct ck_conv *c = w->conv;
  const long pitch = w->plan.pitch, total = c->samples * c->out_h * c->out_w;
  // Where lines are whole tiles, tiles stay within lines; elsewhere they run across, and rows that lie between
  // lines are dropped.
  const long whole = w->columns % 16 == 0 && !w->plan.pointwise ? w->columns / 16 : 0;
  const long flat = (w->lines - 1) * pitch + w->columns;
  const long tiles = whole ? w->lines * whole : ck_ceil_div(flat, 16);
  long place = 0, column = 0;
  w->block_count = ck_ceil_div(tiles, 2);
  for (long i = 0; i < w->block_count; i++) {
    struct ck_block_rows b = {.tiles = tiles - 2 * i > 1 ? 2 : 1, .first = place};
    for (int t = 0; t < b.tiles; t++) {
      const long tile = 2 * i + t, first = whole ? tile / whole * pitch + tile % whole * 16 : tile * 16;
      b.start[t] = first;
      // A source that is read in place has nothing behind its last row: the tile begins earlier.
      if (w->plan.in_place) b.start[t] = ck_min_long(first, total - w->column - 16);
      if (whole) column = 0;
      for (long r = first; r < ck_min_long(first + 16, flat); r++) {
        if (column < w->columns) {
          b.at[b.count++] = (uint8_t)(t * 16 + r - b.start[t]);
          b.rows[t] = r - b.start[t] + 1;
        }
        if (++column == pitch) column = 0;
      }
    }
    place += b.count;
    w->blocks[i] = b;
  }
}

/// Sums over rows of a panel's columns, of what they exceed the first row by, and of its squares.
struct moments {
  vf first[2], sum[2], squares[2];
};

struct pending {
  struct work *w;
  const struct ck_block_rows *rows;
  const float *sums;
  long next, count;              // of the rows that exist
  long due;                      // rows that should have been finished by now
  struct halves halves, stored;  // of the columns that epilogues before and behind a gate see
  long sample;                   // for which `base` was made
  long leading;                  // epilogues that are sums of vectors a sample
  struct moments moments;        // of a part of the statistics
  long part_rows, part_next;     // its rows, 0 without statistics, and how many of them have been added
  float base[32] __attribute__((aligned(64)));
};

/// base = the sum of the leading epilogues for a sample.
static void find_base(struct pending *p, long sample) {
  const struct ck_conv *c = p->w->conv;
  float row[32] __attribute__((aligned(64)));
  memset(p->base, 0, sizeof p->base);
  for (long i = 0; i < p->leading; i++) {
    const struct ck_epilogue *e = c->epilogues + i;
    load_columns(row, element(e->x, e->dtype, e->kind == CK_ROW ? sample * e->pitch : 0), e->dtype, &p->halves);
    for (int j = 0; j < 32; j += VL) vstore(p->base + j, vload(p->base + j) + vload(row + j));
  }
  p->sample = sample;
}

/// Rows that are finished together: what is to be done is decided once, and none waits for the results of another.
enum { ROWS = 4 };
/// Unrolled: their vectors stay in registers.
#define CK_ALL _Pragma("clang loop unroll(full)")

/// v[rows][2] += the panel's columns of an epilogue's x, whose rows begin at the elements `at`.
CK_INLINE void add_columns(
  vf (*v)[2], int rows, const struct ck_epilogue *e, const long *at, const struct halves *h)
{
  if (e->dtype == CK_BF16 && h->count[1] == 16) {
    CK_ALL for (int r = 0; r < rows; r++)
      CK_ALL for (int i = 0; i < 2; i++) v[r][i] += vload_bf16((const uint16_t *)e->x + at[r] + h->column[i]);
    return;
  }
  CK_ALL for (int r = 0; r < rows; r++)
    CK_ALL for (int i = 0; i < 2; i++) {
      const void *from = element(e->x, e->dtype, at[r] + h->column[i]);
      if (h->count[i] == 16) v[r][i] += vload_as(from, e->dtype);
      else if (h->count[i] > 0) v[r][i] += vload_tail(from, e->dtype, h->count[i]);
    }
}

#define CK_EACH(function) \
  CK_ALL for (int r = 0; r < rows; r++) \
    CK_ALL for (int i = first; i < 2; i++) v[r][i] = function(v[r][i])

/// v[rows][first ..< 2] = activation(v). `is_short`: for results that are rounded to bf16.
CK_INLINE void activate_rows(vf (*v)[2], int rows, int first, enum ck_activation activation, bool is_short) {
  switch (activation) {
    case CK_SILU:
      if (is_short) CK_EACH(vsilu_short);
      else CK_EACH(vsilu);
      break;
    case CK_GELU:
      if (is_short) CK_EACH(vgelu_short);
      else CK_EACH(vgelu);
      break;
    case CK_QUICK_GELU: CK_EACH(vquick_gelu); break;
    default: break;
  }
}

/// Adds the finished values of rows of one part.
CK_INLINE void add_moments(struct moments *m, vf (*v)[2], int rows, bool are_first) {
  CK_ALL for (int i = 0; i < 2; i++) {
    if (are_first) m->first[i] = v[0][i];
    const vf first = m->first[i];
    vf sum = are_first ? vsplat(0) : m->sum[i], squares = are_first ? vsplat(0) : m->squares[i];
    CK_ALL for (int r = 0; r < rows; r++) {
      const vf more = v[r][i] - first;
      sum += more;
      squares = vfma(more, more, squares);
    }
    m->sum[i] = sum, m->squares[i] = squares;
  }
}

/// Mean and squared deviations of the part that ends with a row of the block.
static void store_moments(const struct pending *p, long row) {
  const struct work *w = p->w;
  const struct ck_conv *c = w->conv;
  const long number = p->rows->first + row, rows = p->part_rows;
  const struct ck_row_place *place = w->places + number;
  long part = (place->row - place->sample * c->out_h * c->out_w) / rows;
  if (!w->plan.pointwise)
    part = (w->line * w->plan.columns + number) / rows * w->plan.column_strips + w->column / w->plan.columns;
  float *to = c->statistics + (part * c->samples + place->sample) * c->columns * 2;
  for (int i = 0; i < 2; i++) {
    float mean[VL], deviations[VL];
    const vf more = p->moments.sum[i] / (float)rows;
    vstore(mean, p->moments.first[i] + more);
    vstore(deviations, p->moments.squares[i] - p->moments.sum[i] * more);
    for (long j = 0; j < p->halves.count[i]; j++) {
      float *at = to + (p->halves.column[i] + j) * 2;
      // Rounding must not make it negative; NaN stays.
      at[0] = mean[j], at[1] = deviations[j] < 0 ? 0 : deviations[j];
    }
  }
}

/// Finishes the next `rows` rows, all of one sample and one part of the statistics.
CK_INLINE void finish_next(struct pending *p, const int rows) {
  const struct ck_conv *c = p->w->conv;
  const struct ck_row_place *place = p->w->places + p->rows->first + p->next;
  const struct halves *h = &p->halves;
  const bool is_short = c->y_dtype == CK_BF16;
  vf v[ROWS][2];
  CK_ALL for (int r = 0; r < rows; r++)
    CK_ALL for (int i = 0; i < 2; i++)
      v[r][i] = vload(p->sums + p->rows->at[p->next + r] * 32 + i * VL) + vload(p->base + i * VL);
  for (long i = p->leading; i < c->epilogue_count; i++) {
    const struct ck_epilogue *e = c->epilogues + i;
    long at[ROWS] = {0};
    switch (e->kind) {
      case CK_BIAS:
      case CK_ROW:
      case CK_RESIDUAL:
        if (e->kind != CK_BIAS)
          CK_ALL for (int r = 0; r < rows; r++) at[r] = (e->kind == CK_ROW ? place->sample : place[r].row) * e->pitch;
        add_columns(v, rows, e, at, h);
        break;
      case CK_ACTIVATION: activate_rows(v, rows, 0, e->activation, is_short); break;
      case CK_GATE:
        activate_rows(v, rows, 1, CK_GELU, is_short);
        CK_ALL for (int r = 0; r < rows; r++) v[r][0] *= v[r][1];
        h = &p->stored;
        break;
    }
  }
  if (p->part_rows > 0) {
    add_moments(&p->moments, v, rows, p->part_next == 0);
    p->part_next += rows;
    if (p->part_next == p->part_rows) store_moments(p, p->next + rows - 1), p->part_next = 0;
  }
  p->next += rows;
  if (is_short && h->count[1] == 16) {
    uint16_t *y = (uint16_t *)c->y + h->column[0];
    CK_ALL for (int r = 0; r < rows; r++) vstore_pair_bf16(y + place[r].y, v[r][0], v[r][1]);
    return;
  }
  CK_ALL for (int r = 0; r < rows; r++)
    CK_ALL for (int i = 0; i < 2; i++) {
      void *half = element_out(c->y, c->y_dtype, place[r].y + h->column[i]);
      if (h->count[i] == 16) vstore_as(half, c->y_dtype, v[r][i]);
      else if (h->count[i] > 0) vstore_tail(half, c->y_dtype, v[r][i], h->count[i]);
    }
}

// Not part of their callers, which are loops around products in many forms.
static __attribute__((noinline)) void finish_one(struct pending *p) { finish_next(p, 1); }
static __attribute__((noinline)) void finish_some(struct pending *p) { finish_next(p, ROWS); }

CK_INLINE void finish_rows(struct pending *p, long rows) {
  struct filling *f = &p->w->filling;
  if (f->line < f->lines) fill_more(f, f->pieces);
  p->due += rows;
  while (p->next < p->count && p->due >= ck_min_long(ROWS, p->count - p->next)) {
    const struct ck_row_place *place = p->w->places + p->rows->first + p->next;
    if (place->sample != p->sample) find_base(p, place->sample);
    const bool some = p->next + ROWS <= p->count && place[ROWS - 1].sample == p->sample &&
      (p->part_rows == 0 || p->part_next + ROWS <= p->part_rows);
    if (some) finish_some(p);
    else finish_one(p);
    p->due -= some ? ROWS : 1;
  }
}

/// Fills what the first block reads, and spreads the rest over the products of the first panel.
static void begin_filling(struct work *w) {
  struct filling *f = &w->filling;
  if (!f->source) return;
  fill_lines(f, f->source->kernel_h);
  long steps = 0;
  for (long i = 0; i < w->kernel_line_count; i++) steps += w->kernel_lines[i].run / 32;
  f->pieces = ck_ceil_div(
    (f->lines - f->line) * f->pixels * ck_ceil_div(f->source->channels, PIECE), ck_max_long(1, steps * w->block_count));
}

/// A block whose first attempt failed; by value, so that the usual one need not be in memory.
static __attribute__((noinline, cold)) void multiply_again(struct ck_block b, struct pending *pending) {
  float first[CK_BLOCK * CK_BLOCK];
  const size_t bytes = (size_t)b.tiles * sizeof first / 2;
  memcpy(first, b.sums, bytes);
  for (int attempt = 1; attempt < MOST_ATTEMPTS && attempt_failed(); attempt++) {
    begin_attempt();
    multiply(&b, pending);
  }
  ck_note_repeated(memcmp(first, b.sums, bytes) != 0);
}

/// All blocks of a strip over the group's panels.
static void multiply_strip(struct work *w, long first_panel, long panels, float *sums) {
  const struct ck_conv *c = w->conv;
  begin_filling(w);
  struct pending pending = {.w = w};
  pending.part_rows = ck_statistics_rows(c);
  while (pending.leading < c->epilogue_count && c->epilogues[pending.leading].kind <= CK_ROW) pending.leading++;
  for (long p = 0; p < panels; p++) {
    const long panel = first_panel + p;
    const struct halves halves = halves_of(c, panel);
    for (long i = 0; i < w->block_count; i++) {
      const struct ck_block_rows *rows = w->blocks + i;
      const struct ck_block b = {
        .lines = w->kernel_lines,
        .count = w->kernel_line_count,
        .panel = panel,
        .start = {rows->start[0], rows->start[1]},
        .rows = {rows->rows[0], rows->rows[1]},
        .tiles = rows->tiles,
        .halves = halves.count[1] > 0 ? 2 : 1,
        .sums = sums + (p * w->block_count + i) % 2 * CK_BLOCK * CK_BLOCK,
        .index = i,
        .blocks = w->block_count,
        .ahead = p + 1 < panels,
        .finish = CK_BLOCK,
      };
      const long last_row = b.start[b.tiles - 1] + b.rows[b.tiles - 1] - 1;
      if (w->filling.source) fill_lines(&w->filling, last_row / w->plan.pitch + w->filling.source->kernel_h);
      begin_attempt();
      multiply(&b, &pending);
      if (__builtin_expect(attempt_failed(), 0)) multiply_again(b, &pending);
      finish_rows(&pending, CK_BLOCK);
      pending.rows = rows, pending.sums = b.sums, pending.next = pending.due = 0, pending.count = rows->count;
      if (i > 0) continue;
      pending.halves = halves, pending.sample = -1;
      pending.stored = c->gated ? gated_halves(panel, &halves) : halves;
    }
  }
  finish_rows(&pending, CK_BLOCK);
}

void CK_NAME(conv_bf16)(const void *arguments, long part, long parts, void *scratch) {
  struct ck_source source;
  const long phase_parts = parts / ck_phase_count(arguments);
  const struct ck_conv phase = ck_phase(arguments, part / phase_parts, &source), *c = &phase;
  part %= phase_parts;
  struct work w = {.conv = c, .plan = ck_strips(c)};
  const struct ck_conv_bf16_layout layout = ck_conv_bf16_layout(c, &w.plan);
  char *memory = scratch;
  w.kernel_lines = (struct ck_kernel_line *)(memory + layout.lines);
  w.places = (struct ck_row_place *)(memory + layout.places);
  w.blocks = (struct ck_block_rows *)(memory + layout.blocks);
  w.strips = (uint16_t *)(memory + layout.strips);
  w.coefficients = memory + layout.coefficients;
  // Neighbouring parts share the weights of a group, which are the larger operand where it matters.
  const long strips = w.plan.line_strips * w.plan.column_strips, strip = part % strips, group = part / strips;
  const long line_strips = w.plan.line_strips / (w.plan.pointwise ? 1 : c->samples);
  const long line_strip = strip / w.plan.column_strips;
  w.sample = line_strip / line_strips;
  w.line = line_strip % line_strips * w.plan.lines;
  w.column = strip % w.plan.column_strips * w.plan.columns;
  const long height = w.plan.pointwise ? 1 : c->out_h;
  const long width = w.plan.pointwise ? c->samples * c->out_h * c->out_w : c->out_w;
  w.lines = ck_min_long(w.plan.lines, height - w.line);
  w.columns = ck_min_long(w.plan.columns, width - w.column);
  fill_strips(&w);
  place_rows(&w);
  cut_blocks(&w);
  begin_blocks();
  const long first = group * w.plan.group;
  multiply_strip(&w, first, ck_min_long(w.plan.group, w.plan.panels - first), (float *)(memory + layout.sums));
  end_blocks();
}
