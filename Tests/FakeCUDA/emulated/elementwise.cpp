#include "machine.cuh"

namespace {
#include "../../../Sources/CCUDA/kernels/elementwise.cu"

LIST_KERNEL(unary)
LIST_KERNEL(move)
LIST_KERNEL(binary)
LIST_KERNEL(reduce)
LIST_KERNEL(gather)
LIST_KERNEL(upsample_nearest)
LIST_KERNEL(causal_mask)
}
