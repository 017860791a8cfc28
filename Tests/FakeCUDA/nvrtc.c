// A libnvrtc that compiles nothing: its cubins are empty ELF files, for the fake driver. A source that contains #error
// fails with that line as its log.

#define _GNU_SOURCE  // dladdr

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "sd_cuda.h"

#define PROTOTYPE(result, name, parameters) result name parameters;
SD_NVRTC_ENTRIES(PROTOTYPE)

struct _nvrtcProgram {
  char *log;
};

// No version that exists: a cache of real cubins must not mistake these for its own. Which file it is: 99.13 in libnvrtc.so.13.
int nvrtcVersion(int *major, int *minor) {
  static const char here;
  Dl_info file;
  const char *dot = dladdr(&here, &file) && file.dli_fname ? strrchr(file.dli_fname, '.') : nullptr;
  *major = 99;
  *minor = dot ? atoi(dot + 1) : 0;
  return 0;
}

int nvrtcCreateProgram(
  nvrtcProgram *program, const char *source, const char *name, int header_count, const char *const *headers,
  const char *const *header_names) {
  (void)name, (void)header_count, (void)headers, (void)header_names;
  const char *error = strstr(source, "#error");
  *program = malloc(sizeof **program);
  if (*program) (*program)->log = strndup(error ? error : "", error ? strcspn(error, "\n") : 0);
  return *program && (*program)->log ? 0 : 1;
}

int nvrtcCompileProgram(nvrtcProgram program, int option_count, const char *const *options) {
  (void)option_count, (void)options;
  return program->log[0] ? 6 : 0;
}

int nvrtcGetProgramLogSize(nvrtcProgram program, size_t *size) {
  *size = strlen(program->log) + 1;
  return 0;
}

int nvrtcGetProgramLog(nvrtcProgram program, char *log) {
  strcpy(log, program->log);
  return 0;
}

int nvrtcGetCUBINSize(nvrtcProgram program, size_t *size) {
  (void)program;
  *size = 64;
  return 0;
}

int nvrtcGetCUBIN(nvrtcProgram program, char *cubin) {
  (void)program;
  memset(cubin, 0, 64);
  memcpy(cubin, "\x7f" "ELF\2\1\1", 7);
  return 0;
}

int nvrtcDestroyProgram(nvrtcProgram *program) {
  free((*program)->log);
  free(*program);
  *program = nullptr;
  return 0;
}

const char *nvrtcGetErrorString(int status) {
  return status == 0 ? "NVRTC_SUCCESS" : status == 6 ? "NVRTC_ERROR_COMPILATION" : "NVRTC_ERROR_INTERNAL_ERROR";
}
