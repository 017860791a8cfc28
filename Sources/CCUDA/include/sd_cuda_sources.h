/// The files in kernels/, which NVRTC compiles.
#ifndef SD_CUDA_SOURCES_H
#define SD_CUDA_SOURCES_H

#include <stddef.h>

/// The text of a file, `conv.cu`, `prelude.cuh`; null when there is none of this name.
const char *_Nullable sd_cuda_source(const char *_Nonnull name);

#endif
