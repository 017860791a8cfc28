// Normalizations and softmax, avx512. See norm_body.h for what is computed, layouts, sums and sources.
#if defined(__x86_64__)
#include "../vector/avx512.h"
#include "norm_plan.h"

CK_TARGET_BEGIN
#include "../vector/math.h"
#include "norm_body.h"
CK_TARGET_END
#endif
