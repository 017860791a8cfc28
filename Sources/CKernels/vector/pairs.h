// What the units that multiply pairs of bf16 have in common: a block of sums, computed over all of K.
#ifndef CK_PAIRS_H
#define CK_PAIRS_H

#include "prelude.h"

/// Runs of contiguous k: rows of the left side, and a panel of the right. Of a convolution this is one line of a
/// source's kernel.
struct ck_kernel_line {
  const uint16_t *x;        // row 0's run; row r's is at x + r * row
  const uint16_t *weights;  // [run / 2][32][2], of panel 0
  long row;                 // elements
  long run;                 // elements, a multiple of RUN
  long columns;             // of the kernel, one after the other in the run; of neighbouring rows they overlap
  long panel;               // elements of the weights from a panel to the next
};

/// 32 x 32 sums: up to two tiles of 16 rows times one panel.
struct ck_block {
  const struct ck_kernel_line *lines;
  long count;         // of the kernel lines
  long panel;
  long start[2];      // the rows of the strip at which the tiles begin
  long rows[2];       // how many of a tile's 16 are wanted; the others may be computed as well
  int tiles, halves;  // tiles of rows, and halves of the panel that exist: 1 or 2
  const float *before;  // [32][32]: what the products are added to; NULL: nothing
  float *sums;        // [32][32]; elsewhere, if attempts may fail
  long index, blocks;  // which of the blocks that share the panel
  bool ahead;         // whether the next panel will be wanted
  long finish;        // how many rows of what is pending may be finished meanwhile
};

/// A unit may lose sums (MAY_FAIL), so blocks are multiplied in attempts: `begin_attempt()`, `multiply`, and again if
/// `attempt_failed()`. After so many nobody believes it any more.
enum { MOST_ATTEMPTS = 100 };

/// Counts what took several attempts. `lost`: its sums were known to be wrong at first.
void ck_note_repeated(bool lost);

/// A block that is computed but not stored.
struct pending;

/// Applies the epilogues to up to `rows` rows of a block and stores them. Units that wait for memory call it
/// while they wait.
CK_INLINE void finish_rows(struct pending *pending, long rows);

#endif
