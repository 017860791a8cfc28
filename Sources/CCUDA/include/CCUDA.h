/// CCUDA: what the runtime needs of NVIDIA's libraries, found at run time, and the kernels. Nothing of CUDA is linked or
/// included.
#ifndef CCUDA_H
#define CCUDA_H

#include "cu_kernels.h"
#include "sd_cuda.h"
#include "sd_cuda_sources.h"

#endif
