// Threads: the one file that knows of them. libomp keeps its workers between calls; parts are handed out
// one at a time.
#include "include/ck_parallel.h"

// The toolchain ships no omp.h.
extern int omp_get_thread_num(void);
extern int omp_get_num_procs(void);

int ck_processors(void) {
  const int n = omp_get_num_procs();
  return n < 1 ? 1 : n;
}

void ck_parallel(int threads, long parts, void (*body)(void *context, long part, int thread), void *context) {
  if (threads > parts) threads = (int)parts;
  if (threads <= 1) {
    for (long part = 0; part < parts; part++) body(context, part, 0);
    return;
  }
  // A counter of our own: schedule(dynamic) makes the compiler call entry points that older libomps lack.
  long next = 0;
#pragma omp parallel num_threads(threads)
  for (long part; (part = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED)) < parts;)
    body(context, part, omp_get_thread_num());
}

struct run {
  ck_function *function;
  const void *arguments;
  long parts;
  char *scratch;
  size_t scratch_stride;
};

static void run_part(void *context, long part, int thread) {
  const struct run *r = context;
  void *scratch = r->scratch ? r->scratch + (size_t)thread * r->scratch_stride : NULL;
  r->function(r->arguments, part, r->parts, scratch);
}

void ck_run(
  ck_function *function, const void *arguments, long parts, int threads, void *scratch, size_t scratch_stride)
{
  struct run r = {function, arguments, parts, scratch, scratch_stride};
  ck_parallel(threads, parts, run_part, &r);
}
