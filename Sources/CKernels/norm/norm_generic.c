// Normalizations and softmax, generic. See norm_body.h for what is computed, layouts, sums and sources.
#include "../vector/generic.h"
#include "norm_plan.h"

CK_TARGET_BEGIN
#include "../vector/math.h"
#include "norm_body.h"
CK_TARGET_END
