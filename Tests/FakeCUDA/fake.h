/// A libcuda without a GPU: device memory is host memory, and work is done when it is asked for.
///
/// What it is stricter about than a GPU: fresh memory is garbage; bytes in front of and behind every allocation are
/// looked at after each launch; copies from pinned memory happen as late as they may; handles, contexts, capture and
/// the limits of launches are checked. Environment:
///
/// - FAKECUDA_LOG      a file that gets every call as a line of JSON, and at exit {"call":"exit","leaks":...}
/// - FAKECUDA_REPORT   1: leaks are printed to standard error at exit
/// - FAKECUDA_FAIL     cuMemAlloc_v2:3:2,cuInit:1:100 - the third call returns 2, the first 100
/// - FAKECUDA_WGMMA    0: products of warp groups are wrong
/// - FAKECUDA_SM       90     FAKECUDA_DRIVER  13000     FAKECUDA_DEVICES  1     FAKECUDA_MEMORY  bytes
#ifndef FAKE_H
#define FAKE_H

#include <pthread.h>
#include <stddef.h>

#include "sd_cuda.h"

// The prototypes come from the list that the runtime loads: a definition that differs does not compile.
#define FAKE_PROTOTYPE(result, name, parameters) result name parameters;
SD_CUDA_DRIVER_ENTRIES(FAKE_PROTOTYPE)
#define FAKE_CALL(result, name, parameters) CALL_##name,
enum call { SD_CUDA_DRIVER_ENTRIES(FAKE_CALL) CALL_COUNT };

enum {
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  NOT_INITIALIZED = 3,
  NO_DEVICE = 100,
  INVALID_DEVICE = 101,
  INVALID_IMAGE = 200,
  INVALID_CONTEXT = 201,
  INVALID_HANDLE = 400,
  NOT_FOUND = 500,
  ILLEGAL_ADDRESS = 700,
  LAUNCH_FAILED = 719,
  NOT_SUPPORTED = 801,
  CAPTURE_UNSUPPORTED = 900,
  CAPTURE_INVALIDATED = 901,
};

enum kind { CONTEXT, MEMORY, PINNED, STREAM, EVENT, MODULE, FUNCTION, GRAPH, GRAPH_EXEC, KIND_COUNT };

/// A copy, fill or launch.
struct node {
  struct node *next;
  enum { COPY, FILL, LAUNCH } kind;
  void *to;  // COPY, FILL; checked where they are on the device
  const void *from;
  int to_device, from_device;
  size_t bytes;
  unsigned char byte;
  struct object *function;  // LAUNCH
  unsigned grid[3], block[3], shared_bytes;
  void *parameters;  // owned
  long serial;
};

struct nodes {
  struct node *first, *last;
};

/// What a handle points to.
struct object {
  struct object *next;
  enum kind kind;
  unsigned char *base;  // MEMORY, PINNED
  size_t size;
  struct nodes nodes;  // GRAPH, GRAPH_EXEC; STREAM: recorded so far
  struct nodes late;   // STREAM: copies from pinned memory that are not done yet
  int capturing, capture_mode, broken;
  pthread_t capturer;
  long serial;  // EVENT: the work in front of it
  double time;
  char name[128];  // FUNCTION
  struct object *module;
  long parameter_bytes;
  int shared_limit;
};

/// Held by every entry. `enter` counts and logs a call; it returns the status to fail with, or 0. The format makes the
/// members of the log line behind its name.
void fake_lock(void);
void fake_unlock(const int *);
int fake_enter(enum call call, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define ENTER(name, ...)                                             \
  fake_lock();                                                       \
  __attribute__((cleanup(fake_unlock), unused)) const int locked = 1; \
  int status = fake_enter(CALL_##name, __VA_ARGS__);                 \
  if (status) return status
#define ENTER_CONTEXT(name, ...) \
  ENTER(name, __VA_ARGS__);      \
  REQUIRE(fake_has_context(), INVALID_CONTEXT)
#define REQUIRE(condition, failure) \
  if (!(condition)) return failure

/// A number from the environment or from `fakecuda_set`.
long fake_option(const char *name, long otherwise);
/// Something that a GPU would not have noticed: to standard error and into the log.
void fake_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/// From now on every call fails.
int fake_lose(int status);

/// Whether the calling thread has a context.
int fake_has_context(void);

struct object *fake_new(enum kind kind);
/// The object, null unless it is one of that kind.
struct object *fake_find(enum kind kind, const void *handle);
void fake_delete(struct object *object);
/// Deletes what a handle points to; a status.
int fake_destroy(enum kind kind, const void *handle);
/// All objects, in a list.
struct object *fake_objects(void);
/// Whether the bytes are in one allocation.
int fake_contains(const void *address, size_t bytes);
unsigned char *fake_allocate(size_t bytes);
void fake_free(struct object *memory);
/// Complains of allocations that somebody wrote beside; returns their number.
int fake_check_guards(const char *culprit);
int fake_shared_bytes(void);

/// Does, records or defers work. Takes the node's parameters over.
int fake_submit(struct object *stream, struct node node);
/// Does the deferred copies up to a serial number.
int fake_flush(long serial);
int fake_run_kernel(const struct node *node);
/// Aligned as the largest parameter may ask for; to be freed.
void *fake_duplicate(const void *bytes, long count);
void fake_drop(struct nodes *nodes);
/// The status of a call that must not be made while a stream records, by its thread or in some modes by any; spoils the
/// recording.
int fake_spoils_capture(void);

#endif
