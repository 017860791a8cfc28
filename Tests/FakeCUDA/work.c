// The entries of the fake driver: streams, recording, graphs and events.

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fake.h"

static long serial;

static int run(const struct node *node) {
  if ((node->to_device && !fake_contains(node->to, node->bytes)) ||
      (node->from_device && !fake_contains(node->from, node->bytes))) {
    fake_complain("a copy or fill of %zu bytes outside of any allocation", node->bytes);
    return INVALID_VALUE;
  }
  switch (node->kind) {
  case COPY: memmove(node->to, node->from, node->bytes); return 0;
  case FILL: memset(node->to, node->byte, node->bytes); return 0;
  case LAUNCH: return fake_run_kernel(node);
  }
  return INVALID_VALUE;
}

static void append(struct nodes *nodes, struct node node) {
  struct node *copy = malloc(sizeof node);
  if (!copy) abort();
  node.next = nullptr;
  *copy = node;
  if (nodes->last) nodes->last->next = copy;
  else nodes->first = copy;
  nodes->last = copy;
}

void fake_drop(struct nodes *nodes) {
  for (struct node *node = nodes->first, *next; node; node = next) {
    next = node->next;
    free(node->parameters);
    free(node);
  }
  *nodes = (struct nodes){};
}

int fake_flush(long last) {
  int status = 0;
  for (struct object *stream = fake_objects(); stream; stream = stream->next) {
    if (stream->kind != STREAM) continue;
    struct node *node;
    while ((node = stream->late.first) && (last < 0 || node->serial <= last) && !status) {
      status = run(node);
      if (!(stream->late.first = node->next)) stream->late.last = nullptr;
      free(node);
    }
  }
  return status;
}

static int is_pinned(const void *address) {
  for (struct object *object = fake_objects(); object; object = object->next)
    if (object->kind == PINNED && (unsigned char *)address >= object->base &&
        (unsigned char *)address < object->base + object->size)
      return 1;
  return 0;
}

int fake_submit(struct object *stream, struct node node) {
  if (!stream) {
    free(node.parameters);
    fake_complain("work for something that is no stream");
    return INVALID_HANDLE;
  }
  node.serial = ++serial;
  if (stream->capturing) {
    append(&stream->nodes, node);
    return 0;
  }
  if (node.kind == COPY && !node.from_device && is_pinned(node.from) && fake_contains(node.to, node.bytes)) {
    append(&stream->late, node);
    return 0;
  }
  int status = fake_flush(-1);
  if (!status) status = run(&node);
  free(node.parameters);
  return status;
}

int fake_spoils_capture(void) {
  int status = 0;
  for (struct object *stream = fake_objects(); stream; stream = stream->next)
    if (stream->kind == STREAM && stream->capturing &&
        (stream->capture_mode != SD_CU_STREAM_CAPTURE_MODE_THREAD_LOCAL || pthread_equal(stream->capturer, pthread_self()))) {
      stream->broken = 1;
      status = CAPTURE_UNSUPPORTED;
    }
  return status;
}

int cuStreamCreate(CUstream *stream, unsigned flags) {
  ENTER_CONTEXT(cuStreamCreate, "\"flags\":%u", flags);
  *stream = (CUstream)fake_new(STREAM);
  return 0;
}

int cuStreamDestroy_v2(CUstream stream) {
  ENTER_CONTEXT(cuStreamDestroy_v2, "");
  struct object *object = fake_find(STREAM, stream);
  REQUIRE(object, INVALID_HANDLE);
  status = fake_flush(-1);
  fake_delete(object);
  return status;
}

int cuStreamSynchronize(CUstream stream) {
  ENTER_CONTEXT(cuStreamSynchronize, "");
  REQUIRE(fake_find(STREAM, stream), INVALID_HANDLE);
  if ((status = fake_spoils_capture())) return status;
  return fake_flush(-1);
}

int cuStreamBeginCapture_v2(CUstream stream, int mode) {
  ENTER_CONTEXT(cuStreamBeginCapture_v2, "\"mode\":%d", mode);
  struct object *object = fake_find(STREAM, stream);
  REQUIRE(object, INVALID_HANDLE);
  REQUIRE(!object->capturing, INVALID_VALUE);
  fake_drop(&object->nodes);  // of a recording whose end failed
  object->capturing = 1;
  object->capture_mode = mode;
  object->capturer = pthread_self();
  object->broken = 0;
  return 0;
}

int cuStreamEndCapture(CUstream stream, CUgraph *graph) {
  // The recording ends also where this fails.
  fake_lock();
  struct object *object = fake_find(STREAM, stream);
  int capturing = object && object->capturing;
  if (object) object->capturing = 0;
  fake_unlock(nullptr);
  *graph = nullptr;
  ENTER_CONTEXT(cuStreamEndCapture, "");
  REQUIRE(object, INVALID_HANDLE);
  REQUIRE(capturing, INVALID_VALUE);
  if (object->broken) {
    fake_drop(&object->nodes);
    return CAPTURE_INVALIDATED;
  }
  struct object *recorded = fake_new(GRAPH);
  recorded->nodes = object->nodes;
  object->nodes = (struct nodes){};
  *graph = (CUgraph)recorded;
  return 0;
}

int cuGraphInstantiateWithFlags(CUgraphExec *executable, CUgraph graph, unsigned long long flags) {
  ENTER_CONTEXT(cuGraphInstantiateWithFlags, "\"flags\":%llu", flags);
  struct object *recorded = fake_find(GRAPH, graph);
  REQUIRE(recorded, INVALID_HANDLE);
  struct object *object = fake_new(GRAPH_EXEC);
  for (struct node *node = recorded->nodes.first; node; node = node->next) {
    struct node copy = *node;
    if (node->kind == LAUNCH) copy.parameters = fake_duplicate(node->parameters, node->function->parameter_bytes);
    append(&object->nodes, copy);
  }
  *executable = (CUgraphExec)object;
  return 0;
}

int cuGraphLaunch(CUgraphExec executable, CUstream stream) {
  ENTER_CONTEXT(cuGraphLaunch, "");
  struct object *object = fake_find(GRAPH_EXEC, executable);
  REQUIRE(object && fake_find(STREAM, stream), INVALID_HANDLE);
  status = fake_flush(-1);
  for (struct node *node = object->nodes.first; node && !status; node = node->next) {
    if (node->kind == LAUNCH && !fake_find(FUNCTION, node->function)) {
      fake_complain("a graph launches a kernel of a module that was unloaded");
      return fake_lose(ILLEGAL_ADDRESS);
    }
    status = run(node);
  }
  return status;
}

int fake_destroy(enum kind kind, const void *handle) {
  struct object *object = fake_find(kind, handle);
  REQUIRE(object, INVALID_HANDLE);
  fake_delete(object);
  return 0;
}

int cuGraphDestroy(CUgraph graph) {
  ENTER_CONTEXT(cuGraphDestroy, "");
  return fake_destroy(GRAPH, graph);
}

int cuGraphExecDestroy(CUgraphExec executable) {
  ENTER_CONTEXT(cuGraphExecDestroy, "");
  return fake_destroy(GRAPH_EXEC, executable);
}

int cuEventCreate(CUevent *event, unsigned flags) {
  ENTER_CONTEXT(cuEventCreate, "\"flags\":%u", flags);
  *event = (CUevent)fake_new(EVENT);
  return 0;
}

int cuEventRecord(CUevent event, CUstream stream) {
  ENTER_CONTEXT(cuEventRecord, "");
  struct object *object = fake_find(EVENT, event);
  REQUIRE(object && fake_find(STREAM, stream), INVALID_HANDLE);
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  object->time = 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
  object->serial = serial;
  return 0;
}

int cuEventSynchronize(CUevent event) {
  ENTER_CONTEXT(cuEventSynchronize, "");
  struct object *object = fake_find(EVENT, event);
  REQUIRE(object, INVALID_HANDLE);
  return fake_flush(object->serial);
}

int cuEventQuery(CUevent event) {
  ENTER_CONTEXT(cuEventQuery, "");
  struct object *object = fake_find(EVENT, event);
  REQUIRE(object, INVALID_HANDLE);
  return fake_flush(object->serial);
}

int cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end) {
  ENTER_CONTEXT(cuEventElapsedTime, "");
  struct object *first = fake_find(EVENT, start), *second = fake_find(EVENT, end);
  REQUIRE(first && second && first->time && second->time, INVALID_HANDLE);
  *milliseconds = (float)(second->time - first->time);
  return 0;
}

int cuEventDestroy_v2(CUevent event) {
  ENTER_CONTEXT(cuEventDestroy_v2, "");
  return fake_destroy(EVENT, event);
}
