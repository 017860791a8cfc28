// Everything the handler touches is a lock-free atomic or a path that was complete before its slot became live.

#include "ck_signals.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { slots = 32, path_size = 4096 };
enum { slot_free, slot_filling, slot_live };

static struct {
  atomic_int state;
  char path[path_size];
} temporaries[slots];

static atomic_int interruption;

static void handle(int number) {
  int none = 0;
  if (atomic_compare_exchange_strong(&interruption, &none, number)) return;
  for (int i = 0; i < slots; i++)
    if (atomic_load(&temporaries[i].state) == slot_live) unlink(temporaries[i].path);
  _exit(128 + number);
}

static void handle_bus_error(int number) {
  (void)number;
  static const char message[] = "a mapped file was cut short while it was read: copy it again\n";
  if (write(STDERR_FILENO, message, sizeof message - 1) < 0) _exit(3);
  _exit(3);
}

void ck_catch_signals(void) {
  struct sigaction bus;
  memset(&bus, 0, sizeof bus);
  bus.sa_handler = handle_bus_error;
  sigaction(SIGBUS, &bus, NULL);
  const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  for (int i = 0; i < 3; i++) {
    struct sigaction action, old;
    // nohup ignores SIGHUP and means it; a shell that ignores SIGINT for a background job does not mean `kill -INT`.
    if (sigaction(numbers[i], NULL, &old) != 0) continue;
    if (numbers[i] == SIGHUP && old.sa_handler == SIG_IGN) continue;
    memset(&action, 0, sizeof action);
    action.sa_handler = handle;
    action.sa_flags = SA_RESTART;
    sigaction(numbers[i], &action, NULL);
  }
}

int ck_interrupted(void) { return atomic_load(&interruption); }

int ck_temporary_add(const char *path) {
  size_t size = strlen(path) + 1;
  if (size > path_size) return -1;
  for (int i = 0; i < slots; i++) {
    int state = slot_free;
    if (!atomic_compare_exchange_strong(&temporaries[i].state, &state, slot_filling)) continue;
    memcpy(temporaries[i].path, path, size);
    atomic_store(&temporaries[i].state, slot_live);
    return i;
  }
  return -1;
}

void ck_temporary_remove(int slot) {
  if (slot >= 0) atomic_store(&temporaries[slot].state, slot_free);
}
