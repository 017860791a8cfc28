// Normalizations and softmax, AVX-512 with BF16. See norm_body.h for what is computed, layouts, sums and sources.
#if defined(__x86_64__)
#include "../vector/avx512bf16.h"
#include "norm_plan.h"

CK_TARGET_BEGIN
#include "../vector/math.h"
#include "norm_body.h"
CK_TARGET_END
#endif
