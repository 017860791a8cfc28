#if defined(__x86_64__)
#include "tile_unit.h"

#include "../../Sources/CKernels/attention/attention_bf16_amx.c"
#endif
