#include "machine.cuh"

namespace {
#include "../../../Sources/CCUDA/kernels/norm.cu"

LIST_KERNEL(channel_statistics)
LIST_KERNEL(normalize)
LIST_KERNEL(layer_norm)
LIST_KERNEL(softmax)
}
