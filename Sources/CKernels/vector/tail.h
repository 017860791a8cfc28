// Parts of vectors for instruction sets without masked loads of every type: through memory.
#ifndef CK_TAIL_H
#define CK_TAIL_H

CK_INLINE vf vload_tail(const void *p, enum ck_dtype dtype, long n) {
  char tail[VL * 4] = {0};
  memcpy(tail, p, (size_t)n * (dtype == CK_F32 ? 4 : 2));
  return vload_as(tail, dtype);
}

CK_INLINE void vstore_tail(void *p, enum ck_dtype dtype, vf x, long n) {
  char tail[VL * 4];
  vstore_as(tail, dtype, x);
  memcpy(p, tail, (size_t)n * (dtype == CK_F32 ? 4 : 2));
}

#endif
