// The kernels of conv.cu with products of warp groups, for GPUs that have them (sm_90a): wgmma_f16_128x160 for
// conv_f16_128x160, with the same parameters, threads and shared memory.
#define SD_WGMMA
#include "conv.cu"
