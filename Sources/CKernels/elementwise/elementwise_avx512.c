// Elementwise arithmetic, avx512. See elementwise_body.h for what is computed, layouts, sums and sources.
#if defined(__x86_64__)
#include <math.h>

#include "../vector/avx512.h"
#include "elementwise_plan.h"

CK_TARGET_BEGIN
#include "../vector/math.h"
#include "elementwise_body.h"
CK_TARGET_END
#endif
