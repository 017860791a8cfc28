/// Convolution and matmul: y = epilogues(sum over sources of conv(upsample(x), weights)).
///
/// x: NHWC [samples, in_h, in_w, channels]; y: [samples, out_h, out_w, columns] (gated: columns / 2). Row m
/// of the result is pixel (n, oy, ox) = (m / (out_h*out_w), m / out_w % out_h, m % out_w). Tap (ky, kx) of
/// a source reads pixel (oy*stride_y - pad_top + ky, ox*stride_x - pad_left + kx) of that source's
/// (upsampled) image; pixels outside are zero. A matmul [M, K] x [K, N] is one source with kernel 1x1, in_h
/// = out_h = 1, in_w = out_w = rows of a sample.
///
/// No im2col: an indirect direct convolution. Sums are f32 in the order: source, tap (ky, kx), channel; sources in
/// layout "winograd" come last, as products of F(2x2, 3x3), in phases of F(2x2, 2x2). Convolutions of bf16 by bf16 have a
/// kernel of their own, ck_conv_bf16.h.
/// Sources: Dukhan 2019, arXiv:1907.02129 (indirection buffer); Goto and van de Geijn 2008 (blocking); Lavin and Gray
/// 2016, arXiv:1509.09308 (F(2x2, 3x3)).
#ifndef CK_CONV_H
#define CK_CONV_H

#include "ck_norm.h"

/// One summand: an image, how it is sampled, and its weights.
struct ck_source {
  const void *x;         ///< element [n][iy][ix][c] at x[((n*in_h + iy)*in_w + ix)*pitch + c]
  const void *weights;   ///< panel32 of this source (ck_pack.h); gated if conv.gated
  enum ck_dtype dtype;          ///< of x
  enum ck_dtype weights_dtype;  ///< of weights
  long pitch;            ///< elements from a pixel of x to the next
  long channels;
  long in_h, in_w;       ///< stored size of the image
  /// Size the taps see. Equal to in_h, in_w: no upsampling. Otherwise nearest: pixel y of the upsampled
  /// image is stored pixel min(floor(y * (float)in_h / up_h), in_h - 1), torch's `nearest`.
  long up_h, up_w;
  long kernel_h, kernel_w;
  long panel_lines;      ///< kernel lines of a panel of the weights, where it holds more than kernel_h; else 0
  long stride_y, stride_x;
  long pad_top, pad_left;
  /// 1: the weights are in layout "winograd" (ck_pack.h). A 3x3 convolution with stride 1 and padding 1, or phases, of
  /// an image of even height and width, in float32, whose channels are a multiple of 16. `conv` only.
  int winograd;
  /// conv_bf16 only: the group normalization whose result, rounded to bf16, is the image, or NULL. Its statistics,
  /// gamma, beta, activation (CK_SILU or none) and sizes count; what it would read and write is not looked at.
  const struct ck_normalize *normalize;
};

/// What is done with the finished f32 sums, in list order.
enum ck_epilogue_kind : int32_t {
  CK_BIAS = 0,       ///< + x[column]; x: [columns]
  CK_ROW = 1,        ///< + x[n*pitch + column] for all pixels of sample n; pitch 0: one row for all
  CK_RESIDUAL = 2,   ///< + x[m*pitch + column]
  CK_ACTIVATION = 3, ///< activation(value)
  /// value * gelu(gate), halves the columns. Needs conv.gated, at most once. Before it, `column` is the
  /// logical column in 0 ..< columns (gates from columns/2 on); after it, 0 ..< columns/2.
  CK_GATE = 5,
};

struct ck_epilogue {
  enum ck_epilogue_kind kind;
  enum ck_activation activation;  ///< CK_ACTIVATION only
  const void *x;                  ///< CK_BIAS, CK_ROW, CK_RESIDUAL only
  enum ck_dtype dtype;            ///< of x
  long pitch;                     ///< CK_ROW, CK_RESIDUAL only, in elements
};

/// How a call is cut into parts. No sum is cut, so nothing depends on it but time and scratch memory.
struct ck_blocking {
  long rows;    ///< most rows of a strip; the kernels have a least and a largest of their own
  long panels;  ///< most panels of a group, at least 1
};

/// Arguments of `conv`.
struct ck_conv {
  const struct ck_source *sources;
  const struct ck_epilogue *epilogues;
  long source_count, epilogue_count;
  long samples, out_h, out_w;
  long columns;  ///< N of the weights: output channels (gated: values and gates together, even)
  /// 2: y is four images interleaved, an upsampled convolution in phases. Pixel (2 oy + py, 2 ox + px) is the
  /// convolution at (oy, ox) with the kernel of phase 2 py + px and the padding (1 - py, 1 - px); out_h and out_w
  /// are the size of one phase. The only source has a kernel of 2 x 2, and its panels hold the kernel lines of
  /// the four phases one after the other. No residual. Otherwise 1.
  long phases;
  int gated;     ///< 1: weights have the gated layout, and CK_GATE must be among the epilogues
  enum ck_dtype y_dtype;
  void *y;       ///< element (n, oy, ox, c) at y[n*y_sample + oy*y_line + ox*y_pitch + c]
  long y_pitch;  ///< elements from a pixel to the next
  long y_line;   ///< elements from a line to the next; 0: as many as a line has
  long y_sample; ///< elements from a sample to the next; 0: as many as a sample has
  struct ck_blocking blocking;
  /// conv_bf16 only, without a gate: mean and sum of squared deviations of every column of the result (before it is
  /// rounded) over `statistics_parts` equal parts of each sample's pixels, f32 [parts][samples][columns][2]; NULL: none.
  /// A part is a rectangle of pixels, in phases those of one phase.
  float *statistics;
  long statistics_parts;
};
// y may be the x of a CK_RESIDUAL (same dtype and addresses): each element is read before it is written.

/// A cut that does well without measuring: large strips and groups, but parts enough for many threads.
struct ck_blocking ck_conv_blocking(const struct ck_conv *conv);

/// Parts of a call, from shapes and blocking alone.
long ck_conv_parts(const struct ck_conv *conv);

/// Scratch bytes of one running thread.
size_t ck_conv_scratch(const struct ck_conv *conv);

#endif
