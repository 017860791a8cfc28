// Elementwise arithmetic, conversion and movement: layouts in ck_elementwise.h. f32 inside: a run of up to
// 512 elements is widened into L1, worked on in whole vectors, and rounded on its way out; this keeps one
// loop an operation instead of one for each pair of types. sin, cos, tanh, erf and log are libm's: they are
// never hot.

enum { SPAN_FLOATS = CK_SPAN };

typedef float span_buffer[SPAN_FLOATS] __attribute__((aligned(64)));

#define EACH(n) for (long i = 0; i < (n); i += VL)

void CK_NAME(binary)(const void *arguments, long part, long parts, void *scratch) {
  (void)scratch;
  const struct ck_binary *a = arguments;
  struct ck_range range = ck_range(a->rows, a->columns, part, parts);
  struct ck_span s;
  span_buffer left, right;
  if (a->broadcast == CK_SCALAR) load_row(right, a->b, a->b_dtype, 1);
  const float scalar = a->broadcast == CK_SCALAR ? right[0] : 0;
  if (a->broadcast == CK_SCALAR) EACH(CK_SPAN) vstore(right + i, vsplat(scalar));
  while (ck_next_span(&range, CK_SPAN, &s)) {
    load_row(left, element(a->a, a->a_dtype, s.row * a->a_pitch + s.column), a->a_dtype, s.count);
    switch (a->broadcast) {
      case CK_SAME:
        load_row(right, element(a->b, a->b_dtype, s.row * a->b_pitch + s.column), a->b_dtype, s.count);
        break;
      case CK_ROW_VECTOR:
        load_row(right, element(a->b, a->b_dtype, s.column), a->b_dtype, s.count);
        break;
      case CK_SAMPLE_ROW: {
        const long row = s.row / a->rows_per_sample;
        load_row(right, element(a->b, a->b_dtype, row * a->b_pitch + s.column), a->b_dtype, s.count);
        break;
      }
      case CK_SCALAR:
        break;
      case CK_COLUMN_VECTOR: {
        load_row(right, element(a->b, a->b_dtype, s.row * a->b_pitch), a->b_dtype, 1);
        const vf x = vsplat(right[0]);
        EACH(s.count) vstore(right + i, x);
        break;
      }
    }
    const float *x = a->swapped ? right : left, *y = a->swapped ? left : right;
    switch (a->operation) {
      case CK_ADD: EACH(s.count) vstore(left + i, vload(x + i) + vload(y + i)); break;
      case CK_SUBTRACT: EACH(s.count) vstore(left + i, vload(x + i) - vload(y + i)); break;
      case CK_MULTIPLY: EACH(s.count) vstore(left + i, vload(x + i) * vload(y + i)); break;
      case CK_DIVIDE: EACH(s.count) vstore(left + i, vload(x + i) / vload(y + i)); break;
    }
    store_row(element_out(a->y, a->y_dtype, s.row * a->y_pitch + s.column), a->y_dtype, left, s.count);
  }
}

CK_INLINE vf vsqrt(vf x) { return __builtin_elementwise_sqrt(x); }

static void apply_unary(float *x, long n, enum ck_unary_operation operation) {
  switch (operation) {
    case CK_UNARY_SILU: activate(x, n, CK_SILU); break;
    case CK_UNARY_GELU: activate(x, n, CK_GELU); break;
    case CK_UNARY_QUICK_GELU: activate(x, n, CK_QUICK_GELU); break;
    case CK_UNARY_EXP: EACH(n) vstore(x + i, vexp(vload(x + i))); break;
    case CK_UNARY_SIGMOID: EACH(n) vstore(x + i, vsigmoid(vload(x + i))); break;
    case CK_UNARY_SQRT: EACH(n) vstore(x + i, vsqrt(vload(x + i))); break;
    case CK_UNARY_RSQRT: EACH(n) vstore(x + i, 1.0f / vsqrt(vload(x + i))); break;
    case CK_UNARY_NEGATE: EACH(n) vstore(x + i, -vload(x + i)); break;
    case CK_UNARY_ABS: EACH(n) vstore(x + i, vbits((vi)vload(x + i) & 0x7fffffff)); break;
    case CK_UNARY_SQUARE: EACH(n) vstore(x + i, vload(x + i) * vload(x + i)); break;
    case CK_UNARY_RECIPROCAL: EACH(n) vstore(x + i, 1.0f / vload(x + i)); break;
    case CK_UNARY_TANH: for (long i = 0; i < n; i++) x[i] = tanhf(x[i]); break;
    case CK_UNARY_SIN: for (long i = 0; i < n; i++) x[i] = sinf(x[i]); break;
    case CK_UNARY_COS: for (long i = 0; i < n; i++) x[i] = cosf(x[i]); break;
    case CK_UNARY_ERF: for (long i = 0; i < n; i++) x[i] = erff(x[i]); break;
    case CK_UNARY_LOG: for (long i = 0; i < n; i++) x[i] = logf(x[i]); break;
  }
}

void CK_NAME(unary)(const void *arguments, long part, long parts, void *scratch) {
  (void)scratch;
  const struct ck_unary *a = arguments;
  struct ck_range range = ck_range(a->rows, a->columns, part, parts);
  struct ck_span s;
  span_buffer x;
  while (ck_next_span(&range, CK_SPAN, &s)) {
    load_row(x, element(a->x, a->x_dtype, s.row * a->x_pitch + s.column), a->x_dtype, s.count);
    apply_unary(x, s.count, a->operation);
    store_row(element_out(a->y, a->y_dtype, s.row * a->y_pitch + s.column), a->y_dtype, x, s.count);
  }
}

void CK_NAME(geglu)(const void *arguments, long part, long parts, void *scratch) {
  (void)scratch;
  const struct ck_geglu *a = arguments;
  struct ck_range range = ck_range(a->rows, a->columns, part, parts);
  struct ck_span s;
  span_buffer value, gate;
  while (ck_next_span(&range, CK_SPAN, &s)) {
    const long at = s.row * a->x_pitch + s.column;
    load_row(value, element(a->x, a->x_dtype, at), a->x_dtype, s.count);
    load_row(gate, element(a->x, a->x_dtype, at + a->columns), a->x_dtype, s.count);
    EACH(s.count) vstore(value + i, vload(value + i) * vgelu(vload(gate + i)));
    store_row(element_out(a->y, a->y_dtype, s.row * a->y_pitch + s.column), a->y_dtype, value, s.count);
  }
}

void CK_NAME(convert)(const void *arguments, long part, long parts, void *scratch) {
  (void)scratch;
  const struct ck_convert *a = arguments;
  struct ck_range range = ck_range(a->rows, a->columns, part, parts);
  struct ck_span s;
  span_buffer x;
  while (ck_next_span(&range, CK_SPAN, &s)) {
    const long from = s.row * a->x_pitch + s.column, to = s.row * a->y_pitch + s.column;
    if (a->x_dtype == CK_I32) {
      for (long i = 0; i < s.count; i++) x[i] = (float)((const int32_t *)a->x)[from + i];
    } else if (a->x_dtype == CK_I64) {
      for (long i = 0; i < s.count; i++) x[i] = (float)((const int64_t *)a->x)[from + i];
    } else {
      load_row(x, element(a->x, a->x_dtype, from), a->x_dtype, s.count);
    }
    store_row(element_out(a->y, a->y_dtype, to), a->y_dtype, x, s.count);
  }
}

void CK_NAME(gather)(const void *arguments, long part, long parts, void *scratch) {
  (void)scratch;
  const struct ck_gather *a = arguments;
  struct ck_range range = ck_range(a->rows, a->columns, part, parts);
  struct ck_span s;
  span_buffer x;
  while (ck_next_span(&range, CK_SPAN, &s)) {
    const long id = ck_gather_id(a, s.row);
    const long from = id * a->table_pitch + s.column;
    if (id < 0) EACH(s.count) vstore(x + i, vsplat(__builtin_nanf("")));
    else load_row(x, element(a->table, a->table_dtype, from), a->table_dtype, s.count);
    store_row(element_out(a->y, a->y_dtype, s.row * a->y_pitch + s.column), a->y_dtype, x, s.count);
  }
}
