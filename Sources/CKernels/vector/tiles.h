// A block of sums of products of bf16 pairs on AMX: tiles of 16 rows, two by two, over all of K.
//
// A is read as it lies, 16 rows of a strip; the two halves of a panel are the tiles of B. The sums stay in
// tiles 0 to 3 from the first k to the last. Four products take the unit 64 cycles and need four tiles loaded
// in 32; what is left of a core's time finishes the block before.
#ifndef CK_TILES_H
#define CK_TILES_H

#include "pairs.h"
#include "preemption.h"
#include "tile_unit.h"

/// Runs of k are multiples of RUN; so many rows are computed at once; other work is done meanwhile; attempts may
/// fail.
enum { RUN = 32, ROWS_AT_ONCE = 16, WORKS_MEANWHILE = 1, MAY_FAIL = 1 };

/// The piece of every kernel column that is multiplied before the next piece, so that the others find the lines of x
/// that they share with one column in L1: 4 KB of weights and two lines a row.
enum { PIECE_RUN = 64 };

CK_INLINE void begin_blocks(void) { tiles_on(); }
CK_INLINE void end_blocks(void) {
  tiles_off();
  stop_watching();
}

// Some virtual machines lose the tiles of a thread when its processor is given to another.
CK_INLINE void begin_attempt(void) { watch_thread(); }
CK_INLINE bool attempt_failed(void) { return was_preempted(); }

/// The sums of a block of 1 or 2 tiles of rows by 1 or 2 halves of a panel.
CK_INLINE void multiply_tiles(const struct ck_block *b, struct pending *pending, int tiles, int halves) {
  const long right = 16, below = 16 * 32;  // from the first tile's sums to those of its neighbours
  if (b->before) {
    tile_load(0, b->before, 128);
    if (halves == 2) tile_load(1, b->before + right, 128);
    if (tiles == 2) tile_load(2, b->before + below, 128);
    if (tiles == 2 && halves == 2) tile_load(3, b->before + below + right, 128);
  } else {
    tile_zero(0);
    if (halves == 2) tile_zero(1);
    if (tiles == 2) tile_zero(2);
    if (tiles == 2 && halves == 2) tile_zero(3);
  }
  long steps = 0;
  for (long i = 0; i < b->count; i++) steps += b->lines[i].run / 32;
  const long rows = ck_ceil_div(b->finish, steps);  // to finish in each step
  const long fetched = ck_ceil_div(32, b->blocks);  // lines of the next panel, of the 32 of each step
  for (long i = 0; i < b->count; i++) {
    const struct ck_kernel_line *line = b->lines + i;
    const uint16_t *x0 = line->x + b->start[0] * line->row, *x1 = line->x + b->start[1] * line->row;
    const uint16_t *weights = line->weights + b->panel * line->panel;
    const char *ahead = (const char *)(weights + line->panel) + b->index * fetched * 64;
    const long stride = line->row * 2;
    const long fetches = b->ahead ? ck_min_long(fetched, 32 - b->index * fetched) : 0;
    const long channels = line->run / line->columns;
    const bool in_pieces = line->columns > 1 && channels % PIECE_RUN == 0;
    const long column = in_pieces ? channels : line->run, piece = in_pieces ? PIECE_RUN : line->run;
    for (long first = 0; first < column; first += piece)
      for (long begin = first; begin < line->run; begin += column)
        for (long k = begin; k < begin + piece; k += 32) {
          tile_load(4, x0 + k, stride);
          tile_load(6, weights + k * 32, 128);
          tile_product(0, 4, 6);
          if (halves == 2) {
            tile_load(7, weights + k * 32 + 32, 128);
            tile_product(1, 4, 7);
          }
          if (tiles == 2) {
            tile_load(5, x1 + k, stride);
            tile_product(2, 5, 6);
            if (halves == 2) tile_product(3, 5, 7);
          }
          for (long f = 0; f < fetches; f++) __builtin_prefetch(ahead + f * 64, 0, 2);
          ahead += 2048;
          finish_rows(pending, rows);
        }
  }
  tile_store(0, b->sums, 128);
  if (halves == 2) tile_store(1, b->sums + right, 128);
  if (tiles == 2) tile_store(2, b->sums + below, 128);
  if (tiles == 2 && halves == 2) tile_store(3, b->sums + below + right, 128);
}

CK_INLINE void multiply(const struct ck_block *b, struct pending *pending) {
  if (b->tiles == 2 && b->halves == 2) multiply_tiles(b, pending, 2, 2);
  else if (b->tiles == 2) multiply_tiles(b, pending, 2, 1);
  else if (b->halves == 2) multiply_tiles(b, pending, 1, 2);
  else multiply_tiles(b, pending, 1, 1);
}

#endif
