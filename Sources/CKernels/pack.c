// Packed weights: checkpoint layout <-> panel32 [panel][k][32] and its gated variant; layouts in
// include/ck_pack.h. No arithmetic but the rounding of a change of type (to nearest, ties to even; NaN
// stays NaN).
#include "include/ck_pack.h"

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

size_t ck_packed_count(long columns, long channels, long kernel_h, long kernel_w, int gated) {
  return (size_t)ck_panels(columns, gated) * (size_t)(kernel_h * kernel_w * channels) * 32;
}

long ck_pack_parts(const struct ck_pack *pack) { return ck_panels(pack->columns, pack->gated); }

/// The logical column at lane `lane` of a panel, or -1 for padding.
static long column_of(const struct ck_pack *p, long panel, int lane) {
  if (!p->gated) return panel * 32 + lane < p->columns ? panel * 32 + lane : -1;
  const long value = panel * 16 + lane % 16;
  return value >= p->columns / 2 ? -1 : lane < 16 ? value : p->columns / 2 + value;
}

void ck_pack_panels(const void *arguments, long part, long parts, void *scratch) {
  (void)scratch;
  const struct ck_pack *p = arguments;
  const long panels = ck_panels(p->columns, p->gated), taps = p->kernel_h * p->kernel_w;
  for (long panel = panels * part / parts; panel < panels * (part + 1) / parts; panel++)
    for (int lane = 0; lane < 32; lane++) {
      const long column = column_of(p, panel, lane);
      for (long tap = 0; tap < taps; tap++)
        for (long c = 0; c < p->channels; c++) {
          const long to = ((panel * taps + tap) * p->channels + c) * 32 + lane;
          const long from = column * p->column_stride + c * p->channel_stride + tap * p->tap_stride;
          if (column < 0) ck_put(p->destination, p->destination_dtype, to, 0);
          else ck_move(p->destination, p->destination_dtype, to, p->source, p->source_dtype, from);
        }
    }
}

void ck_unpack_panels(const void *arguments, long part, long parts, void *scratch) {
  (void)scratch;
  const struct ck_pack *p = arguments;
  const long panels = ck_panels(p->columns, p->gated), taps = p->kernel_h * p->kernel_w;
  for (long panel = panels * part / parts; panel < panels * (part + 1) / parts; panel++)
    for (int lane = 0; lane < 32; lane++) {
      const long column = column_of(p, panel, lane);
      if (column < 0) continue;
      for (long tap = 0; tap < taps; tap++)
        for (long c = 0; c < p->channels; c++) {
          const long from = ((panel * taps + tap) * p->channels + c) * 32 + lane;
          const long to = column * p->column_stride + c * p->channel_stride + tap * p->tap_stride;
          ck_move(p->destination, p->destination_dtype, to, p->source, p->source_dtype, from);
        }
    }
}
