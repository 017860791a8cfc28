#include "EmulatedTiles.h"

#include <CKernels.h>

#if defined(__x86_64__)
extern ck_function ck_conv_bf16_emulated, ck_attention_bf16_emulated;

const void *emulated_tile_kernels(void) {
  static struct ck_kernels table;
  table = *ck_kernels(CK_AMX, 1);
  table.conv_bf16 = ck_conv_bf16_emulated;
  table.attention_bf16 = ck_attention_bf16_emulated;
  return &table;
}
#else
const void *emulated_tile_kernels(void) { return ck_kernels(CK_GENERIC, 0); }
#endif
