// The register tile: MR rows by 32 columns of c (+)= a * b, one accumulator an element, sums in the order
// of k.
#ifndef CK_MICRO_H
#define CK_MICRO_H

/// Left-hand sides of a tile. By rows: pointers [segments][MR], each to `length` f32. Downwards:
/// [length][MR], rows `pitch` apart.
struct ck_left {
  const float *const *rows;
  const float *down;
  long segments, length, pitch;
};

/// Memory to fetch into L2 on the side, `step` bytes for every k. `wanted` must be a constant: a branch in
/// the loop costs a third of the speed.
struct ck_ahead {
  bool wanted;
  const char *next;
  long step;
};

/// `vectors` * VL columns from `column` on. b: f32 [segments * length][32], c: f32 [MR][32].
CK_INLINE void tile(
  const struct ck_left *a, const float *b, float *c, bool first, struct ck_ahead ahead, long column,
  int vectors)
{
  vf sum[MR][NV];
  for (int i = 0; i < MR; i++)
    for (int v = 0; v < vectors; v++) sum[i][v] = first ? vsplat(0.0f) : vload(c + i * 32 + column + v * VL);
  const float *panel = b + column;
  for (long s = 0; s < a->segments; s++) {
    const float *row[MR];
    for (int i = 0; i < MR; i++) row[i] = a->rows ? a->rows[s * MR + i] : a->down + i;
#pragma clang loop unroll_count(4)
    for (long k = 0; k < a->length; k++) {
      vf weights[NV];
      for (int v = 0; v < vectors; v++) weights[v] = vload(panel + v * VL);
      for (int i = 0; i < MR; i++) {
        const vf x = vsplat(a->rows ? row[i][k] : row[0][k * a->pitch + i]);
        for (int v = 0; v < vectors; v++) sum[i][v] = vfma(x, weights[v], sum[i][v]);
      }
      panel += 32;
      if (ahead.wanted) {
        __builtin_prefetch(ahead.next, 0, 2);
        ahead.next += ahead.step;
      }
    }
  }
  for (int i = 0; i < MR; i++)
    for (int v = 0; v < vectors; v++) vstore(c + i * 32 + column + v * VL, sum[i][v]);
}

/// c [MR][32] (+)= a * b in the first `width` columns at least; `first`: from zero instead of c.
CK_INLINE void micro(
  const struct ck_left *a, const float *b, float *c, bool first, struct ck_ahead ahead, long width)
{
  for (long column = 0; column < width; column += NV * VL)
    if (width - column <= VL) tile(a, b, c, first, ahead, column, 1);
    else tile(a, b, c, first, ahead, column, NV);
}

#endif
