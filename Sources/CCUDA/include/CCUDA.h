/// CCUDA: what the runtime needs of NVIDIA's libraries, found at run time. Nothing of CUDA is linked or included.
#ifndef CCUDA_H
#define CCUDA_H

#include "sd_cuda.h"

#endif
