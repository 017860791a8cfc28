// The model of the tile unit's time (Sources/CKernels/vector/tile_model.h) goes with the kernels: compiled, not run.
#if defined(__x86_64__)
#define CK_TILE_MODEL 2
#define CK_SUFFIX modelled
#define CK_TARGET CK_TARGET_AVX512 ",avx512bf16,avx512vbmi"

#include "../../Sources/CKernels/conv/conv_bf16_amx.c"
#endif
