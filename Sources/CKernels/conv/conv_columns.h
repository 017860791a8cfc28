// The columns of a weight panel, as the epilogues of all convolutions see them.
#ifndef CK_CONV_COLUMNS_H
#define CK_CONV_COLUMNS_H

/// The two halves of a panel: their first logical columns and how many of their 16 exist.
struct halves {
  long column[2], count[2];
};

CK_INLINE long clamp16(long n) { return n < 0 ? 0 : n > 16 ? 16 : n; }

CK_INLINE struct halves halves_of(const struct ck_conv *c, long panel) {
  const long n = c->columns, value = panel * 16, column = panel * 32, gates = clamp16(n / 2 - value);
  if (c->gated) return (struct halves){{value, n / 2 + value}, {gates, gates}};
  return (struct halves){{column, column + 16}, {clamp16(n - column), clamp16(n - column - 16)}};
}

/// The halves after CK_GATE: one, of the values' columns.
CK_INLINE struct halves gated_halves(long panel, const struct halves *h) {
  return (struct halves){{panel * 16, 0}, {h->count[0], 0}};
}

/// to[32] = the panel's columns of a row at x, zero where there is none.
CK_INLINE void load_columns(float *to, const void *x, enum ck_dtype dtype, const struct halves *h) {
  for (int i = 0; i < 2; i++) {
    if (h->count[i] < 16) memset(to + 16 * i, 0, 64);
    if (h->count[i] > 0) load_row(to + 16 * i, element(x, dtype, h->column[i]), dtype, h->count[i]);
  }
}

#endif
