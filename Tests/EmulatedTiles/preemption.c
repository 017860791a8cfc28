// Threads that watch themselves by Sources/CKernels/vector/preemption.h.
#define _GNU_SOURCE
#include <CKernels.h>

#include "EmulatedTiles.h"

#if defined(__x86_64__)
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "../../Sources/CKernels/vector/preemption.h"

int is_told_of_nothing(void) {
  if (!ck_tells_preemption()) return -1;
  watch_thread();
  const bool told = was_preempted();
  stop_watching();
  return told;
}

struct contest {
  double end;
  atomic_bool over;
  int told;
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *watch(void *contest) {
  struct contest *c = contest;
  watch_thread();
  while (!was_preempted() && now() < c->end) {}
  c->told = was_preempted();
  stop_watching();
  c->over = true;
  return NULL;
}

static void *spin(void *contest) {
  struct contest *c = contest;
  while (!c->over && now() < c->end) {}
  return NULL;
}

int is_told_of_another(double seconds) {
  if (!ck_tells_preemption()) return -1;
  struct contest c = {.end = now() + seconds};
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(sched_getcpu(), &here);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setaffinity_np(&attributes, sizeof here, &here);
  pthread_t watching, spinning;
  const bool watches = pthread_create(&watching, &attributes, watch, &c) == 0;
  const bool spins = pthread_create(&spinning, &attributes, spin, &c) == 0;
  if (watches) pthread_join(watching, NULL);
  if (spins) pthread_join(spinning, NULL);
  pthread_attr_destroy(&attributes);
  return c.told;
}
#else
int is_told_of_nothing(void) { return -1; }
int is_told_of_another(double seconds) {
  (void)seconds;
  return -1;
}
#endif
