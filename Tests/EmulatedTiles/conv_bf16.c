#if defined(__x86_64__)
#include "tile_unit.h"

#include "../../Sources/CKernels/conv/conv_bf16_amx.c"
#endif
