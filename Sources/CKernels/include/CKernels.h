/// CKernels: the CPU kernels of the runtime, in C.
///
/// Rules of the house.
/// - A kernel is a pure function of (arguments, part, parts, scratch): it allocates nothing, keeps no state
///   and starts no thread. The parts of one call may run in any order and on any threads: they write
///   disjoint elements.
/// - How the work is cut into parts follows from shapes only and never cuts a sum, so results are
///   bit-identical for every number of threads. (They differ in the last bits between instruction sets.)
/// - Tensors are [rows, columns], columns contiguous, `pitch` elements from a row to the next (pitch >=
///   columns). Images are NHWC: a pixel is a row. Storage is f32, f16 or bf16; arithmetic and sums are f32.
///   Stores round to nearest, ties to even. NaN in gives NaN out.
/// - Pointers need the alignment of their element type, no more. 64-byte aligned tensors are faster.
/// - Arguments are trusted: shapes, pitches and dtypes are checked by whoever builds the struct.
#ifndef CKERNELS_H
#define CKERNELS_H

#include "ck_types.h"
#include "ck_cpu.h"
#include "ck_parallel.h"
#include "ck_preemption.h"
#include "ck_pack.h"
#include "ck_conv.h"
#include "ck_conv_bf16.h"
#include "ck_attention.h"
#include "ck_attention_bf16.h"
#include "ck_norm.h"
#include "ck_elementwise.h"
#include "ck_table.h"
#include "ck_signals.h"

#endif
