// Vectors of VL floats by clang's vector extensions, and rows of any length in f32, f16, bf16.
// Included by one of generic.h, avx2.h, avx512.h inside its target region. VL, MR, NV are set there.
#ifndef CK_VECTOR_H
#define CK_VECTOR_H

// Sums of products may be fused where the processor can; nothing else of the language's arithmetic is
// relaxed.
#pragma clang fp contract(fast)

typedef float vf __attribute__((ext_vector_type(VL)));
typedef int32_t vi __attribute__((ext_vector_type(VL)));
typedef uint16_t vh __attribute__((ext_vector_type(VL)));

CK_INLINE vf vsplat(float x) { return (vf)(x); }
CK_INLINE vf vbits(vi bits) { return (vf)bits; }
CK_INLINE vi vselect_i(vi mask, vi yes, vi no) { return (mask & yes) | (~mask & no); }
CK_INLINE vf vselect(vi mask, vf yes, vf no) { return (vf)vselect_i(mask, (vi)yes, (vi)no); }
CK_INLINE vf vload(const float *p) {
  vf x;
  memcpy(&x, p, sizeof x);
  return x;
}
CK_INLINE void vstore(float *p, vf x) { memcpy(p, &x, sizeof x); }

CK_INLINE vf vload_bf16(const void *p) {
  vh h;
  memcpy(&h, p, sizeof h);
  return vbits(__builtin_convertvector(h, vi) << 16);
}
#ifdef CK_ROUNDS_BF16
CK_INLINE void vstore_bf16(void *p, vf x);
#else
CK_INLINE void vstore_bf16(void *p, vf x) {
  const vi bits = (vi)x;
  const vi rounded = bits + 0x7fff + ((bits >> 16) & 1);
  const vi finite_or_nan = vselect_i((bits & 0x7fffffff) > 0x7f800000, bits | 0x400000, rounded);
  const vh h = __builtin_convertvector(finite_or_nan >> 16, vh);
  memcpy(p, &h, sizeof h);
}
#endif

/// VL of the first (or second) halves of the pairs of bf16 at p.
CK_INLINE vf vload_half_of_pairs(const uint16_t *p, bool second) {
  vi pairs;
  memcpy(&pairs, p, sizeof pairs);
  return second ? vbits(pairs & (int32_t)0xffff0000) : vbits(pairs << 16);
}

CK_INLINE vf vload_f16(const void *p);
CK_INLINE void vstore_f16(void *p, vf x);

/// n rounded up to whole vectors.
CK_INLINE long vround(long n) { return (n + VL - 1) / VL * VL; }

/// VL elements at p, converted.
CK_INLINE vf vload_as(const void *p, enum ck_dtype dtype) {
  return dtype == CK_F32 ? vload(p) : dtype == CK_F16 ? vload_f16(p) : vload_bf16(p);
}
CK_INLINE void vstore_as(void *p, enum ck_dtype dtype, vf x) {
  if (dtype == CK_F32) vstore(p, x);
  else if (dtype == CK_F16) vstore_f16(p, x);
  else vstore_bf16(p, x);
}

/// The first n < VL elements at p, converted; the rest zero. Touches no more than those.
CK_INLINE vf vload_tail(const void *p, enum ck_dtype dtype, long n);
/// Stores the first n < VL lanes.
CK_INLINE void vstore_tail(void *p, enum ck_dtype dtype, vf x, long n);

/// The same for n elements, or VL where there are as many.
CK_INLINE vf vload_some(const void *p, enum ck_dtype dtype, long n) {
  return n < VL ? vload_tail(p, dtype, n) : vload_as(p, dtype);
}
CK_INLINE void vstore_some(void *p, enum ck_dtype dtype, vf x, long n) {
  if (n < VL) vstore_tail(p, dtype, x, n);
  else vstore_as(p, dtype, x);
}

CK_INLINE void load_row_as(float *to, const char *from, enum ck_dtype dtype, size_t size, long n) {
  long i = 0;
  for (; i + VL <= n; i += VL) vstore(to + i, vload_as(from + (size_t)i * size, dtype));
  if (i < n) vstore(to + i, vload_tail(from + (size_t)i * size, dtype, n - i));
}

/// to[0 ..< n] = from[0 ..< n] as f32. Writes whole vectors: to[n ..< vround(n)] become zero.
CK_INLINE void load_row(float *to, const void *from, enum ck_dtype dtype, long n) {
  if (dtype == CK_F32) load_row_as(to, from, CK_F32, 4, n);
  else if (dtype == CK_F16) load_row_as(to, from, CK_F16, 2, n);
  else load_row_as(to, from, CK_BF16, 2, n);
}

CK_INLINE void store_row_as(char *to, enum ck_dtype dtype, size_t size, const float *from, long n) {
  long i = 0;
  for (; i + VL <= n; i += VL) vstore_as(to + (size_t)i * size, dtype, vload(from + i));
  if (i < n) vstore_tail(to + (size_t)i * size, dtype, vload(from + i), n - i);
}

/// to[0 ..< n] = from[0 ..< n], rounded to dtype. Reads whole vectors of `from`, writes exactly n elements.
CK_INLINE void store_row(void *to, enum ck_dtype dtype, const float *from, long n) {
  if (dtype == CK_F32) store_row_as(to, CK_F32, 4, from, n);
  else if (dtype == CK_F16) store_row_as(to, CK_F16, 2, from, n);
  else store_row_as(to, CK_BF16, 2, from, n);
}

/// Element `index` of an array of dtype.
CK_INLINE const void *element(const void *p, enum ck_dtype dtype, long index) {
  return (const char *)p + index * (dtype == CK_F32 ? 4 : 2);
}
CK_INLINE void *element_out(void *p, enum ck_dtype dtype, long index) {
  return (char *)p + index * (dtype == CK_F32 ? 4 : 2);
}

#endif
