// Convolution and matmul, generic. See conv_body.h for what is computed, layouts, sums and sources.
#include "../vector/generic.h"
#include "conv_plan.h"

CK_TARGET_BEGIN
#include "../vector/math.h"
#include "conv_body.h"
CK_TARGET_END
