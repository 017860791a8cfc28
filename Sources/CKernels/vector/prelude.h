// What every kernel file includes before its target region begins.
#ifndef CK_PRELUDE_H
#define CK_PRELUDE_H

#include <stdbool.h>
#include <string.h>

#include "../include/ck_types.h"

#define CK_INLINE static inline __attribute__((always_inline, unused))
#define CK_PASTE2(name, suffix) ck_##name##_##suffix
#define CK_PASTE(name, suffix) CK_PASTE2(name, suffix)
/// ck_<name>_<instruction set>
#define CK_NAME(name) CK_PASTE(name, CK_SUFFIX)

static inline long ck_ceil_div(long a, long b) { return (a + b - 1) / b; }
static inline long ck_min_long(long a, long b) { return a < b ? a : b; }
static inline long ck_max_long(long a, long b) { return a > b ? a : b; }

/// The stored pixel (of `in`) under pixel `at` of an image upsampled to `up`: torch's `nearest`, rounding
/// included.
static inline long ck_nearest(long at, long in, long up) {
  if (in == up) return at;
  return ck_min_long((long)((float)at * ((float)in / (float)up)), in - 1);
}

#endif
