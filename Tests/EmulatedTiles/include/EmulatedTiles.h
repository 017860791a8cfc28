/// The AMX kernels of CKernels on tiles that are emulated with AVX512-BF16, so that they are tested on machines
/// without AMX.
#ifndef EMULATED_TILES_H
#define EMULATED_TILES_H

/// A `struct ck_kernels`, constant; its AMX kernels need AVX512-BF16.
const void *emulated_tile_kernels(void);

/// Whether a thread that watches itself for an instant, or until another thread has had its processor, is told that it
/// lost it: 0 or 1. At most `seconds`, on the one processor. -1 where the system does not tell.
int is_told_of_nothing(void);
int is_told_of_another(double seconds);

#endif
