#include "machine.cuh"
#include "wgmma.cuh"

namespace {
#include "../../../Sources/CCUDA/kernels/conv.cu"

#undef CONV
#define CONV(T, BM, BN, STAGES, BLOCKS) LIST_CONV(CONV_NAME(T, BM, BN))
#define LIST_CONV(name) LIST_KERNEL(name)
TILES(f16)
TILES(bf16)
}
