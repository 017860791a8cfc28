// Packed weights: checkpoint layout <-> panel32 [panel][k][32], its gated variant, and rows; layouts in
// include/ck_pack.h. No arithmetic but the rounding of a change of type (to nearest, ties to even; NaN
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

size_t ck_packed_count(
  long columns, long channels, long kernel_h, long kernel_w, int gated, enum ck_dtype dtype)
{
  const long run = dtype == CK_BF16 ? ck_packed_run(channels, kernel_w) : kernel_w * channels;
  return (size_t)ck_panels(columns, gated) * (size_t)(kernel_h * run) * 32;
}

long ck_pack_parts(const struct ck_pack *pack) { return ck_panels(pack->columns, pack->gated); }

/// The logical column at lane `lane` of a panel, or -1 for padding.
static long column_of(const struct ck_pack *p, long panel, int lane) {
  if (!p->gated) return panel * 32 + lane < p->columns ? panel * 32 + lane : -1;
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
  const long panels = ck_panels(p->columns, p->gated), taps = p->kernel_w * p->channels;
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

void ck_pack_weight(const void *arguments, long part, long parts, void *scratch) {
  (void)scratch;
  const struct ck_pack *p = arguments;
  (p->rows ? move_rows : move_panels)(p, part, parts, true);
}

void ck_unpack_weight(const void *arguments, long part, long parts, void *scratch) {
  (void)scratch;
  const struct ck_pack *p = arguments;
  (p->rows ? move_rows : move_panels)(p, part, parts, false);
}
