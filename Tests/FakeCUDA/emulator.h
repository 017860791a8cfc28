/// Kernels on the CPU, for the fake driver.
#ifndef EMULATOR_H
#define EMULATOR_H

#ifdef __cplusplus
extern "C" {
#endif

/// Runs a kernel. 0, or anything else for a failure.
int emulate_launch(
  const char *name, const unsigned grid[3], const unsigned block[3], unsigned shared_bytes, const void *parameters);

/// Bytes of a kernel's parameter struct, -1 when there is no such kernel.
long emulated_parameter_bytes(const char *name);

#ifdef __cplusplus
}
#endif

#endif
