// Copies that change no element: copy (and so concat), transpose, nearest upsampling. Layouts in
// ck_elementwise.h. Bytes only, memcpy is the fastest there is: one variant serves all instruction sets.
#include "elementwise_plan.h"

void ck_copy(const void *arguments, long part, long parts, void *scratch) {
  (void)scratch;
  const struct ck_copy *a = arguments;
  const long size = (long)a->element_size;
  struct ck_range range = ck_range(a->rows, a->columns, part, parts);
  struct ck_span s;
  while (ck_next_span(&range, a->columns, &s)) {
    const char *from = (const char *)a->x + (s.row * a->x_pitch + s.column) * size;
    memcpy((char *)a->y + (s.row * a->y_pitch + s.column) * size, from, (size_t)(s.count * size));
  }
}

void ck_upsample_nearest(const void *arguments, long part, long parts, void *scratch) {
  (void)scratch;
  const struct ck_upsample_nearest *a = arguments;
  const long size = (long)a->element_size;
  struct ck_range range = ck_range(a->samples * a->out_h * a->out_w, a->channels, part, parts);
  struct ck_span s;
  while (ck_next_span(&range, a->channels, &s)) {
    const long x = s.row % a->out_w, y = s.row / a->out_w % a->out_h, n = s.row / a->out_w / a->out_h;
    const long iy = ck_nearest(y, a->in_h, a->out_h), ix = ck_nearest(x, a->in_w, a->out_w);
    const long pixel = (n * a->in_h + iy) * a->in_w + ix;
    const char *from = (const char *)a->x + (pixel * a->x_pitch + s.column) * size;
    memcpy((char *)a->y + (s.row * a->y_pitch + s.column) * size, from, (size_t)(s.count * size));
  }
}

#define CK_TRANSPOSE(type) \
  { \
    type *to = (type *)a->y + line * n[4]; \
    const type *from = (const type *)a->x + start; \
    for (long i = 0; i < n[4]; i++) to[i] = from[i * step]; \
  }

void ck_transpose(const void *arguments, long part, long parts, void *scratch) {
  (void)scratch;
  const struct ck_transpose *a = arguments;
  const long *n = a->sizes, *stride = a->x_strides, step = stride[4];
  const long lines = n[0] * n[1] * n[2] * n[3];
  for (long line = lines * part / parts; line < lines * (part + 1) / parts; line++) {
    const long i3 = line % n[3], i2 = line / n[3] % n[2];
    const long i1 = line / n[3] / n[2] % n[1], i0 = line / n[3] / n[2] / n[1];
    const long start = i0 * stride[0] + i1 * stride[1] + i2 * stride[2] + i3 * stride[3];
    if (step == 1)
      memcpy((char *)a->y + line * n[4] * (long)a->element_size,
        (const char *)a->x + start * (long)a->element_size, (size_t)n[4] * a->element_size);
    else if (a->element_size == 4) CK_TRANSPOSE(uint32_t)
    else if (a->element_size == 2) CK_TRANSPOSE(uint16_t)
    else if (a->element_size == 8) CK_TRANSPOSE(uint64_t)
    else CK_TRANSPOSE(uint8_t)
  }
}
