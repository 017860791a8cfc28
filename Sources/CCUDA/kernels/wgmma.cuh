// Products of warp groups (sm_90a): 64 rows of A and N columns of B, both in shared memory in swizzled lines of 128 bytes.
#ifndef WGMMA_CUH
#define WGMMA_CUH
#include "prelude.cuh"

// Describes lines of 128 bytes, swizzled, groups of eight lines 1,024 bytes apart.
DEVICE unsigned long long operand(unsigned address) {
  return (unsigned long long)((address & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62;
}
DEVICE void order_copies() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
DEVICE void keep(float &sum) { asm volatile("" : "+f"(sum)::"memory"); }
DEVICE void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int N> DEVICE void products_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory"); }

template <typename T, int REGISTERS>
__device__ void multiply_group(float (&d)[REGISTERS], unsigned long long a, unsigned long long b);

// The registers of the sums: in the text of an instruction, and as its operands.
#define PLACES_32 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define PLACES_64 \
  PLACES_32 ", " \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define PLACES_80 \
  PLACES_64 ", " \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"

#define SUMS_4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define SUMS_16(i) SUMS_4(i), SUMS_4(i + 4), SUMS_4(i + 8), SUMS_4(i + 12)
#define SUMS_32 SUMS_16(0), SUMS_16(16)
#define SUMS_64 SUMS_32, SUMS_16(32), SUMS_16(48)
#define SUMS_80 SUMS_64, SUMS_16(64)

// A and B are the places behind the sums.
#define MULTIPLY_GROUP(T, REGISTERS, COLUMNS, A, B)                                \
  template <>                                                                      \
  __device__ __forceinline__ void multiply_group<T, REGISTERS>(                    \
      float (&d)[REGISTERS], unsigned long long a, unsigned long long b) {         \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" #COLUMNS "k16.f32." #T "." #T \
                 " {" PLACES_##REGISTERS "}, %" #A ", %" #B ", 1, 1, 1, 0, 0;"     \
                 : SUMS_##REGISTERS : "l"(a), "l"(b));                             \
  }
#define MULTIPLY_GROUPS(T)           \
  MULTIPLY_GROUP(T, 32, 64, 32, 33)  \
  MULTIPLY_GROUP(T, 64, 128, 64, 65) \
  MULTIPLY_GROUP(T, 80, 160, 80, 81)
MULTIPLY_GROUPS(f16)
MULTIPLY_GROUPS(bf16)

#endif
