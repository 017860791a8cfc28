// Queries and results of one head: each row's columns are somewhere else, so that no processor fetches them by itself.
#ifndef CK_FETCH_H
#define CK_FETCH_H

/// Asks for 32 rows of d elements, those below `count` only, from row `row` on.
CK_INLINE void fetch_rows(
  const void *x, enum ck_dtype dtype, long pitch, long column, long d, long row, long count)
{
  for (long i = 0; i < ck_min_long(32, count); i++) {
    const char *from = element(x, dtype, (row + i) * pitch + column), *end = element(from, dtype, d);
    for (from -= (uintptr_t)from % 64; from < end; from += 64) __builtin_prefetch(from, 0, 2);
  }
}

#endif
