// The tile unit of AMX: eight tiles of 16 rows by 64 bytes, kept so for as long as they are on.
#ifndef CK_TILE_UNIT_H
#define CK_TILE_UNIT_H

#include <immintrin.h>

#ifdef CK_TILE_MODEL
#include "tile_model.h"
#else
CK_INLINE void tiles_on(void) {
  // What ldtilecfg reads. Palette 1 is architectural.
  struct {
    uint8_t palette, start, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
  } shape = {.palette = 1};
  for (int i = 0; i < 8; i++) shape.bytes[i] = 64, shape.rows[i] = 16;
  _tile_loadconfig(&shape);
}
CK_INLINE void tiles_off(void) { _tile_release(); }

// Macros, because a tile's number is part of the instruction.
#define tile_zero(t) _tile_zero(t)
#define tile_load(t, from, stride) _tile_loadd(t, from, stride)
#define tile_store(t, to, stride) _tile_stored(t, to, stride)
/// c [16][16] += a [16][32] * b [16][16][2]
#define tile_product(c, a, b) _tile_dpbf16ps(c, a, b)
#endif

#endif
