// The entries of the fake driver: the driver, its GPUs, contexts, memory and copies.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"

static int initialised;
static size_t used;
static struct object *primary;
static int retained;
static _Thread_local struct object *current;

static const struct {
  int status;
  const char *name;
} statuses[] = {
  {0, "CUDA_SUCCESS"},
  {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE"},
  {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY"},
  {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED"},
  {NO_DEVICE, "CUDA_ERROR_NO_DEVICE"},
  {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE"},
  {INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE"},
  {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT"},
  {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE"},
  {NOT_FOUND, "CUDA_ERROR_NOT_FOUND"},
  {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS"},
  {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED"},
  {NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED"},
  {CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"},
  {CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"},
};

int cuGetErrorName(int status, const char **name) {
  *name = nullptr;
  for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
    if (statuses[i].status == status) *name = statuses[i].name;
  return *name ? 0 : INVALID_VALUE;
}

int cuGetErrorString(int status, const char **text) { return cuGetErrorName(status, text); }

int cuDriverGetVersion(int *version) {
  ENTER(cuDriverGetVersion, "");
  *version = (int)fake_option("DRIVER", 13000);
  return 0;
}

int cuInit(unsigned flags) {
  ENTER(cuInit, "\"flags\":%u", flags);
  REQUIRE(flags == 0, INVALID_VALUE);
  REQUIRE(fake_option("DEVICES", 1) > 0, NO_DEVICE);
  initialised = 1;
  return 0;
}

int cuDeviceGetCount(int *count) {
  ENTER(cuDeviceGetCount, "");
  REQUIRE(initialised, NOT_INITIALIZED);
  *count = (int)fake_option("DEVICES", 1);
  return 0;
}

int cuDeviceGet(CUdevice *device, int ordinal) {
  ENTER(cuDeviceGet, "\"ordinal\":%d", ordinal);
  REQUIRE(initialised, NOT_INITIALIZED);
  REQUIRE(ordinal >= 0 && ordinal < fake_option("DEVICES", 1), INVALID_DEVICE);
  *device = ordinal;
  return 0;
}

int cuDeviceGetName(char *name, int size, CUdevice device) {
  ENTER(cuDeviceGetName, "\"device\":%d", device);
  snprintf(name, (size_t)size, "Fake GPU sm_%ld", fake_option("SM", 90));
  return 0;
}

int fake_shared_bytes(void) {
  switch (fake_option("SM", 90)) {
  case 75: return 64 << 10;
  case 80:
  case 87: return 163 << 10;
  case 90:
  case 100:
  case 103: return 227 << 10;
  default: return 99 << 10;
  }
}

int cuDeviceGetAttribute(int *value, int attribute, CUdevice device) {
  ENTER(cuDeviceGetAttribute, "\"attribute\":%d,\"device\":%d", attribute, device);
  int sm = (int)fake_option("SM", 90);
  switch (attribute) {
  case SD_CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = sm / 10; return 0;
  case SD_CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = sm % 10; return 0;
  case SD_CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = 4; return 0;
  case SD_CU_DEVICE_ATTRIBUTE_CLOCK_RATE:
  case SD_CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE: *value = 1000000; return 0;
  case SD_CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH: *value = 1024; return 0;
  case SD_CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: *value = 1 << 16; return 0;
  case SD_CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *value = fake_shared_bytes(); return 0;
  default: return INVALID_VALUE;
  }
}

static size_t memory_bytes(void) { return (size_t)fake_option("MEMORY", 8l << 30); }

int cuDeviceTotalMem_v2(size_t *bytes, CUdevice device) {
  ENTER(cuDeviceTotalMem_v2, "\"device\":%d", device);
  *bytes = memory_bytes();
  return 0;
}

int cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  ENTER(cuDevicePrimaryCtxRetain, "\"device\":%d", device);
  REQUIRE(initialised, NOT_INITIALIZED);
  if (retained++ == 0) primary = fake_new(CONTEXT);
  *context = (CUcontext)primary;
  return 0;
}

int cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  ENTER(cuDevicePrimaryCtxRelease_v2, "\"device\":%d", device);
  REQUIRE(retained > 0, INVALID_CONTEXT);
  if (--retained == 0) {
    fake_delete(primary);
    primary = nullptr;
  }
  return 0;
}

// Not logged: it comes in front of everything.
int cuCtxSetCurrent(CUcontext context) {
  fake_lock();
  __attribute__((cleanup(fake_unlock), unused)) const int locked = 1;
  REQUIRE(fake_find(CONTEXT, context), INVALID_CONTEXT);
  current = (struct object *)context;
  return 0;
}

int fake_has_context(void) { return current && current == primary; }

int cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  ENTER_CONTEXT(cuMemAlloc_v2, "\"bytes\":%zu", bytes);
  REQUIRE(bytes > 0, INVALID_VALUE);
  if ((status = fake_spoils_capture())) return status;
  REQUIRE(bytes <= memory_bytes() - used, OUT_OF_MEMORY);
  unsigned char *base = fake_allocate(bytes);
  REQUIRE(base, OUT_OF_MEMORY);
  struct object *memory = fake_new(MEMORY);
  memory->base = base;
  memory->size = bytes;
  used += bytes;
  *address = (CUdeviceptr)base;
  return 0;
}

int cuMemFree_v2(CUdeviceptr address) {
  ENTER_CONTEXT(cuMemFree_v2, "");
  if ((status = fake_spoils_capture())) return status;
  fake_flush(-1);
  fake_check_guards("somebody");
  for (struct object *object = fake_objects(); object; object = object->next) {
    if (object->kind != MEMORY || object->base != (void *)address) continue;
    used -= object->size;
    fake_free(object);
    return 0;
  }
  fake_complain("cuMemFree of something that is no allocation");
  return INVALID_VALUE;
}

int cuMemGetInfo_v2(size_t *free, size_t *total) {
  ENTER_CONTEXT(cuMemGetInfo_v2, "");
  *total = memory_bytes();
  *free = *total - used;
  return 0;
}

int cuMemAllocHost_v2(void **address, size_t bytes) {
  ENTER_CONTEXT(cuMemAllocHost_v2, "\"bytes\":%zu", bytes);
  if ((status = fake_spoils_capture())) return status;
  unsigned char *base = malloc(bytes);
  REQUIRE(base, OUT_OF_MEMORY);
  memset(base, 0xCD, bytes);
  struct object *memory = fake_new(PINNED);
  memory->size = bytes;
  *address = memory->base = base;
  return 0;
}

int cuMemFreeHost(void *address) {
  ENTER_CONTEXT(cuMemFreeHost, "");
  // Copies from it that nobody waited for are lost, as they may be on a GPU.
  for (struct object *object = fake_objects(); object; object = object->next) {
    if (object->kind != PINNED || object->base != address) continue;
    memset(address, 0xDD, object->size);
    fake_flush(-1);
    free(address);
    fake_delete(object);
    return 0;
  }
  fake_complain("cuMemFreeHost of something that is no pinned memory");
  return INVALID_VALUE;
}

int cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
  ENTER_CONTEXT(cuMemcpyHtoDAsync_v2, "\"bytes\":%zu", bytes);
  return fake_submit(
    fake_find(STREAM, stream),
    (struct node){.kind = COPY, .to = (void *)to, .to_device = 1, .from = from, .bytes = bytes});
}

int cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
  ENTER_CONTEXT(cuMemcpyDtoHAsync_v2, "\"bytes\":%zu", bytes);
  return fake_submit(
    fake_find(STREAM, stream),
    (struct node){.kind = COPY, .to = to, .from = (void *)from, .from_device = 1, .bytes = bytes});
}

int cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  ENTER_CONTEXT(cuMemcpyDtoDAsync_v2, "\"bytes\":%zu", bytes);
  struct node node = {
    .kind = COPY, .to = (void *)to, .to_device = 1, .from = (void *)from, .from_device = 1, .bytes = bytes};
  return fake_submit(fake_find(STREAM, stream), node);
}

int cuMemsetD8Async(CUdeviceptr to, unsigned char byte, size_t bytes, CUstream stream) {
  ENTER_CONTEXT(cuMemsetD8Async, "\"bytes\":%zu,\"byte\":%d", bytes, byte);
  return fake_submit(
    fake_find(STREAM, stream),
    (struct node){.kind = FILL, .to = (void *)to, .to_device = 1, .byte = byte, .bytes = bytes});
}
