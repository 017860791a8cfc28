/// Elementwise arithmetic, conversion and data movement. None needs scratch. The parts of all of these
/// calls come from `ck_elementwise_parts` of the *result's* rows and columns (transpose:
/// ck_transpose_parts).
#ifndef CK_ELEMENTWISE_H
#define CK_ELEMENTWISE_H

#include "ck_types.h"

/// Parts of an elementwise call whose result is [rows, columns].
long ck_elementwise_parts(long rows, long columns);

enum ck_binary_operation : int32_t { CK_ADD = 0, CK_SUBTRACT = 1, CK_MULTIPLY = 2, CK_DIVIDE = 3 };

/// What b is next to a [rows, columns].
enum ck_broadcast : int32_t {
  CK_SAME = 0,        ///< [rows, columns]
  CK_ROW_VECTOR = 1,  ///< [columns], for every row
  CK_SAMPLE_ROW = 2,  ///< [rows / rows_per_sample, columns]: row r reads row r / rows_per_sample of b
  CK_SCALAR = 3,      ///< one element
  CK_COLUMN_VECTOR = 4,  ///< [rows, 1]: row r reads b[r*b_pitch]
};

/// Arguments of `binary`: y = a op b (swapped: b op a). y may be a, or b if CK_SAME.
struct ck_binary {
  const void *a, *b;
  void *y;
  enum ck_binary_operation operation;
  enum ck_broadcast broadcast;
  enum ck_dtype a_dtype, b_dtype, y_dtype;
  int swapped;
  long a_pitch, b_pitch, y_pitch;
  long rows, columns, rows_per_sample;
};

enum ck_unary_operation : int32_t {
  CK_UNARY_SILU = 0, CK_UNARY_GELU = 1, CK_UNARY_QUICK_GELU = 2, CK_UNARY_EXP = 3, CK_UNARY_SIGMOID = 4,
  CK_UNARY_TANH = 5, CK_UNARY_SQRT = 6, CK_UNARY_RSQRT = 7, CK_UNARY_SIN = 8, CK_UNARY_COS = 9,
  CK_UNARY_NEGATE = 10, CK_UNARY_ERF = 11, CK_UNARY_ABS = 12, CK_UNARY_SQUARE = 13, CK_UNARY_LOG = 14,
  CK_UNARY_RECIPROCAL = 15,
};

/// Arguments of `unary`: y = f(x), both [rows, columns]. y may be x if dtype and pitch agree.
struct ck_unary {
  const void *x;
  void *y;
  enum ck_unary_operation operation;
  enum ck_dtype x_dtype, y_dtype;
  long x_pitch, y_pitch;
  long rows, columns;
};

/// Arguments of `geglu`: y[r][c] = x[r][c] * gelu(x[r][columns + c]); x: [rows, 2 * columns], y: [rows,
/// columns].
struct ck_geglu {
  const void *x;
  void *y;
  enum ck_dtype x_dtype, y_dtype;
  long x_pitch, y_pitch;
  long rows, columns;  ///< of y
};

/// Arguments of `convert`: y = x in another type, both [rows, columns]. x: any dtype; y: f32, f16 or bf16.
struct ck_convert {
  const void *x;
  void *y;
  enum ck_dtype x_dtype, y_dtype;
  long x_pitch, y_pitch;
  long rows, columns;
};

/// Arguments of `copy`: `rows` rows of `columns` elements of `element_size` bytes. A concatenation of
/// columns is one copy an operand. x and y must not overlap.
struct ck_copy {
  const void *x;
  void *y;
  size_t element_size;
  long x_pitch, y_pitch;  ///< in elements
  long rows, columns;
};

/// Arguments of `transpose`: y, dense and row-major with the given sizes, takes element (i0, ..., i4) from
/// x[i0*x_strides[0] + ... + i4*x_strides[4]] (elements; 0 repeats). Unused leading sizes are 1.
struct ck_transpose {
  const void *x;
  void *y;
  size_t element_size;  ///< 1, 2, 4 or 8
  long sizes[5];        ///< of y
  long x_strides[5];
};

long ck_transpose_parts(const struct ck_transpose *transpose);

/// Arguments of `upsample_nearest`: y [samples, out_h, out_w, channels] from x [samples, in_h, in_w,
/// channels], the same pixel rule as `struct ck_source`. Parts: ck_elementwise_parts(samples * out_h *
/// out_w, channels).
struct ck_upsample_nearest {
  const void *x;
  void *y;
  size_t element_size;
  long x_pitch, y_pitch;  ///< elements from a pixel to the next
  long samples, in_h, in_w, out_h, out_w, channels;
};

/// Arguments of `gather`: y[r] = table[ids[r]] as rows. An id outside 0 ..< table_rows reads nothing: its
/// row of y becomes NaN.
struct ck_gather {
  const void *table;  ///< [table_rows, columns]
  const void *ids;    ///< [rows], i32 or i64
  void *y;            ///< [rows, columns]
  enum ck_dtype table_dtype, ids_dtype, y_dtype;
  long table_pitch, y_pitch;
  long table_rows, rows, columns;
};

#endif
