// Attention, generic. See attention_body.h for what is computed, layouts, sums and sources.
#include "../vector/generic.h"
#include "attention_plan.h"

CK_TARGET_BEGIN
#include "../vector/math.h"
#include "attention_body.h"
CK_TARGET_END
