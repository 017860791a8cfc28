// How the normalizations are cut into parts, and their scratch. From shapes alone.
#ifndef CK_NORM_PLAN_H
#define CK_NORM_PLAN_H

#include "../include/ck_norm.h"
#include "../vector/prelude.h"

enum { CK_NORM_BLOCK = 32768 };  // elements of a part, about

/// Rows of one part, and the parts of `rows` rows.
static inline long ck_block_rows(long rows, long columns) {
  return ck_max_long(1, ck_min_long(rows, CK_NORM_BLOCK / ck_max_long(columns, 1)));
}
static inline long ck_row_blocks(long rows, long columns) {
  return rows <= 0 ? 0 : ck_ceil_div(rows, ck_block_rows(rows, columns));
}

/// Floats that hold n of them in whole vectors of every instruction set.
static inline size_t ck_whole_floats(long n) { return (size_t)(n + 15) / 16 * 16; }

/// Bytes in which the coefficients of a normalization are found: center, scale, shift, and mean and M2 in double of
/// all channels.
static inline size_t ck_coefficient_bytes(const struct ck_normalize *n) {
  return ck_whole_floats(n->channels) * 3 * sizeof(float) + ck_whole_floats(n->all_channels) * 2 * sizeof(double);
}

#endif
