#include "machine.cuh"
#include "wgmma.cuh"

namespace {
#include "../../../Sources/CCUDA/kernels/conv.cu"

#undef CONV
#define CONV(T, BM, BN, STAGES, BLOCKS) LIST_KERNEL(conv_##T##_##BM##x##BN)
TILES(f16)
TILES(bf16)
}
