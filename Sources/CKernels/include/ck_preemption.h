/// Threads that lose their processor in the middle of a product on tiles: some virtual machines lose the tiles with it.
/// Such products are done again.
#ifndef CK_PREEMPTION_H
#define CK_PREEMPTION_H

/// Of all threads since the process began.
struct ck_repeated_products {
  long all;   ///< of convolutions 32 x 32 sums, of attention 32 queries with a block of keys, or its values
  long lost;  ///< those of convolutions whose sums were wrong before they were done again
};

struct ck_repeated_products ck_repeated_products(void);

/// 1 if the system tells threads that they lost their processor: Linux, and a C library that registers threads for it
/// (glibc from 2.35 on, linked dynamically). Otherwise nothing is done again.
int ck_tells_preemption(void);

#endif
