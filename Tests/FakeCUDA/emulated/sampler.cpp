#include "machine.cuh"

namespace {
#include "../../../Sources/CCUDA/kernels/sampler.cu"

LIST_KERNEL(sampler)
}
