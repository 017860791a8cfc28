// Packed weights: checkpoint layout <-> panel32 [panel][k][32], its gated variant, winograd, and rows; layouts in
// include/ck_pack.h. No arithmetic but winograd's and the rounding of a change of type (to nearest, ties to even; NaN
// stays NaN).
#include "include/ck_pack.h"

#include <stdbool.h>

#include "vector/scalar.h"

size_t ck_dtype_size(enum ck_dtype dtype) {
  switch (dtype) {
    case CK_F16:
    case CK_BF16: return 2;
    case CK_F32:
    case CK_I32: return 4;
    case CK_I64: return 8;
  }
  return 0;
}

long ck_panels(long columns, int gated) { return gated ? (columns / 2 + 15) / 16 : (columns + 31) / 32; }

size_t ck_packed_count(const struct ck_pack *p) {
  const size_t panels = (size_t)ck_pack_parts(p), taps = (size_t)(p->kernel_h * p->kernel_w);
  if (p->layout == CK_ROWS) return (size_t)p->columns * taps * (size_t)p->channels;
  if (p->layout == CK_WINOGRAD) return panels * (p->kernel_w == 2 ? 36 : 16) * (size_t)p->channels * 32;
  const long run = p->destination_dtype == CK_BF16 ? ck_packed_run(p->channels, p->kernel_w) : p->kernel_w * p->channels;
  return panels * (size_t)(p->kernel_h * run) * 32;
}

long ck_pack_parts(const struct ck_pack *pack) { return ck_panels(pack->columns, pack->layout == CK_PANEL32_GATED); }

/// The logical column at lane `lane` of a panel, or -1 for padding.
static long column_of(const struct ck_pack *p, long panel, long lane) {
  if (p->layout != CK_PANEL32_GATED) return panel * 32 + lane < p->columns ? panel * 32 + lane : -1;
  const long value = panel * 16 + lane % 16;
  return value >= p->columns / 2 ? -1 : lane < 16 ? value : p->columns / 2 + value;
}

/// Index of (k, lane) within a kernel line of a panel.
static long packed_index(enum ck_dtype dtype, long k, int lane) {
  return dtype == CK_BF16 ? k / 2 * 64 + lane * 2 + k % 2 : k * 32 + lane;
}

/// Packs (or unpacks) the panels of a part.
static void move_panels(const struct ck_pack *p, long part, long parts, bool pack) {
  const enum ck_dtype dtype = pack ? p->destination_dtype : p->source_dtype;
  const long panels = ck_pack_parts(p), taps = p->kernel_w * p->channels;
  const long run = dtype == CK_BF16 ? ck_packed_run(p->channels, p->kernel_w) : taps;
  for (long panel = panels * part / parts; panel < panels * (part + 1) / parts; panel++)
    for (long line = 0; line < p->kernel_h; line++)
      for (int lane = 0; lane < 32; lane++) {
        const long column = column_of(p, panel, lane), first = (panel * p->kernel_h + line) * run * 32;
        if (column < 0 && !pack) continue;
        for (long kx = 0; column >= 0 && kx < p->kernel_w; kx++)
          for (long c = 0; c < p->channels; c++) {
            const long packed = first + packed_index(dtype, kx * p->channels + c, lane);
            const long dense =
              column * p->column_stride + c * p->channel_stride + (line * p->kernel_w + kx) * p->tap_stride;
            if (pack) ck_move(p->destination, dtype, packed, p->source, p->source_dtype, dense);
            else ck_move(p->destination, p->destination_dtype, dense, p->source, dtype, packed);
          }
        for (long k = column < 0 ? 0 : taps; pack && k < run; k++)
          ck_put(p->destination, dtype, first + packed_index(dtype, k, lane), 0);
      }
}

/// Packs (or unpacks) the columns of a part.
static void move_rows(const struct ck_pack *p, long part, long parts, bool pack) {
  const long taps = p->kernel_h * p->kernel_w;
  for (long column = p->columns * part / parts; column < p->columns * (part + 1) / parts; column++)
    for (long tap = 0; tap < taps; tap++)
      for (long c = 0; c < p->channels; c++) {
        const long packed = (column * taps + tap) * p->channels + c;
        const long dense = column * p->column_stride + c * p->channel_stride + tap * p->tap_stride;
        if (pack) ck_move(p->destination, p->destination_dtype, packed, p->source, p->source_dtype, dense);
        else ck_move(p->destination, p->destination_dtype, dense, p->source, p->source_dtype, packed);
      }
}

// What winograd does with the taps of a line of a kernel, `stride` apart, and back: the four numbers of F(2, 3) for three
// taps, the three of F(2, 2) for two.

static void spread3(const float *a, float *u, long stride) {
  const float sum = a[0] + a[2 * stride], middle = a[stride];
  u[0] = a[0], u[stride] = (sum + middle) * 0.5f, u[2 * stride] = (sum - middle) * 0.5f, u[3 * stride] = a[2 * stride];
}

static void gather3(const float *u, float *a, long stride) {
  a[0] = u[0], a[stride] = u[stride] - u[2 * stride], a[2 * stride] = u[3 * stride];
}

static void spread2(const float *a, float *u, long stride) {
  u[0] = a[0], u[stride] = a[0] + a[stride], u[2 * stride] = a[stride];
}

static void gather2(const float *u, float *a, long stride) { a[0] = u[0], a[stride] = u[2 * stride]; }

/// From a square of n x n to one of m x m, lines 4 apart: `of_line` on all columns, then on all lines.
static void transform(
  void (*of_line)(const float *, float *, long), const float from[16], int n, float to[16], int m)
{
  float half[16];
  for (int i = 0; i < n; i++) of_line(from + i, half + i, 4);
  for (int i = 0; i < m; i++) of_line(half + 4 * i, to + 4 * i, 1);
}

/// Packs (or unpacks) the panels of a part: one kernel of 3 x 3, or the four of 2 x 2 of phases.
static void move_winograd(const struct ck_pack *p, long part, long parts, bool pack) {
  const enum ck_dtype dtype = pack ? p->destination_dtype : p->source_dtype;
  const int n = p->kernel_w, m = n + 1, kernels = p->kernel_h / p->kernel_w;
  const long panels = ck_pack_parts(p), step = p->channels * 32;
  for (long panel = panels * part / parts; panel < panels * (part + 1) / parts; panel++)
    for (long i = 0; i < kernels * p->channels * 32; i++) {
      const long kernel = i / step, c = i / 32 % p->channels, column = column_of(p, panel, i % 32);
      const long packed = (panel * kernels + kernel) * m * m * step + i % step;
      const long dense = column * p->column_stride + c * p->channel_stride + kernel * n * n * p->tap_stride;
      float w[16] = {0}, u[16];
      if (pack) {
        for (int tap = 0; column >= 0 && tap < n * n; tap++)
          w[tap / n * 4 + tap % n] = ck_get(p->source, p->source_dtype, dense + tap * p->tap_stride);
        transform(n == 3 ? spread3 : spread2, w, n, u, m);
        for (int j = 0; j < m * m; j++) ck_put(p->destination, dtype, packed + j * step, u[j / m * 4 + j % m]);
      } else if (column >= 0) {
        for (int j = 0; j < m * m; j++) u[j / m * 4 + j % m] = ck_get(p->source, dtype, packed + j * step);
        transform(n == 3 ? gather3 : gather2, u, m, w, n);
        for (int tap = 0; tap < n * n; tap++)
          ck_put(p->destination, p->destination_dtype, dense + tap * p->tap_stride, w[tap / n * 4 + tap % n]);
      }
    }
}

/// Packs or unpacks.
static void move(const struct ck_pack *p, long part, long parts, bool pack) {
  switch (p->layout) {
    case CK_PANEL32:
    case CK_PANEL32_GATED: move_panels(p, part, parts, pack); break;
    case CK_WINOGRAD: move_winograd(p, part, parts, pack); break;
    case CK_ROWS: move_rows(p, part, parts, pack); break;
  }
}

void ck_pack_weight(const void *arguments, long part, long parts, void *scratch) {
  (void)scratch;
  move(arguments, part, parts, true);
}

void ck_unpack_weight(const void *arguments, long part, long parts, void *scratch) {
  (void)scratch;
  move(arguments, part, parts, false);
}
