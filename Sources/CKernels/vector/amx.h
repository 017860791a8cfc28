// The vector layer beside AMX tiles.
#ifndef CK_VECTOR_AMX_H
#define CK_VECTOR_AMX_H

#ifndef CK_SUFFIX
#define CK_SUFFIX amx
#define CK_TARGET CK_TARGET_AVX512 ",avx512bf16,avx512vbmi,amx-tile,amx-bf16"
#endif
#include "avx512bf16.h"

#endif
