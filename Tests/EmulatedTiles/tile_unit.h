// What Sources/CKernels/vector/tile_unit.h declares, in memory: eight tiles a thread, NaN until they are on. At some
// instruction of a part, if it has so many, they are lost, as some virtual machines lose them when the system gives a
// thread's processor to another.
#define CK_TILE_UNIT_H

#define CK_SUFFIX emulated
#define CK_TARGET CK_TARGET_AVX512 ",avx512bf16,avx512vbmi"
#include <stdatomic.h>

#include "../../Sources/CKernels/include/ck_preemption.h"
#include "../../Sources/CKernels/vector/avx512bf16.h"
#include "../../Sources/CKernels/vector/preemption.h"

CK_TARGET_BEGIN
static _Thread_local struct {
  bool on;
  uint8_t row[8][16][64];
} tiles;

/// Instructions until the tiles are lost, and what is in them then. Each time others: 1 ... 8192, small ones as often
/// as large ones.
static atomic_uint losses;
static _Thread_local unsigned until_lost, remains;

CK_INLINE void plan_loss(void) {
  remains = atomic_fetch_add_explicit(&losses, 1, memory_order_relaxed) * 2654435769u;
  until_lost = 1 + ((remains >> 4 & 8191) >> (remains >> 20) % 13);
}

CK_INLINE void tiles_on(void) {
  memset(tiles.row, 0xff, sizeof tiles.row);
  tiles.on = true;
  plan_loss();
}
CK_INLINE void tiles_off(void) { tiles.on = false; }

/// An instruction on a tile that is off is illegal.
CK_INLINE void tile_check(void) {
  if (!tiles.on) __builtin_trap();
  if (--until_lost > 0 || !ck_tells_preemption()) return;
  memset(tiles.row, remains & 1 ? 0x42 : 0, sizeof tiles.row);
  *watched_sequence() = 0;
}

CK_INLINE void tile_zero(int t) {
  tile_check();
  memset(tiles.row[t], 0, sizeof tiles.row[t]);
}
CK_INLINE void tile_load(int t, const void *from, long stride) {
  tile_check();
  for (int r = 0; r < 16; r++) memcpy(tiles.row[t][r], (const char *)from + r * stride, 64);
}
CK_INLINE void tile_store(int t, void *to, long stride) {
  tile_check();
  for (int r = 0; r < 16; r++) memcpy((char *)to + r * stride, tiles.row[t][r], 64);
}
CK_INLINE void tile_product(int c, int a, int b) {
  tile_check();
  for (int r = 0; r < 16; r++) {
    __m512 sum = _mm512_loadu_ps(tiles.row[c][r]);
    for (int k = 0; k < 16; k++) {
      int32_t pair;
      memcpy(&pair, tiles.row[a][r] + 4 * k, 4);
      const __m512bh row = (__m512bh)_mm512_loadu_si512(tiles.row[b][k]);
      sum = _mm512_dpbf16_ps(sum, row, (__m512bh)_mm512_set1_epi32(pair));
    }
    _mm512_storeu_ps(tiles.row[c][r], sum);
  }
}
CK_TARGET_END
