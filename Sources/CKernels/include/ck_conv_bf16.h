/// Convolution and matmul of bf16 by bf16, for processors that multiply pairs of bf16 themselves
/// (AVX512-BF16, AMX-BF16). Arguments, result and epilogues are those of `conv` (struct ck_conv in ck_conv.h);
/// every source must have bf16 images and bf16 weights.
///
/// No im2col: the lines of an image that a part reads are copied once into a padded strip, in which the window
/// of an output pixel is a few runs of contiguous channels, one a kernel line. Products of pairs are summed in
/// f32 over all of K, in an order that shapes decide: source, kernel line, then kernel column and channel, or by tiles
/// pieces of 64 channels of all columns, and within 32 k as the unit does.
#ifndef CK_CONV_BF16_H
#define CK_CONV_BF16_H

#include "ck_conv.h"

/// Predicted nanoseconds of a call, those of all `threads` together, for its blocking, where the product of two tiles of
/// rows and 32 columns over 32 k (32 x 32 x 32 multiply-adds) takes `product` nanoseconds.
double ck_conv_bf16_cost(const struct ck_conv *conv, double product, long threads);

/// Parts of a call, from shapes and blocking alone.
long ck_conv_bf16_parts(const struct ck_conv *conv);

/// How often a line of an image is copied, and normalized where it is: once for each group of panels.
long ck_conv_bf16_copies(const struct ck_conv *conv);

/// Whether the strips of a call can be cut into the parts of its statistics.
int ck_conv_bf16_has_statistics(const struct ck_conv *conv);

/// Scratch bytes of one running thread.
size_t ck_conv_bf16_scratch(const struct ck_conv *conv);

#endif
