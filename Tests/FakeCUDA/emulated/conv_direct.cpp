#include "machine.cuh"

namespace {
#include "../../../Sources/CCUDA/kernels/conv_direct.cu"

LIST_KERNEL(conv_direct)
}
