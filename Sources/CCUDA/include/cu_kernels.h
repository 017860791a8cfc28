/// What the CUDA kernels are called with: one struct a kernel, passed by value. Read by Swift, by NVRTC and by the tests'
/// C++ alike, so that host and device cannot disagree. No includes: NVRTC has no system headers.
#ifndef CU_KERNELS_H
#define CU_KERNELS_H

/// Memory of the device.
typedef unsigned long long cu_address;

/// Element types.
enum cu_dtype { CU_F32 = 0, CU_F16 = 1, CU_BF16 = 2, CU_I32 = 3, CU_I64 = 4 };

/// Functions of one value.
enum cu_function {
  CU_IDENTITY = 0, CU_SILU = 1, CU_GELU = 2, CU_QUICK_GELU = 3, CU_EXP = 4, CU_SIGMOID = 5, CU_RSQRT = 6, CU_ERF = 7,
  CU_SINE = 8, CU_COSINE = 9,
};

/// One convolution of a sum. x: NHWC with `pitch` elements a pixel; w: [columns][taps][channels] (`WeightLayout.rows`),
/// `w_pitch` elements from a column to the next; phase p of four begins at tap p * kernel_h * kernel_w.
struct cu_source {
  cu_address x, w;
  int x_dtype, w_dtype;
  int pitch, w_pitch, channels;
  int in_h, in_w;   ///< stored size of the image
  int up_h, up_w;   ///< size that the taps see: nearest pixels where it differs
  int kernel_h, kernel_w, stride, pad_top, pad_left;
};

enum cu_epilogue_kind { CU_BIAS = 0, CU_ROW = 1, CU_RESIDUAL = 2, CU_ACTIVATION = 3, CU_GATE = 4 };

/// What is done with the sums, in order; see `FusedConv.Epilogue`.
struct cu_epilogue {
  int kind, function, dtype, pitch;
  cu_address x;
};

enum { CU_SOURCES = 4, CU_EPILOGUES = 6 };

/// y = epilogues(Σ convolutions): implicit GEMM, rows are pixels. With `phases` 2, blockIdx.z is a parity of line and column.
/// A batch of products is in blockIdx.z too, from `batch_first` on; then strides say how far the operands of the next one
/// are.
struct cu_conv {
  struct cu_source sources[CU_SOURCES];
  struct cu_epilogue epilogues[CU_EPILOGUES];
  int source_count, epilogue_count;
  int samples, out_h, out_w;  ///< of one phase
  int phases, columns, gated; ///< columns of w: the result has half as many when gated
  cu_address y;
  int y_dtype, y_pitch;
  int tiles_m, tiles_n, splits;
  int aligned;  ///< whether results and epilogue operands can be moved eight columns at a time
  int batch_inner;  ///< products that share a stride of the outer batch
  int batch_first;
  long long x_strides[2], w_strides[2], y_strides[2];
  /// Sums of the parts of K, [tile][split][register][thread] in f32, and how many splits of each tile are done.
  cu_address partials, counters;
};

/// softmax(q kᵀ scale) v for every head; pitches and strides in elements.
struct cu_attention {
  cu_address q, k, v, o;
  int dtype, o_dtype;
  int q_pitch, k_pitch, v_pitch, o_pitch;
  int samples, heads, d, queries, keys, causal;
  float scale;
};

/// Mean and squared deviations of channels; see `ChannelStatistics`.
struct cu_channel_statistics {
  cu_address x, statistics;
  int dtype, pitch, samples, rows, channels, parts;
};

/// Scale, shift, activation by group; see `Normalize`.
struct cu_normalize {
  cu_address x, y, statistics, gamma, beta;
  int x_dtype, y_dtype, gamma_dtype, beta_dtype;
  int x_pitch, y_pitch, samples, rows, channels, all_channels, first, groups, parts;
  int function, block_groups, block_rows;
  float eps;
};

/// Normalizes each row; gamma and beta may be 0.
struct cu_layer_norm {
  cu_address x, y, gamma, beta;
  int x_dtype, y_dtype, gamma_dtype, beta_dtype;
  int x_pitch, y_pitch, rows, columns;
  float eps;
};

/// exp(scale x) of each row, normalized to sum to one.
struct cu_softmax {
  cu_address x, y;
  int x_dtype, y_dtype, x_pitch, y_pitch, rows, columns;
  float scale;
};

enum { CU_RANK = 8 };

/// y = f(x) or a op b on strided operands; strides in elements, 0 where an operand repeats. y is dense.
struct cu_elementwise {
  cu_address a, b, y;
  int a_dtype, b_dtype, y_dtype, operation, rank;
  long long count;
  int sizes[CU_RANK];
  long long a_strides[CU_RANK], b_strides[CU_RANK], y_strides[CU_RANK];
};

/// Sum or maximum over the axes of size `inner_sizes` for every element of y; strides of x in elements.
struct cu_reduce {
  cu_address x, y;
  int x_dtype, y_dtype, is_max, outer_rank, inner_rank;
  int outer_count, inner_count;
  int outer_sizes[CU_RANK], inner_sizes[CU_RANK];
  long long outer_strides[CU_RANK], inner_strides[CU_RANK];
};

/// Rows of a table by id; ids outside give NaN.
struct cu_gather {
  cu_address table, ids, y;
  int table_dtype, ids_dtype, y_dtype, table_pitch, table_rows, rows, columns;
};

struct cu_upsample {
  cu_address x, y;
  int element_bytes, x_pitch, y_pitch, samples, channels, in_h, in_w, out_h, out_w;
};

enum { CU_TERMS = 8, CU_ASSIGNMENTS = 8 };

/// Vectors that a sampler reads beside those that it keeps, which are 0, the sample, and up.
enum cu_vector { CU_OUTPUT = -1, CU_NOISE = -2 };

/// Σ coefficient · vector, in f64 and in order, rounded to f32, held in ± limit unless that is 0, and kept.
struct cu_assignment {
  double coefficients[CU_TERMS];
  int vectors[CU_TERMS];
  int term_count, target;
  float limit;
};

/// What follows a model call: guidance, a row of a sampler's table, and the input of the next call. See `ScheduleRow`.
struct cu_sampler {
  struct cu_assignment assignments[CU_ASSIGNMENTS];
  cu_address unconditional, conditional;  ///< outputs of the model, [count]; the first counts from guidance 1 on
  cu_address vectors;                     ///< [kept][count]
  cu_address noise;
  cu_address input, index;  ///< of the next call: [count], and its row among those that are prepared
  cu_address failure;       ///< the first step whose sample is not finite
  double input_scale;
  float guidance;
  int assignment_count, count, step, next_index;
};

#endif
