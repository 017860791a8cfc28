// The sums of a block of BM × BN, and how 64 k of A and B in shared memory are added to them: warps of 32 × BN / 2 with
// mma.sync, or warp groups of 64 × BN with wgmma in conv_wgmma.cu.
#pragma once
#include "prelude.cuh"

#ifdef SD_WGMMA
#include "wgmma.cuh"

template <typename T, int BM, int BN> struct Sums {
  static constexpr int LAG = 1;  // products run on while the next ones are prepared
  float value[BN / 2];

  __device__ Sums() {
#pragma unroll
    for (int r = 0; r < BN / 2; r++) value[r] = 0;
  }

  // Two neighbours each: registers r and r + 1.
  __device__ int row(int r) const { return threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4 + r / 2 % 2 * 8; }
  __device__ int column(int r) const { return r / 4 * 8 + threadIdx.x % 4 * 2; }

  // The products before the last ones have read their operands; what has been copied is there for the next ones.
  __device__ void settle() {
    products_wait<1>();
    order_copies();
  }
  __device__ void add(unsigned a, unsigned b) {
    products_begin();
    const unsigned group = a + threadIdx.x / 128 * 64 * 128;
#pragma unroll
    for (int k = 0; k < 4; k++) multiply_group<T>(value, operand(group + k * 32), operand(b + k * 32));
    products_commit();
  }
  __device__ void finish() {
    products_wait<0>();
    // Nothing that uses the sums may move in front of that.
#pragma unroll
    for (int r = 0; r < BN / 2; r++) keep(value[r]);
  }
};

#else

template <typename T, int BM, int BN> struct Sums {
  static constexpr int LAG = 0;
  static constexpr int COLUMNS = BN / 16;  // fragments of a warp
  float value[BN / 2];

  __device__ Sums() {
#pragma unroll
    for (int r = 0; r < BN / 2; r++) value[r] = 0;
  }

  __device__ static int warp_row() { return threadIdx.x / 32 / 2 * 32; }
  __device__ static int warp_column() { return threadIdx.x / 32 % 2 * (BN / 2); }
  __device__ int row(int r) const {
    return warp_row() + r / 4 / COLUMNS * 16 + threadIdx.x % 32 / 4 + r / 2 % 2 * 8;
  }
  __device__ int column(int r) const { return warp_column() + r / 4 % COLUMNS * 8 + threadIdx.x % 4 * 2; }

  __device__ void settle() {}
  __device__ void finish() {}
  __device__ void add(unsigned a, unsigned b) {
    const int lane = threadIdx.x % 32;
    const int a_line = warp_row() + lane % 16, b_line = warp_column() + lane % 8 + lane / 16 * 8;
#pragma unroll
    for (int k = 0; k < 4; k++) {
      const int a_piece = 2 * k + lane / 16, b_piece = 2 * k + lane / 8 % 2;
      unsigned rows[2][4];
#pragma unroll
      for (int i = 0; i < 2; i++)
        load_matrices(rows[i], a + (a_line + i * 16) * 128 + ((a_piece ^ (a_line & 7)) << 4));
#pragma unroll
      for (int j = 0; j < COLUMNS; j += 2) {
        unsigned columns[4];
        load_matrices(columns, b + (b_line + j * 8) * 128 + ((b_piece ^ (b_line & 7)) << 4));
#pragma unroll
        for (int i = 0; i < 2; i++) {
          T::multiply(fragment(i * COLUMNS + j), rows[i], columns[0], columns[1]);
          if (j + 1 < COLUMNS) T::multiply(fragment(i * COLUMNS + j + 1), rows[i], columns[2], columns[3]);
        }
      }
    }
  }

private:
  __device__ float (&fragment(int index))[4] { return *(float (*)[4])(value + index * 4); }
};
#endif
