/// The AMX kernels of CKernels on tiles that are emulated with AVX512-BF16, so that they are tested on machines
/// without AMX.
#ifndef EMULATED_TILES_H
#define EMULATED_TILES_H

/// A `struct ck_kernels`, constant; its AMX kernels need AVX512-BF16.
const void *emulated_tile_kernels(void);

#endif
