// Attention on bf16 on AMX tiles. See attention_bf16_body.h for what is computed, layouts and sources.
#if defined(__x86_64__)
#include "../vector/amx.h"
#include "attention_bf16_plan.h"

CK_TARGET_BEGIN
#include "../vector/math.h"
#include "../vector/tiles.h"
#include "attention_bf16_body.h"
CK_TARGET_END
#endif
