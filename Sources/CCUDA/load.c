// Finds NVIDIA's libraries. Places, in order; in each of them the newest name first:
//
// 1. the folder the caller names (SD_CUDA_LIB_DIR)
// 2. whatever copy this process has loaded already: two copies of one driver in a process do not share contexts
// 3. the dynamic linker's own search: LD_LIBRARY_PATH, ld.so.cache
// 4. the folders below, where drivers, WSL, toolkits and containers put them without telling the linker
// 5. NVRTC only: the packages nvidia-cuda-nvrtc of a Python environment
//
// An NVRTC of the driver's own release, or an older one, comes before a newer one: its cubins may be in a format that the
// driver does not know.
//
// A library that was loaded stays: unloading a driver with live threads of its own is not safe.

#define _GNU_SOURCE  // dladdr

#include "sd_cuda.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const folders[] = {
  "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib/wsl/lib", "/usr/local/cuda/lib64",
  "/usr/local/nvidia/lib64",   nullptr,
};
static const char *const driver_names[] = {"libcuda.so.1", nullptr};
static const char *const nvrtc_names[] = {"libnvrtc.so.13", "libnvrtc.so.12", nullptr};
static const char *const packages[] = {"cu13", "cuda_nvrtc", nullptr};

#define NAME(result, name, parameters) #name,
static const char *const driver_entries[] = {SD_CUDA_DRIVER_ENTRIES(NAME)};
static const char *const nvrtc_entries[] = {SD_NVRTC_ENTRIES(NAME)};

static_assert(sizeof(struct sd_cuda_driver) == sizeof driver_entries, "a table is an array of pointers");
static_assert(sizeof(struct sd_nvrtc) == sizeof nvrtc_entries, "a table is an array of pointers");
static_assert(sizeof(CUlaunchAttribute) == 72 && sizeof(CUlaunchConfig) == 56, "the driver's ABI");

struct search {
  const char *const *names;
  char *detail;  // why a file that exists could not be loaded
  size_t size;
};

static void *open_in(const struct search *search, const char *folder) {
  for (const char *const *name = search->names; *name; name++) {
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s", folder, *name);
    if (length < 0 || (size_t)length >= sizeof path || access(path, F_OK) != 0) continue;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library) return library;
    const char *reason = dlerror();
    if (!search->detail[0]) snprintf(search->detail, search->size, "%s", reason ? reason : path);
  }
  return nullptr;
}

static void *open_by_name(const struct search *search, int flags) {
  for (const char *const *name = search->names; *name; name++) {
    void *library = dlopen(*name, RTLD_NOW | RTLD_LOCAL | flags);
    if (library) return library;
    // That there is none starts with its name; what starts otherwise is the name of another library that it needs.
    const char *reason = flags == 0 ? dlerror() : nullptr;
    if (reason && strncmp(reason, *name, strlen(*name)) != 0 && !search->detail[0])
      snprintf(search->detail, search->size, "%s", reason);
  }
  return nullptr;
}

static void *open_in_environment(const struct search *search, const char *environment) {
  void *library = nullptr;
  for (const char *const *package = packages; *package && !library; package++) {
    char pattern[4096];
    int length = snprintf(
      pattern, sizeof pattern, "%s/lib/python3*/site-packages/nvidia/%s/lib", environment, *package);
    glob_t found;
    if (length < 0 || (size_t)length >= sizeof pattern || glob(pattern, 0, nullptr, &found) != 0) continue;
    for (size_t i = 0; i < found.gl_pathc && !library; i++) library = open_in(search, found.gl_pathv[i]);
    globfree(&found);
  }
  return library;
}

static void *find(const struct search *search, const char *folder, const char *environment) {
  void *library = folder ? open_in(search, folder) : nullptr;
  if (!library) library = open_by_name(search, RTLD_NOLOAD);
  if (!library) library = open_by_name(search, 0);
  for (const char *const *place = folders; *place && !library; place++) library = open_in(search, *place);
  if (!library && environment) library = open_in_environment(search, environment);
  return library;
}

static enum sd_cuda_loading resolve(
  void *library, const struct search *search, const char *const *entries, size_t count, void *table) {
  if (!library) return search->detail[0] ? SD_CUDA_UNLOADABLE : SD_CUDA_NO_LIBRARY;
  search->detail[0] = 0;
  for (size_t i = 0; i < count; i++) {
    void *symbol = dlsym(library, entries[i]);
    if (!symbol) {
      snprintf(search->detail, search->size, "%s", entries[i]);
      return SD_CUDA_SYMBOL_MISSING;
    }
    memcpy((char *)table + i * sizeof symbol, &symbol, sizeof symbol);
  }
  return SD_CUDA_LOADED;
}

enum sd_cuda_loading sd_cuda_load_driver(
  struct sd_cuda_driver *driver, const char *folder, char *detail, size_t size) {
  struct search search = {driver_names, detail, size};
  detail[0] = 0;
  void *library = find(&search, folder, nullptr);
  return resolve(library, &search, driver_entries, sizeof driver_entries / sizeof *driver_entries, driver);
}

// NVRTC looks for its second library by name when it compiles. That fails for one that was itself loaded by path, from a
// folder the linker does not search, unless its companion is loaded already. What is not found here may be found there.
static void load_companion(const struct sd_nvrtc *nvrtc) {
  Dl_info place;
  int major, minor;
  void *entry;
  memcpy(&entry, &nvrtc->nvrtcVersion, sizeof entry);
  if (nvrtc->nvrtcVersion(&major, &minor) != 0 || !dladdr(entry, &place) || !place.dli_fname) return;
  const char *slash = strrchr(place.dli_fname, '/');
  char path[4096];
  int folder = slash ? (int)(slash - place.dli_fname) : 0;
  int length = snprintf(
    path, sizeof path, "%.*s/libnvrtc-builtins.so.%d.%d", folder, place.dli_fname, major, minor);
  if (slash && length > 0 && (size_t)length < sizeof path) dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

enum sd_cuda_loading sd_cuda_load_nvrtc(
  struct sd_nvrtc *nvrtc, const char *folder, const char *virtual_environment, int newest, char *detail, size_t size) {
  struct search search = {nvrtc_names, detail, size};
  detail[0] = 0;
  while (*search.names && atoi(strrchr(*search.names, '.') + 1) > newest) search.names++;
  void *library = find(&search, folder, virtual_environment);
  if (!library && search.names != nvrtc_names) {
    search.names = nvrtc_names;
    library = find(&search, folder, virtual_environment);
  }
  enum sd_cuda_loading state =
    resolve(library, &search, nvrtc_entries, sizeof nvrtc_entries / sizeof *nvrtc_entries, nvrtc);
  if (state == SD_CUDA_LOADED) load_companion(nvrtc);
  return state;
}
