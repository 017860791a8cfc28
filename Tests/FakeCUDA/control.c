// What is around the entries: options, failures to inject, the log, the list of objects, guard bytes.

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"

enum { guard_bytes = 256, guard = 0xFD, garbage = 0xCD, freed = 0xDD };

#define NAME(result, name, parameters) #name,
static const char *const names[] = {SD_CUDA_DRIVER_ENTRIES(NAME)};
static const char *const kinds[] = {
  "contexts", "allocations", "pinned allocations", "streams", "events", "modules", "functions", "graphs",
  "executable graphs",
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int counts[CALL_COUNT];
static struct object *objects;
static int lost, damages;
static struct {
  char name[32], value[1024];
} settings[8];

void fake_lock(void) { pthread_mutex_lock(&mutex); }
void fake_unlock(const int *unused) {
  (void)unused;
  pthread_mutex_unlock(&mutex);
}

/// Sets an option ("FAIL", "SM", ...) of this copy of the library, whatever the environment says. Counts of calls start
/// again.
void fakecuda_set(const char *name, const char *value) {
  fake_lock();
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
    if (settings[i].name[0] && strcmp(settings[i].name, name) != 0) continue;
    snprintf(settings[i].name, sizeof settings[i].name, "%s", name);
    snprintf(settings[i].value, sizeof settings[i].value, "%s", value);
    break;
  }
  memset(counts, 0, sizeof counts);
  fake_unlock(nullptr);
}

static const char *text_option(const char *name) {
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
    if (strcmp(settings[i].name, name) == 0) return settings[i].value;
  char variable[64];
  snprintf(variable, sizeof variable, "FAKECUDA_%s", name);
  const char *value = getenv(variable);
  return value ? value : "";
}

long fake_option(const char *name, long otherwise) {
  const char *text = text_option(name);
  return *text ? strtol(text, nullptr, 10) : otherwise;
}

static void log_line(const char *line) {
  const char *path = text_option("LOG");
  FILE *file = *path ? fopen(path, "ae") : nullptr;
  if (!file) return;
  fprintf(file, "%s\n", line);
  fclose(file);
}

static int injected(const char *name, int count) {
  for (const char *rest = text_option("FAIL"); *rest;) {
    char call[64];
    int nth = 0, status = 0;
    if (sscanf(rest, "%63[^:]:%d:%d", call, &nth, &status) == 3 && nth == count && strcmp(call, name) == 0)
      return status;
    const char *comma = strchr(rest, ',');
    rest = comma ? comma + 1 : "";
  }
  return 0;
}

int fake_lose(int status) {
  if (status == ILLEGAL_ADDRESS || status == LAUNCH_FAILED) lost = status;
  return status;
}

int fake_enter(enum call call, const char *format, ...) {
  int status = lost ? lost : fake_lose(injected(names[call], ++counts[call]));
  char line[1024];
  size_t length = (size_t)snprintf(line, sizeof line, "{\"call\":\"%s\",\"n\":%d", names[call], counts[call]);
  if (*format) {
    line[length++] = ',';
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + length, sizeof line - length, format, arguments);
    va_end(arguments);
    length = strlen(line);
  }
  if (status) length += (size_t)snprintf(line + length, sizeof line - length, ",\"status\":%d", status);
  snprintf(line + length, sizeof line - length, "}");
  log_line(line);
  return status;
}

void fake_complain(const char *format, ...) {
  char text[512], line[640];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  damages++;
  fprintf(stderr, "fakecuda: %s\n", text);
  snprintf(line, sizeof line, "{\"damage\":\"%s\"}", text);
  log_line(line);
}

struct object *fake_new(enum kind kind) {
  struct object *object = calloc(1, sizeof *object);
  if (!object) abort();
  object->kind = kind;
  object->next = objects;
  return objects = object;
}

struct object *fake_find(enum kind kind, const void *handle) {
  for (struct object *object = objects; object; object = object->next)
    if (object == handle && object->kind == kind) return object;
  return nullptr;
}

void fake_delete(struct object *object) {
  for (struct object **link = &objects; *link; link = &(*link)->next)
    if (*link == object) {
      *link = object->next;
      fake_drop(&object->nodes);
      fake_drop(&object->late);
      free(object);
      return;
    }
}

struct object *fake_objects(void) { return objects; }

int fake_contains(const void *address, size_t bytes) {
  const unsigned char *start = address;
  for (struct object *object = objects; object; object = object->next)
    if (object->kind == MEMORY && start >= object->base && bytes <= object->size &&
        (size_t)(start - object->base) <= object->size - bytes)
      return 1;
  return 0;
}

unsigned char *fake_allocate(size_t bytes) {
  size_t all = (bytes + 2 * guard_bytes + 255) / 256 * 256;
  unsigned char *memory = aligned_alloc(256, all);
  if (!memory) return nullptr;
  memset(memory, guard, all);
  memset(memory + guard_bytes, garbage, bytes);
  return memory + guard_bytes;
}

void fake_free(struct object *memory) {
  memset(memory->base, freed, memory->size);
  free(memory->base - guard_bytes);
  fake_delete(memory);
}

int fake_check_guards(const char *culprit) {
  unsigned char intact[guard_bytes];
  memset(intact, guard, sizeof intact);
  int count = 0;
  for (struct object *object = objects; object; object = object->next) {
    if (object->kind != MEMORY) continue;
    unsigned char *sides[] = {object->base - guard_bytes, object->base + object->size};
    for (int side = 0; side < 2; side++) {
      if (memcmp(sides[side], intact, guard_bytes) == 0) continue;
      fake_complain("%s wrote %s an allocation of %zu bytes", culprit, side ? "behind" : "in front of", object->size);
      memcpy(sides[side], intact, guard_bytes);
      count++;
    }
  }
  return count;
}

/// Objects of a kind that are alive; all kinds but functions, which end with their module, for -1.
long fakecuda_live(int kind) {
  fake_lock();
  long count = 0;
  for (struct object *object = objects; object; object = object->next)
    count += kind < 0 ? object->kind != FUNCTION : (int)object->kind == kind;
  fake_unlock(nullptr);
  return count;
}

/// How often something was done that a GPU would not have noticed.
long fakecuda_damages(void) { return damages; }

__attribute__((destructor)) static void report(void) {
  fake_check_guards("somebody");
  char line[256];
  snprintf(line, sizeof line, "{\"call\":\"exit\",\"leaks\":%ld,\"damages\":%d}", fakecuda_live(-1), damages);
  log_line(line);
  for (int kind = 0; kind < KIND_COUNT && fake_option("REPORT", 0); kind++)
    if (kind != FUNCTION && fakecuda_live(kind) > 0)
      fprintf(stderr, "fakecuda: %ld %s leaked\n", fakecuda_live(kind), kinds[kind]);
}
