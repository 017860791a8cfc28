// Elementwise arithmetic, generic. See elementwise_body.h for what is computed, layouts, sums and sources.
#include <math.h>

#include "../vector/generic.h"
#include "elementwise_plan.h"

CK_TARGET_BEGIN
#include "../vector/math.h"
#include "elementwise_body.h"
CK_TARGET_END
