/// Threads. The only functions of CKernels that start any (libomp's, kept between calls).
#ifndef CK_PARALLEL_H
#define CK_PARALLEL_H

#include "ck_types.h"

/// Processors this process may run on, at least 1.
int ck_processors(void);

/// Calls `body(context, part, thread)` once for every part in 0..<parts; parts are taken in rising order,
/// each by the next free thread. 0 <= thread < threads, and never more than one call at a time has the same
/// `thread`. With threads <= 1 or parts <= 1 everything runs on the caller. Returns when all are done.
void ck_parallel(int threads, long parts, void (*body)(void *context, long part, int thread), void *context);

/// Runs all parts of one kernel. Thread t has scratch + t * scratch_stride to itself: `scratch` holds
/// threads * scratch_stride bytes (scratch_stride a multiple of 64).
void ck_run(
  ck_function *function, const void *arguments, long parts, int threads, void *scratch,
  size_t scratch_stride);

#endif
