/// Attention: o = softmax(scale * q k^T [+ causal mask]) v for every sample and head.
///
/// q, o: [samples, queries, heads * d]; k, v: [samples, keys, heads * d]; head h owns columns h*d ..< h*d +
/// d. Each has its own pitch, so they may be column slices of one merged projection. Scores are never
/// stored: key blocks are streamed with an online softmax. f32 inside; probabilities are not rounded to the
/// storage type. A row whose scores are all -inf gives NaN, as torch does. Source: Dao et al. 2022,
/// arXiv:2205.14135; Milakov and Gimelshein 2018, arXiv:1805.02867.
#ifndef CK_ATTENTION_H
#define CK_ATTENTION_H

#include "ck_types.h"

/// Arguments of `attention`.
struct ck_attention {
  const void *q, *k, *v;
  void *o;
  enum ck_dtype q_dtype, k_dtype, v_dtype, o_dtype;
  /// Elements from a token to the next; token s of sample b is row b*queries + s (k, v: b*keys + s).
  long q_pitch, k_pitch, v_pitch, o_pitch;
  long samples, heads, d, queries, keys;
  float scale;  ///< usually 1/sqrt(d); 1/ln 2 is not part of it
  int causal;   ///< 1: query i sees keys 0 ... i
};

/// Parts of a call, from shapes alone.
long ck_attention_parts(const struct ck_attention *attention);

/// Scratch bytes of one running thread.
size_t ck_attention_scratch(const struct ck_attention *attention);

#endif
