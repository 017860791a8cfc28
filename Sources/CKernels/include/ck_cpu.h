/// What this processor can do.
#ifndef CK_CPU_H
#define CK_CPU_H

/// Instruction sets that kernels are compiled for, in rising order.
enum ck_isa : int {
  CK_GENERIC = 0,  ///< plain C: any processor, and the oracle of the others
  CK_AVX2 = 1,     ///< AVX2, FMA, F16C
  CK_AVX512 = 2,   ///< AVX-512 F, BW, VL, DQ, and all of AVX2's
  CK_AMX = 3,      ///< AMX-BF16, AVX512-BF16, and all of AVX-512's
};

/// The highest set that has a table and that both processor and operating system support.
enum ck_isa ck_detect(void);

/// 1 if the processor multiplies bfloat16 itself (AVX512-BF16 with VBMI, or AMX, which comes with them).
int ck_has_bf16(void);

/// Measured peak of one thread in FLOP/s: a loop of independent f32 fused multiply-adds (generic: the
/// compiler's multiply and add) in registers, repeated for `seconds`; the best of its rounds. `isa` must
/// not exceed ck_detect().
double ck_peak_flops_f32(enum ck_isa isa, double seconds);

/// The same for products of bf16 pairs summed in f32: AVX512-BF16 or, where `isa` is CK_AMX, tiles. The
/// processor must have them (ck_has_bf16()).
double ck_peak_flops_bf16(enum ck_isa isa, double seconds);

#endif
