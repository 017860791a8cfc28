// Whether this thread lost its processor for a while, at the price of a store and a load.
//
// Linux sets `rseq_cs` to NULL when it resumes a thread that was preempted, moved or given a signal outside of the
// restartable sequence that it names (linux/rseq.h). The one named here is nowhere. A thread that waits in a system
// call need not be told, so none is made while watching. The C library registers every thread's `struct rseq` (glibc
// from 2.35 on, linked dynamically).
#ifndef CK_VECTOR_PREEMPTION_H
#define CK_VECTOR_PREEMPTION_H

#include "prelude.h"

/// A struct rseq_cs in which no instruction is.
extern const uint64_t ck_nowhere[4] __attribute__((visibility("hidden")));

/// Bytes from where a thread's own memory begins to its `rseq_cs`; to a word that stays as it is where there is none.
extern long ck_sequence_offset __attribute__((visibility("hidden")));

CK_INLINE volatile uint64_t *watched_sequence(void) {
  return (volatile uint64_t *)((char *)__builtin_thread_pointer() + ck_sequence_offset);
}

/// From here on.
CK_INLINE void watch_thread(void) {
  *watched_sequence() = (uintptr_t)ck_nowhere;
  __asm__ volatile("" ::: "memory");
}

/// Whether it happened. Never where the system does not tell.
CK_INLINE bool was_preempted(void) {
  __asm__ volatile("" ::: "memory");
  return *watched_sequence() != (uintptr_t)ck_nowhere;
}

CK_INLINE void stop_watching(void) { *watched_sequence() = 0; }

#endif
