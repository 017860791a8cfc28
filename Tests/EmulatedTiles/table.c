#include "EmulatedTiles.h"

#include <CKernels.h>

#if defined(__x86_64__)
#include <time.h>

#include "../../Sources/CKernels/vector/preemption.h"

extern ck_function ck_conv_bf16_emulated, ck_attention_bf16_emulated;

const void *emulated_tile_kernels(void) {
  static struct ck_kernels table;
  table = *ck_kernels(CK_AMX, 1);
  table.conv_bf16 = ck_conv_bf16_emulated;
  table.attention_bf16 = ck_attention_bf16_emulated;
  return &table;
}

static int is_told(long nanoseconds) {
  if (!ck_tells_preemption()) return -1;
  watch_thread();
  if (nanoseconds > 0) nanosleep(&(struct timespec){.tv_nsec = nanoseconds}, NULL);
  const bool told = was_preempted();
  stop_watching();
  return told;
}

int is_told_of_sleep(void) { return is_told(1000000); }
int is_told_of_nothing(void) { return is_told(0); }
#else
const void *emulated_tile_kernels(void) { return ck_kernels(CK_GENERIC, 0); }

int is_told_of_sleep(void) { return -1; }
int is_told_of_nothing(void) { return -1; }
#endif
