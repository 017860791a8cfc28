// Functions of single elements, reductions and movements, on strided operands of any type.
#include "prelude.cuh"

// exp, sin and the like once only: they are long.
DEVICE float compute(int function, float x) {
  switch (function) {
    case CU_EXP: return expf(x);
    case CU_SIGMOID: return sigmoid(x);
    case CU_RSQRT: return 1 / sqrtf(x);
    case CU_ERF: return erff(x);
    case CU_SINE: return sinf(x);
    case CU_COSINE: return cosf(x);
    default: return activate(function, x);
  }
}

// Where element `index` of y is in memory of y, a and b.
DEVICE void places(const cu_elementwise &p, long long index, long long &y, long long &a, long long &b) {
  y = a = b = 0;
  for (int axis = p.rank - 1; axis >= 0; axis--) {
    const long long i = index % p.sizes[axis];
    index /= p.sizes[axis];
    y += i * p.y_strides[axis];
    a += i * p.a_strides[axis];
    b += i * p.b_strides[axis];
  }
}

// y = f(a), rounded to the type of y; also copies, casts, transposes and slices.
KERNEL(256, 4) unary(PARAMETER cu_elementwise p) {
  wait_for_previous();
  allow_next();
  for (long long i = (long long)blockIdx.x * 256 + threadIdx.x; i < p.count; i += (long long)gridDim.x * 256) {
    long long y, a, b;
    places(p, i, y, a, b);
    store(p.y, y, p.y_dtype, compute(p.operation, load(p.a, a, p.a_dtype)));
  }
}

// Bits are moved as they are, `operation` bytes an element: eight at most, or sixteen where runs are long and aligned.
KERNEL(256, 4) move(PARAMETER cu_elementwise p) {
  wait_for_previous();
  allow_next();
  for (long long i = (long long)blockIdx.x * 256 + threadIdx.x; i < p.count; i += (long long)gridDim.x * 256) {
    long long y, a, b;
    places(p, i, y, a, b);
    switch (p.operation) {
      case 2: ((unsigned short *)p.y)[y] = ((const unsigned short *)p.a)[a]; break;
      case 4: ((unsigned *)p.y)[y] = ((const unsigned *)p.a)[a]; break;
      case 8: ((unsigned long long *)p.y)[y] = ((const unsigned long long *)p.a)[a]; break;
      default: ((uint4 *)p.y)[y] = ((const uint4 *)p.a)[a]; break;
    }
  }
}

// y = a + b, a − b, a b, a / b for operation 0 … 3.
KERNEL(256, 4) binary(PARAMETER cu_elementwise p) {
  wait_for_previous();
  allow_next();
  for (long long i = (long long)blockIdx.x * 256 + threadIdx.x; i < p.count; i += (long long)gridDim.x * 256) {
    long long y, a, b;
    places(p, i, y, a, b);
    const float u = load(p.a, a, p.a_dtype), v = load(p.b, b, p.b_dtype);
    store(p.y, y, p.y_dtype, p.operation == 0 ? u + v : p.operation == 1 ? u - v : p.operation == 2 ? u * v : u / v);
  }
}

// Sum or maximum, a thread an element; in f64, since these are few.
KERNEL(128, 4) reduce(PARAMETER cu_reduce p) {
  wait_for_previous();
  allow_next();
  const int outer = blockIdx.x * 128 + threadIdx.x;
  if (outer >= p.outer_count) return;
  long long base = 0;
  for (int axis = p.outer_rank - 1, index = outer; axis >= 0; axis--) {
    base += index % p.outer_sizes[axis] * p.outer_strides[axis];
    index /= p.outer_sizes[axis];
  }
  double sum = 0;
  float highest = NEGATIVE_INFINITY;
  for (int inner = 0; inner < p.inner_count; inner++) {
    long long at = base;
    for (int axis = p.inner_rank - 1, index = inner; axis >= 0; axis--) {
      at += index % p.inner_sizes[axis] * p.inner_strides[axis];
      index /= p.inner_sizes[axis];
    }
    const float x = load(p.x, at, p.x_dtype);
    sum += x;
    highest = x > highest || x != x ? x : highest;
  }
  store(p.y, outer, p.y_dtype, p.is_max ? highest : (float)sum);
}

// Rows of a table; an id outside it gives NaN.
KERNEL(256, 4) gather(PARAMETER cu_gather p) {
  wait_for_previous();
  allow_next();
  const int row = blockIdx.x;
  const long long id = p.ids_dtype == CU_I64 ? ((const long long *)p.ids)[row] : ((const int *)p.ids)[row];
  const bool inside = id >= 0 && id < p.table_rows;
  for (int c = blockIdx.y * 256 + threadIdx.x; c < p.columns; c += gridDim.y * 256) {
    const float x = inside ? load_float(p.table, id * p.table_pitch + c, p.table_dtype) : bits_to_float(0x7fffffffu);
    store_float(p.y, (long long)row * p.columns + c, p.y_dtype, x);
  }
}

KERNEL(256, 4) upsample_nearest(PARAMETER cu_upsample p) {
  wait_for_previous();
  allow_next();
  const int oy = blockIdx.x / p.out_w, ox = blockIdx.x % p.out_w, sample = blockIdx.y;
  const int iy = nearest(oy, p.in_h, p.out_h), ix = nearest(ox, p.in_w, p.out_w);
  const long long x = (((long long)sample * p.in_h + iy) * p.in_w + ix) * p.x_pitch;
  const long long y = ((long long)sample * p.out_h * p.out_w + blockIdx.x) * p.y_pitch;
  for (int c = threadIdx.x; c < p.channels; c += 256) {
    if (p.element_bytes == 4) {
      ((unsigned *)p.y)[y + c] = ((const unsigned *)p.x)[x + c];
    } else {
      ((unsigned short *)p.y)[y + c] = ((const unsigned short *)p.x)[x + c];
    }
  }
}

// 0 where column ≤ row, −∞ elsewhere; y is [columns, columns] in f32.
KERNEL(256, 4) causal_mask(PARAMETER cu_softmax p) {
  wait_for_previous();
  allow_next();
  for (int c = threadIdx.x; c < p.columns; c += 256)
    ((float *)p.y)[(long long)blockIdx.x * p.columns + c] = c <= (int)blockIdx.x ? 0 : NEGATIVE_INFINITY;
}
