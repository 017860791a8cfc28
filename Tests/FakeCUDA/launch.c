// The entries of the fake driver: modules, functions and launches.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator.h"
#include "fake.h"

// The library links without an emulator; it then has one kernel.
#pragma weak emulate_launch
#pragma weak emulated_parameter_bytes

/// The one kernel of the driver itself, for tests without others: adds a number to 32-bit words.
struct fake_add {
  uint64_t address, count;
  uint32_t value;
};

static long parameter_bytes(const char *name) {
  if (strcmp(name, "fake_add") == 0) return sizeof(struct fake_add);
  return emulated_parameter_bytes ? emulated_parameter_bytes(name) : -1;
}

int fake_run_kernel(const struct node *node) {
  const char *name = node->function->name;
  int failure = 0;
  if (strcmp(name, "fake_add") == 0) {
    struct fake_add *add = node->parameters;
    uint32_t *words = (uint32_t *)add->address;
    for (uint64_t i = 0; i < add->count; i++) words[i] += add->value;
  } else {
    failure = emulate_launch(name, node->grid, node->block, node->shared_bytes, node->parameters);
  }
  return fake_check_guards(name) ? fake_lose(ILLEGAL_ADDRESS) : failure ? fake_lose(LAUNCH_FAILED) : 0;
}

void *fake_duplicate(const void *bytes, long count) {
  void *copy = aligned_alloc(64, ((size_t)count + 64) / 64 * 64);
  if (!copy) abort();
  if (count > 0) memcpy(copy, bytes, (size_t)count);
  return copy;
}

int cuModuleLoadData(CUmodule *module, const void *image) {
  ENTER_CONTEXT(cuModuleLoadData, "");
  REQUIRE(image && memcmp(image, "\x7f" "ELF", 4) == 0, INVALID_IMAGE);
  *module = (CUmodule)fake_new(MODULE);
  return 0;
}

int cuModuleUnload(CUmodule module) {
  ENTER_CONTEXT(cuModuleUnload, "");
  for (struct object *object = fake_objects(), *next; object; object = next) {
    next = object->next;
    if (object->kind == FUNCTION && object->module == (struct object *)module) fake_delete(object);
  }
  return fake_destroy(MODULE, module);
}

int cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  ENTER_CONTEXT(cuModuleGetFunction, "\"name\":\"%s\"", name);
  struct object *owner = fake_find(MODULE, module);
  REQUIRE(owner, INVALID_HANDLE);
  // The same function again is the same handle.
  for (struct object *object = fake_objects(); object; object = object->next)
    if (object->kind == FUNCTION && object->module == owner && strcmp(object->name, name) == 0) {
      *function = (CUfunction)object;
      return 0;
    }
  long bytes = parameter_bytes(name);
  REQUIRE(bytes >= 0, NOT_FOUND);
  struct object *object = fake_new(FUNCTION);
  snprintf(object->name, sizeof object->name, "%s", name);
  object->module = owner;
  object->parameter_bytes = bytes;
  object->shared_limit = 48 << 10;
  *function = (CUfunction)object;
  return 0;
}

int cuFuncSetAttribute(CUfunction function, int attribute, int value) {
  ENTER_CONTEXT(cuFuncSetAttribute, "\"attribute\":%d,\"value\":%d", attribute, value);
  struct object *object = fake_find(FUNCTION, function);
  REQUIRE(object, INVALID_HANDLE);
  REQUIRE(attribute == SD_CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, INVALID_VALUE);
  REQUIRE(value >= 0 && value <= fake_shared_bytes(), INVALID_VALUE);
  object->shared_limit = value;
  return 0;
}

int cuFuncGetAttribute(int *value, int attribute, CUfunction function) {
  ENTER_CONTEXT(cuFuncGetAttribute, "\"attribute\":%d", attribute);
  struct object *object = fake_find(FUNCTION, function);
  REQUIRE(object, INVALID_HANDLE);
  REQUIRE(attribute == SD_CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, INVALID_VALUE);
  *value = object->shared_limit;
  return 0;
}

int cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function, void **parameters, void **extra) {
  struct node node = {
    .kind = LAUNCH,
    .grid = {config->gridDimX, config->gridDimY, config->gridDimZ},
    .block = {config->blockDimX, config->blockDimY, config->blockDimZ},
    .shared_bytes = config->sharedMemBytes,
  };
  int overlaps = 0;
  for (unsigned i = 0; i < config->numAttrs; i++)
    if (config->attrs[i].id == SD_CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION)
      overlaps = config->attrs[i].value.programmaticStreamSerializationAllowed;
  fake_lock();
  node.function = fake_find(FUNCTION, function);
  fake_unlock(nullptr);
  ENTER_CONTEXT(
    cuLaunchKernelEx, "\"name\":\"%s\",\"grid\":[%u,%u,%u],\"block\":[%u,%u,%u],\"shared\":%u,\"overlaps\":%d",
    node.function ? node.function->name : "", node.grid[0], node.grid[1], node.grid[2], node.block[0], node.block[1],
    node.block[2], node.shared_bytes, overlaps);
  REQUIRE(node.function && !extra, INVALID_HANDLE);
  REQUIRE(!overlaps || fake_option("SM", 90) >= 90, NOT_SUPPORTED);
  REQUIRE(node.grid[0] - 1 < 0x7FFFFFFF && node.grid[1] - 1 < 0xFFFF && node.grid[2] - 1 < 0xFFFF, INVALID_VALUE);
  for (int axis = 0; axis < 3; axis++) REQUIRE(node.block[axis] - 1 < 1024, INVALID_VALUE);
  REQUIRE(node.block[0] * node.block[1] * node.block[2] <= 1024, INVALID_VALUE);
  REQUIRE(node.shared_bytes <= (unsigned)node.function->shared_limit, INVALID_VALUE);
  long bytes = node.function->parameter_bytes;
  REQUIRE(bytes == 0 || (parameters && (uintptr_t)parameters[0] % 8 == 0), INVALID_VALUE);
  node.parameters = fake_duplicate(bytes ? parameters[0] : nullptr, bytes);
  return fake_submit(fake_find(STREAM, config->hStream), node);
}
