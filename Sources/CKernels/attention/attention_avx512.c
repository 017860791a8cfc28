// Attention, avx512. See attention_body.h for what is computed, layouts, sums and sources.
#if defined(__x86_64__)
#include "../vector/avx512.h"
#include "attention_plan.h"

CK_TARGET_BEGIN
#include "../vector/math.h"
#include "attention_body.h"
CK_TARGET_END
#endif
