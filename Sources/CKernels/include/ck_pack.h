/// Packed weights, layout "panel32".
///
/// A matrix W [N, K] becomes [ceil(N / 32)][K][32]: panel p holds columns 32p ..< 32p + 32 of W transposed,
/// one 32-vector for each k; columns from N on are zero. For a convolution K = kernel_h * kernel_w *
/// channels in the order (ky, kx, channel). A bijection up to the zero padding.
///
/// In bf16 the k of a panel lie in pairs, as units that multiply pairs read them: [K / 2][32][2], and every
/// kernel line is padded with zeros to whole tiles, K = kernel_h * ck_packed_run(channels, kernel_w).
///
/// The *gated* variant is for GEGLU, where columns 0 ..< N/2 are values and N/2 ..< N their gates: panel p
/// holds value columns 16p ..< 16p + 16 and then the 16 gates of the same columns; [ceil(N / 2 /
/// 16)][K][32]. N is even.
///
/// Layout "winograd", of 3x3 kernels: [ceil(N / 32)][16][channels][32], for every panel and each of the 4x4 products of
/// F(2x2, 3x3) a matrix. Its numbers are G w G^T of the kernels w, with the lines (1, 0, 0), (1, 1, 1) / 2, (1, -1, 1) / 2
/// and (0, 0, 1) of G, in float; unpacking takes the differences that give w back, up to the rounding. The four
/// kernels of phases (ck_conv.h) are [ceil(N / 32)][4][9][channels][32], the factors of F(2x2, 2x2), where G has the lines
/// (1, 0), (1, 1) and (0, 1).
///
/// Layout "rows" is [N][kernel_h][kernel_w][channels]: what GPUs read.
#ifndef CK_PACK_H
#define CK_PACK_H

#include "ck_types.h"

enum ck_layout : int32_t { CK_PANEL32, CK_PANEL32_GATED, CK_WINOGRAD, CK_ROWS };

/// Arguments of `ck_pack_weight` and `ck_unpack_weight`.
struct ck_pack {
  const void *source;         ///< pack: checkpoint layout; unpack: panels
  void *destination;          ///< pack: panels; unpack: checkpoint layout
  enum ck_dtype source_dtype;  ///< f32, f16 or bf16
  enum ck_dtype destination_dtype;
  long columns;   ///< N: output channels / features
  long channels;  ///< input channels / features, or a slice of them where a convolution has several sources
  long kernel_h, kernel_w;  ///< 1, 1 for a matmul
  /// Strides of the checkpoint layout in elements. OIHW: column_stride = I*kh*kw, channel_stride = kh*kw,
  /// tap_stride = 1. [O, I]: I, 1, 0. A [K, N] matrix: 1, N, 0. To pack a slice of the input channels,
  /// offset `source` by first_channel * channel_stride.
  long column_stride, channel_stride, tap_stride;
  enum ck_layout layout;  ///< the packed one
};

/// Number of panels: ceil(columns / 32), gated: ceil(columns / 2 / 16).
long ck_panels(long columns, int gated);

/// k of a kernel line in bf16 panels: kernel_w * channels, rounded up to a multiple of 32.
static inline long ck_packed_run(long channels, long kernel_w) { return (kernel_w * channels + 31) / 32 * 32; }

/// Elements of the packed tensor in `destination_dtype`. The pointers are not looked at.
size_t ck_packed_count(const struct ck_pack *pack);

/// Parts of a packing or unpacking call (one part is a range of panels or columns).
long ck_pack_parts(const struct ck_pack *pack);

/// Checkpoint layout -> the packed one. A `ck_function` over `struct ck_pack`; no scratch.
void ck_pack_weight(const void *arguments, long part, long parts, void *scratch);

/// The packed layout -> checkpoint layout: the inverse. A `ck_function` over `struct ck_pack`; no scratch.
void ck_unpack_weight(const void *arguments, long part, long parts, void *scratch);

#endif
