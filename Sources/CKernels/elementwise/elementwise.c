// Parts of the elementwise calls, and the check of ids: functions of shapes, the same for all instruction
// sets.
#include "elementwise_plan.h"

long ck_elementwise_parts(long rows, long columns) {
  return rows <= 0 || columns <= 0 ? 0 : ck_ceil_div(rows * columns, CK_ELEMENTWISE_BLOCK);
}

long ck_transpose_parts(const struct ck_transpose *transpose) {
  const long *n = transpose->sizes;
  const long lines = n[0] * n[1] * n[2] * n[3];
  return lines <= 0 || n[4] <= 0 ? 0 : ck_min_long(lines, ck_ceil_div(lines * n[4], CK_ELEMENTWISE_BLOCK));
}
