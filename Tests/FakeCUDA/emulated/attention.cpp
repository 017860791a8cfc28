#include "machine.cuh"

namespace {
#include "../../../Sources/CCUDA/kernels/attention.cu"

#undef ATTENTION
#define ATTENTION(T, D, WARPS) LIST_KERNEL(attention_##T##_##D)
WIDTHS(f16)
WIDTHS(bf16)
LIST_KERNEL(attention_any)
}
