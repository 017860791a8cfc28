// Attention on bf16 on AVX512-BF16. See attention_bf16_body.h for what is computed, layouts and sources.
#if defined(__x86_64__)
#include "../vector/avx512bf16.h"
#include "attention_bf16_plan.h"

CK_TARGET_BEGIN
#include "../vector/math.h"
#include "../vector/dot.h"
#include "attention_bf16_body.h"
CK_TARGET_END
#endif
