// How elementwise work is cut: ranges of the result's elements in row-major order. From shapes alone.
#ifndef CK_ELEMENTWISE_PLAN_H
#define CK_ELEMENTWISE_PLAN_H

#include "../include/ck_elementwise.h"
#include "../vector/prelude.h"

enum {
  CK_ELEMENTWISE_BLOCK = 32768,  // elements of a part, about
  CK_SPAN = 512,                 // elements that are worked on at a time, widened, in L1
};

/// A run of elements within one row.
struct ck_span {
  long row, column, count;
};

/// The elements of [rows, columns] that a part still has to do: positions `at` ..< `end`.
struct ck_range {
  long at, end, columns;
};

/// Cuts at multiples of 64 elements, so that parts of dense tensors do not share cache lines.
static inline struct ck_range ck_range(long rows, long columns, long part, long parts) {
  const long lines = ck_ceil_div(rows * columns, 64);
  return (struct ck_range){
    lines * part / parts * 64, ck_min_long(lines * (part + 1) / parts * 64, rows * columns), columns};
}

/// The next run of at most `longest` elements; false at the end.
static inline bool ck_next_span(struct ck_range *range, long longest, struct ck_span *span) {
  if (range->at >= range->end) return false;
  span->row = range->at / range->columns;
  span->column = range->at % range->columns;
  span->count = ck_min_long(ck_min_long(longest, range->columns - span->column), range->end - range->at);
  range->at += span->count;
  return true;
}

/// Id `r`, or -1 if it is outside the table.
static inline long ck_gather_id(const struct ck_gather *g, long r) {
  const int64_t id = g->ids_dtype == CK_I64 ? ((const int64_t *)g->ids)[r] : ((const int32_t *)g->ids)[r];
  return id < 0 || id >= g->table_rows ? -1 : (long)id;
}

#endif
