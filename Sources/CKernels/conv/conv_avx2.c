// Convolution and matmul, avx2. See conv_body.h for what is computed, layouts, sums and sources.
#if defined(__x86_64__)
#include "../vector/avx2.h"
#include "conv_plan.h"

CK_TARGET_BEGIN
#include "../vector/math.h"
#include "conv_body.h"
CK_TARGET_END
#endif
