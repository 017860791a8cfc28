/// The entries of NVIDIA's driver (libcuda) and run-time compiler (libnvrtc) that are used, as tables of pointers.
///
/// The declarations are our own and no header of NVIDIA is needed. They follow the ABI of CUDA 12.0: a name without its
/// `_v2` would be an older function with other types.
#ifndef SD_CUDA_H
#define SD_CUDA_H

#include <stddef.h>

// Only the table's own pointers are annotated: they are never null.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wnullability-completeness"

// Handles; what they point to is the driver's.
typedef struct CUctx_st *CUcontext;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphExec_st *CUgraphExec;
typedef struct _nvrtcProgram *nvrtcProgram;
/// An address in device memory.
typedef unsigned long long CUdeviceptr;
/// The number of a GPU.
typedef int CUdevice;

/// An attribute of a launch; `value` is a union of 64 bytes, this one member of it is used.
typedef struct CUlaunchAttribute {
  int id;
  char pad[4];
  union {
    long long words[8];
    int programmaticStreamSerializationAllowed;
  } value;
} CUlaunchAttribute;

/// How a kernel is launched.
typedef struct CUlaunchConfig {
  unsigned gridDimX, gridDimY, gridDimZ;
  unsigned blockDimX, blockDimY, blockDimZ;
  unsigned sharedMemBytes;
  CUstream hStream;
  CUlaunchAttribute *attrs;
  unsigned numAttrs;
} CUlaunchConfig;

enum : int {
  SD_CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901,
  SD_CU_STREAM_NON_BLOCKING = 1,
  SD_CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1,
  SD_CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION = 6,
  SD_CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8,
  SD_CU_DEVICE_ATTRIBUTE_CLOCK_RATE = 13,
  SD_CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
  SD_CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE = 36,
  SD_CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH = 37,
  SD_CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE = 38,
  SD_CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
  SD_CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
  SD_CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97,
};

/// X(result, name, parameters) for every entry of libcuda.
#define SD_CUDA_DRIVER_ENTRIES(X)                                                                                      \
  X(int, cuInit, (unsigned flags))                                                                                     \
  X(int, cuDriverGetVersion, (int *version))                                                                           \
  X(int, cuGetErrorName, (int status, const char **name))                                                              \
  X(int, cuGetErrorString, (int status, const char **text))                                                            \
  X(int, cuDeviceGetCount, (int *count))                                                                               \
  X(int, cuDeviceGet, (CUdevice *device, int ordinal))                                                                 \
  X(int, cuDeviceGetName, (char *name, int size, CUdevice device))                                                     \
  X(int, cuDeviceGetAttribute, (int *value, int attribute, CUdevice device))                                           \
  X(int, cuDeviceTotalMem_v2, (size_t *bytes, CUdevice device))                                                        \
  X(int, cuDevicePrimaryCtxRetain, (CUcontext *context, CUdevice device))                                              \
  X(int, cuDevicePrimaryCtxRelease_v2, (CUdevice device))                                                              \
  X(int, cuCtxSetCurrent, (CUcontext context))                                                                         \
  X(int, cuMemAlloc_v2, (CUdeviceptr *address, size_t bytes))                                                          \
  X(int, cuMemFree_v2, (CUdeviceptr address))                                                                          \
  X(int, cuMemGetInfo_v2, (size_t *free, size_t *total))                                                               \
  X(int, cuMemAllocHost_v2, (void **address, size_t bytes))                                                            \
  X(int, cuMemFreeHost, (void *address))                                                                               \
  X(int, cuMemcpyHtoDAsync_v2, (CUdeviceptr to, const void *from, size_t bytes, CUstream stream))                      \
  X(int, cuMemcpyDtoHAsync_v2, (void *to, CUdeviceptr from, size_t bytes, CUstream stream))                            \
  X(int, cuMemcpyDtoDAsync_v2, (CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream))                      \
  X(int, cuMemsetD8Async, (CUdeviceptr to, unsigned char byte, size_t bytes, CUstream stream))                         \
  X(int, cuStreamCreate, (CUstream *stream, unsigned flags))                                                           \
  X(int, cuStreamDestroy_v2, (CUstream stream))                                                                        \
  X(int, cuStreamSynchronize, (CUstream stream))                                                                       \
  X(int, cuStreamBeginCapture_v2, (CUstream stream, int mode))                                                         \
  X(int, cuStreamEndCapture, (CUstream stream, CUgraph *graph))                                                        \
  X(int, cuGraphInstantiateWithFlags, (CUgraphExec *executable, CUgraph graph, unsigned long long flags))              \
  X(int, cuGraphLaunch, (CUgraphExec executable, CUstream stream))                                                     \
  X(int, cuGraphDestroy, (CUgraph graph))                                                                              \
  X(int, cuGraphExecDestroy, (CUgraphExec executable))                                                                 \
  X(int, cuModuleLoadData, (CUmodule *module, const void *image))                                                      \
  X(int, cuModuleUnload, (CUmodule module))                                                                            \
  X(int, cuModuleGetFunction, (CUfunction *function, CUmodule module, const char *name))                               \
  X(int, cuFuncSetAttribute, (CUfunction function, int attribute, int value))                                          \
  X(int, cuFuncGetAttribute, (int *value, int attribute, CUfunction function))                                         \
  X(int, cuLaunchKernelEx,                                                                                             \
    (const CUlaunchConfig *config, CUfunction function, void **parameters, void **extra))                              \
  X(int, cuEventCreate, (CUevent *event, unsigned flags))                                                              \
  X(int, cuEventRecord, (CUevent event, CUstream stream))                                                              \
  X(int, cuEventSynchronize, (CUevent event))                                                                          \
  X(int, cuEventQuery, (CUevent event))                                                                                \
  X(int, cuEventElapsedTime, (float *milliseconds, CUevent start, CUevent end))                                        \
  X(int, cuEventDestroy_v2, (CUevent event))

/// X(result, name, parameters) for every entry of libnvrtc.
#define SD_NVRTC_ENTRIES(X)                                                                                            \
  X(int, nvrtcVersion, (int *major, int *minor))                                                                       \
  X(int, nvrtcCreateProgram,                                                                                           \
    (nvrtcProgram *program, const char *source, const char *name, int header_count, const char *const *headers,        \
     const char *const *header_names))                                                                                 \
  X(int, nvrtcCompileProgram, (nvrtcProgram program, int option_count, const char *const *options))                    \
  X(int, nvrtcGetProgramLogSize, (nvrtcProgram program, size_t *size))                                                 \
  X(int, nvrtcGetProgramLog, (nvrtcProgram program, char *log))                                                        \
  X(int, nvrtcGetCUBINSize, (nvrtcProgram program, size_t *size))                                                      \
  X(int, nvrtcGetCUBIN, (nvrtcProgram program, char *cubin))                                                           \
  X(int, nvrtcDestroyProgram, (nvrtcProgram *program))                                                                 \
  X(const char *, nvrtcGetErrorString, (int status))

#define SD_CUDA_POINTER(result, name, parameters) result(*_Nonnull name) parameters;

/// libcuda; complete when it was loaded.
struct sd_cuda_driver {
  SD_CUDA_DRIVER_ENTRIES(SD_CUDA_POINTER)
};

/// libnvrtc; complete when it was loaded.
struct sd_nvrtc {
  SD_NVRTC_ENTRIES(SD_CUDA_POINTER)
};

/// How the search for a library ended.
enum sd_cuda_loading : int {
  SD_CUDA_LOADED = 0,
  SD_CUDA_NO_LIBRARY = 1,      ///< found nowhere
  SD_CUDA_UNLOADABLE = 2,      ///< there is a file, but the loader refuses it; the detail says why
  SD_CUDA_SYMBOL_MISSING = 3,  ///< the detail is the name of the entry that it does not have
};

/// Loads libcuda.so.1 and fills the table.
///
/// - folder: looked into first; may be null.
/// - detail, size: takes a text, empty where there is nothing to say.
enum sd_cuda_loading sd_cuda_load_driver(
  struct sd_cuda_driver *_Nonnull driver, const char *_Nullable folder, char *_Nonnull detail, size_t size);

/// Loads libnvrtc.so.13 or .12 and fills the table.
///
/// - virtual_environment: a Python environment whose packages may bring the library; may be null.
/// - newest: the driver's release, 12 or 13: newer ones are taken where there is no other.
enum sd_cuda_loading sd_cuda_load_nvrtc(
  struct sd_nvrtc *_Nonnull nvrtc, const char *_Nullable folder, const char *_Nullable virtual_environment,
  int newest, char *_Nonnull detail, size_t size);

#pragma clang diagnostic pop

#endif
