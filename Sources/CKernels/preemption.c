// What tells threads that they lost their processor, and how often that mattered.
#define _GNU_SOURCE
#include "include/ck_preemption.h"

#if defined(__x86_64__)
#include <stdatomic.h>

#include "vector/pairs.h"
#include "vector/preemption.h"

long ck_sequence_offset;
static bool tells;

/// What a thread watches where the system does not tell.
static _Thread_local uint64_t untold __attribute__((tls_model("initial-exec")));

#if defined(__linux__) && __has_include(<sys/rseq.h>)
#include <dlfcn.h>
#include <sys/rseq.h>

/// Linux looks for its signature before the instruction where an interrupted sequence would go on.
static const uint32_t never[2] = {RSEQ_SIG};
/// Version and flags, the first instruction, how many bytes of them, where to go on.
const uint64_t ck_nowhere[4] __attribute__((aligned(32))) = {0, (uintptr_t)never, 1, (uintptr_t)(never + 1)};

/// Looked up, so that the program runs with an earlier C library, too.
static long sequence_offset(void) {
  const unsigned *size = dlsym(RTLD_DEFAULT, "__rseq_size");
  const ptrdiff_t *offset = dlsym(RTLD_DEFAULT, "__rseq_offset");
  tells = size && *size > 0 && offset;
  return tells ? *offset + (long)offsetof(struct rseq, rseq_cs) : 0;
}
#else
const uint64_t ck_nowhere[4];

static long sequence_offset(void) { return 0; }
#endif

// Before any other: until then the offset is that of something else.
__attribute__((constructor(101))) static void find_sequence(void) {
  ck_sequence_offset = sequence_offset();
  if (!tells) ck_sequence_offset = (char *)&untold - (char *)__builtin_thread_pointer();
}

int ck_tells_preemption(void) { return tells; }

static atomic_long repeated, repeated_and_lost;

void ck_note_repeated(bool lost) {
  atomic_fetch_add_explicit(&repeated, 1, memory_order_relaxed);
  if (lost) atomic_fetch_add_explicit(&repeated_and_lost, 1, memory_order_relaxed);
}

struct ck_repeated_products ck_repeated_products(void) {
  return (struct ck_repeated_products){
    .all = atomic_load_explicit(&repeated, memory_order_relaxed),
    .lost = atomic_load_explicit(&repeated_and_lost, memory_order_relaxed),
  };
}
#else
int ck_tells_preemption(void) { return 0; }

struct ck_repeated_products ck_repeated_products(void) { return (struct ck_repeated_products){0}; }
#endif
