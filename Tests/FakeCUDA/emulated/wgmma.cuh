// Sources/CCUDA/kernels/wgmma.cuh for a CPU.
#ifndef WGMMA_CUH
#define WGMMA_CUH

#include "machine.cuh"

EMULATED void emulated_order_copies();
EMULATED void emulated_products_begin();
EMULATED void emulated_products_commit();
EMULATED void emulated_products_wait(unsigned groups);
EMULATED void emulated_multiply_group(float *d, int registers, unsigned long long a, unsigned long long b, bool bf16);

DEVICE unsigned long long operand(unsigned address) {
  return (unsigned long long)((address & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62;
}
DEVICE void order_copies() { emulated_order_copies(); }
DEVICE void keep(float &) {}
DEVICE void products_begin() { emulated_products_begin(); }
DEVICE void products_commit() { emulated_products_commit(); }
template <int N> DEVICE void products_wait() { emulated_products_wait(N); }

template <typename T, int REGISTERS>
DEVICE void multiply_group(float (&d)[REGISTERS], unsigned long long a, unsigned long long b) {
  static_assert(REGISTERS == 32 || REGISTERS == 64 || REGISTERS == 80, "wgmma.cuh has no others");
  emulated_multiply_group(d, REGISTERS, a, b, T::dtype == CU_BF16);
}

#endif
