// Runs kernels on the CPU: what emulated/*.cuh is made of.
//
// Every thread of a block is a fiber; one fiber runs at a time, and goes on until it has to wait. A warp runs until all
// its lanes are at a barrier, then the next does. What warps do together is done by the last lane to arrive. Blocks run
// one after the other. FAKECUDA_ORDER picks the order of lanes, warps and blocks: 0 forward, 1 backward, any other number
// is the seed of a shuffle.
//
// Stricter than a GPU, so that kernels which are right by luck fail here:
//
// - shared memory is NaNs before each block; so is the target of a copy from its issue until its own thread waits for it
// - a warp group's products read what has been copied, waited for and fenced; the operands must be the same when the
//   products are waited for as they were at the start, and until then the sums are NaNs
// - addresses, alignment, lanes that diverge or wait for ever, and (with UBSan) pointers, indices and sums of integers

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "emulated/machine.cuh"
#include "emulated/wgmma.cuh"
#include "emulator.h"

extern "C" {
#include "fake.h"
}

// The emulator runs without the fake driver, too.
#pragma weak fake_option
#pragma weak fake_objects

namespace {

enum : unsigned { ADDRESS = 1024, GUARD = 4096, STACK = 128 << 10, STAGGER = 64 * 17, CANARY = 64 };
enum : int { ALL_NAN = 0xff, UNTOUCHED = 0xfb };

enum What : int { NOTHING, WARP_BARRIER, SHUFFLE, LOAD, MULTIPLY, BEGIN, GROUP, COMMIT, WAIT };
const char *const whats[] = {
  "", "__syncwarp", "shuffle", "load_matrices", "multiply", "products_begin", "multiply_group", "products_commit",
  "products_wait",
};

template <typename T> struct List {
  T *items;
  unsigned count, capacity;
  T *add() {
    if (count == capacity) {
      capacity = capacity ? 2 * capacity : 16;
      items = (T *)realloc(items, capacity * sizeof(T));
      if (!items) abort();
    }
    return &items[count++];
  }
  void drop(unsigned n) {
    memmove((void *)items, items + n, (count - n) * sizeof(T));
    count -= n;
  }
};

struct Copy {
  unsigned to;
  const void *from;  // null: zeros
};

struct Warp;

struct Fiber {
  void *sp;
  uint3 index;
  unsigned lane;
  Warp *warp;
  List<Copy> copies;
  List<unsigned> groups;    // how many copies there were at each commit
  unsigned waited, fenced;  // copies
  char *stack;
};

// A product of a warp group, as far as one warp is concerned; operands as they were when it began.
struct Product {
  uint64_t a, b;
  int sums, columns;
  bool bf16;
  unsigned char lines[(16 + 160) * 32];
};

// The sums of products that run: 16 rows of a warp.
struct Accumulator {
  float *registers[32];
  int columns;
  float value[16][160];
};

struct Warp {
  uint32_t ready, alive, waiting;  // lanes that can run, that have not returned, that are at the block's barrier
  uint32_t arrived;
  What what;
  void *arguments[32];
  unsigned first;  // thread
  bool begun;
  List<Product> products;
  List<unsigned> commits;
  Accumulator accumulators[4];
  int accumulator_count;
};

Fiber fibers[1024];
Warp warps[32];
Fiber *current;
const emulated_kernel *kernel;
const void *kernel_parameters;
unsigned thread_count, warp_count, shared_bytes;
char *shared, *fenced_view;  // what threads see, and what products see
void *scheduler_sp;
uint32_t seed;  // of the shuffle; 0: none
bool backward;
bool breaks_groups;  // their products are wrong
emulated_kernel *kernels;
struct {
  const char *begin, *end;
} ranges[8];
unsigned range_count, range_next;

extern "C" {
extern char __start_static_shared[] __attribute__((weak, visibility("hidden")));
extern char __stop_static_shared[] __attribute__((weak, visibility("hidden")));
}

__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...) {
  fprintf(
    stderr, "emulator: %s, block (%u, %u, %u)", kernel ? kernel->name : "", blockIdx.x, blockIdx.y, blockIdx.z);
  if (current) fprintf(stderr, ", thread (%u, %u, %u)", current->index.x, current->index.y, current->index.z);
  fprintf(stderr, ": ");
  __builtin_va_list arguments;
  __builtin_va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  __builtin_va_end(arguments);
  fprintf(stderr, "\n");
  abort();
}

long option(const char *name, const char *variable, long otherwise) {
  if (fake_option) return fake_option(name, otherwise);
  const char *text = getenv(variable);
  return text && *text ? strtol(text, nullptr, 10) : otherwise;
}

uint32_t random_number() {
  seed ^= seed << 13;
  seed ^= seed >> 17;
  seed ^= seed << 5;
  return seed;
}

unsigned pick(uint32_t mask) {
  if (backward) return 31 - (unsigned)__builtin_clz(mask);
  if (!seed) return (unsigned)__builtin_ctz(mask);
  const unsigned turn = random_number() >> 11 & 31;
  return ((unsigned)__builtin_ctz(mask >> turn | mask << (-turn & 31)) + turn) & 31;
}

}

// MARK: Fibers

#ifdef __x86_64__
extern "C" __attribute__((visibility("hidden"))) void emulated_switch(void **from, void *to);
asm(R"(
  .text
  .p2align 4
  .hidden emulated_switch
  .globl emulated_switch
  .type emulated_switch, @function
emulated_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  retq
  .size emulated_switch, . - emulated_switch
)");

static void *prepare(char *stack, void (*start)()) {
  void **sp = (void **)(stack + STACK - 64);
  memset(sp, 0, 64);
  sp[6] = (void *)start;
  return sp;
}
#else
#include <ucontext.h>
static void emulated_switch(void **from, void *to) {
  ucontext_t here;
  *from = &here;
  swapcontext(&here, (ucontext_t *)to);
}
static void *prepare(char *stack, void (*start)()) {
  ucontext_t *context = (ucontext_t *)(stack + STACK - (sizeof *context + 63) / 64 * 64);
  getcontext(context);
  context->uc_stack.ss_sp = stack + CANARY;
  context->uc_stack.ss_size = (size_t)((char *)context - stack - CANARY);
  context->uc_link = nullptr;
  makecontext(context, start, 0);
  return context;
}
#endif

namespace {

// Runs others until the calling fiber is picked again.
void leave(bool warp_too) {
  Fiber *self = current;
  Warp *warp = self->warp;
  if (warp->ready && !warp_too) {
    Fiber *next = &fibers[warp->first + pick(warp->ready)];
    if (next == self) return;
    current = next;
    emulated_switch(&self->sp, next->sp);
  } else {
    emulated_switch(&self->sp, scheduler_sp);
  }
  threadIdx = self->index;
}

void start() {
  threadIdx = current->index;
  kernel->run(kernel_parameters);
  Warp *warp = current->warp;
  warp->ready &= ~(1u << current->lane);
  warp->alive &= ~(1u << current->lane);
  leave(false);
  abort();
}

// Every lane arrives with its argument; the last one does the work for all.
void together(What what, void *argument, void (*work)(Warp &, unsigned lane)) {
  Warp &warp = *current->warp;
  const uint32_t bit = 1u << current->lane;
  if (warp.arrived && warp.what != what) fail("lanes of a warp diverge: %s and %s", whats[warp.what], whats[what]);
  warp.what = what;
  warp.arguments[current->lane] = argument;
  warp.arrived |= bit;
  if (warp.arrived != 0xffffffff) {
    warp.ready &= ~bit;
    leave(false);
    return;
  }
  warp.arrived = 0;
  warp.ready = 0xffffffff;
  if (work) work(warp, current->lane);
  if (seed && random_number() % 32 == 0) leave(true);
}

void report_deadlock() {
  current = nullptr;
  fprintf(stderr, "emulator: threads wait for ever\n");
  for (unsigned w = 0; w < warp_count; w++) {
    const Warp &warp = warps[w];
    fprintf(
      stderr, "emulator: warp %u: lanes %08x returned, %08x at __syncthreads, %08x at %s\n", w, ~warp.alive, warp.waiting,
      warp.arrived, warp.arrived ? whats[warp.what] : "nothing");
  }
  fail("deadlock");
}

void run_threads() {
  for (;;) {
    uint32_t ready = 0, alive = 0;
    bool waits = true;
    for (unsigned w = 0; w < warp_count; w++) {
      if (warps[w].ready) ready |= 1u << w;
      alive |= warps[w].alive;
      waits = waits && warps[w].waiting == warps[w].alive;
    }
    if (!alive) return;
    if (ready) {
      Warp &warp = warps[pick(ready)];
      current = &fibers[warp.first + pick(warp.ready)];
      emulated_switch(&scheduler_sp, current->sp);
      continue;
    }
    if (!waits) report_deadlock();
    for (unsigned w = 0; w < warp_count; w++) {
      warps[w].ready = warps[w].waiting;
      warps[w].waiting = 0;
    }
  }
}

void run_block(uint3 block) {
  blockIdx = block;
  memset(shared - GUARD, UNTOUCHED, GUARD);
  memset(shared, ALL_NAN, shared_bytes);
  memset(shared + shared_bytes, UNTOUCHED, GUARD);
  if (kernel->wgmma) memset(fenced_view, ALL_NAN, shared_bytes);
  if (__start_static_shared)
    memset(__start_static_shared, ALL_NAN, (size_t)(__stop_static_shared - __start_static_shared));
  for (unsigned w = 0; w < warp_count; w++) {
    Warp &warp = warps[w];
    const unsigned lanes = thread_count - w * 32 < 32 ? thread_count - w * 32 : 32;
    warp.first = w * 32;
    warp.ready = warp.alive = lanes == 32 ? 0xffffffff : (1u << lanes) - 1;
    warp.waiting = warp.arrived = 0;
    warp.begun = false;
    warp.products.count = warp.commits.count = 0;
    warp.accumulator_count = 0;
  }
  for (unsigned i = 0; i < thread_count; i++) {
    Fiber &fiber = fibers[i];
    fiber.index = {i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y};
    fiber.lane = i % 32;
    fiber.warp = &warps[i / 32];
    fiber.copies.count = fiber.groups.count = fiber.waited = fiber.fenced = 0;
    if (!fiber.stack) {
      char *memory = (char *)mmap(
        nullptr, STACK + 64 * STAGGER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (memory == MAP_FAILED) abort();
      // Not all in the same lines of the cache.
      fiber.stack = memory + i % 64 * STAGGER;
      memset(fiber.stack, UNTOUCHED, CANARY);
    }
    fiber.sp = prepare(fiber.stack, start);
  }
  run_threads();
  current = nullptr;
  for (unsigned i = 0; i < thread_count; i++)
    for (unsigned j = 0; j < CANARY; j++)
      if ((unsigned char)fibers[i].stack[j] != UNTOUCHED) fail("the stack of thread %u is too small", i);
  for (unsigned i = 0; i < GUARD; i++)
    if ((unsigned char)shared[-1 - (long)i] != UNTOUCHED || (unsigned char)shared[shared_bytes + i] != UNTOUCHED)
      fail("something was written outside of the %u bytes of shared memory", shared_bytes);
  for (unsigned w = 0; w < warp_count; w++)
    if (warps[w].products.count) fail("warp %u has not waited for its products", w);
}

// The offset in shared memory; aborts when the bytes are not in it.
unsigned checked(uint64_t address, unsigned bytes, unsigned alignment, const char *what) {
  const uint64_t offset = address - ADDRESS;
  if (address < ADDRESS || offset > shared_bytes || shared_bytes - offset < bytes)
    fail("%s: %u bytes at %ld are outside of the %u bytes of shared memory", what, bytes, (long)offset, shared_bytes);
  if (offset % alignment) fail("%s: %ld is no multiple of %u", what, (long)offset, alignment);
  return (unsigned)offset;
}

// Copies may read the fake driver's memory only.
void check_source(const char *p) {
  for (unsigned i = 0; i < range_count; i++)
    if (p >= ranges[i].begin && p + 16 <= ranges[i].end) return;
  for (const struct object *object = fake_objects(); object; object = object->next) {
    const char *begin = (const char *)object->base;
    if ((object->kind != MEMORY && object->kind != PINNED) || p < begin || p + 16 > begin + object->size) continue;
    ranges[range_next] = {begin, begin + object->size};
    range_next = (range_next + 1) % 8;
    if (range_count < 8) range_count++;
    return;
  }
  fail("copy_async reads %p, which is outside of the device's memory", (const void *)p);
}

void do_copy(char *view, const Copy &copy) {
  if (copy.from) {
    memcpy(view + copy.to, copy.from, 16);
  } else {
    memset(view + copy.to, 0, 16);
  }
}

inline float widen(unsigned short bits, bool bf16) {
  if (bf16) return __uint_as_float((unsigned)bits << 16);
  const unsigned magnitude = bits & 0x7fffu;
  const float value = __uint_as_float(magnitude << 13) * 0x1p112f;
  const unsigned special = magnitude >= 0x7c00 ? 0x7f800000 : 0;
  return __uint_as_float(__float_as_uint(value) | special | (bits & 0x8000u) << 16);
}

typedef float Eight __attribute__((vector_size(32), aligned(4)));

}

// MARK: What warps do

void emulated_barrier() {
  Warp &warp = *current->warp;
  const uint32_t bit = 1u << current->lane;
  warp.ready &= ~bit;
  warp.waiting |= bit;
  leave(false);
}

void emulated_warp_barrier() { together(WARP_BARRIER, nullptr, nullptr); }

unsigned emulated_shuffle(unsigned bits, unsigned lane) {
  struct Argument {
    unsigned bits, lane, result;
  } argument = {bits, lane & 31, 0};
  together(SHUFFLE, &argument, [](Warp &warp, unsigned) {
    for (void *argument : warp.arguments)
      ((Argument *)argument)->result = ((Argument *)warp.arguments[((Argument *)argument)->lane])->bits;
  });
  return argument.result;
}

unsigned emulated_shared_address(const void *p) {
  const uint64_t address = (uint64_t)((const char *)p - shared) + ADDRESS;
  checked(address, 0, 1, "shared_address");
  return (unsigned)address;
}

void emulated_load_matrices(unsigned *r, unsigned address, bool transposed) {
  struct Argument {
    unsigned *r, offset;
    bool transposed;
  } argument = {r, checked(address, 16, 16, "load_matrices"), transposed};
  together(LOAD, &argument, [](Warp &warp, unsigned first) {
    unsigned short lines[32][8];
    for (int i = 0; i < 32; i++) memcpy(lines[i], shared + ((Argument *)warp.arguments[i])->offset, 16);
    const bool transposed = ((Argument *)warp.arguments[first])->transposed;
    for (int i = 0; i < 32; i++) {
      Argument &lane = *(Argument *)warp.arguments[i];
      if (lane.transposed != transposed) fail("lanes of a warp diverge: load_matrices and load_matrices_transposed");
      const int row = i / 4, column = i % 4 * 2;
      for (int j = 0; j < 4; j++)
        lane.r[j] = transposed ? lines[8 * j + column][row] | (unsigned)lines[8 * j + column + 1][row] << 16
                               : lines[8 * j + row][column] | (unsigned)lines[8 * j + row][column + 1] << 16;
    }
  });
}

namespace {

struct Fragments {
  float *d;
  const unsigned *a;
  unsigned b0, b1;
};

template <bool bf16> void multiply(Warp &warp, unsigned) {
  unsigned short a_bits[16][16], b_bits[16][8];
  float a[16][16], b[16][8], d[16][8];
  for (int i = 0; i < 32; i++) {
    const Fragments &lane = *(Fragments *)warp.arguments[i];
    const int row = i / 4, pair = i % 4 * 2;
    memcpy(&a_bits[row][pair], &lane.a[0], 4);
    memcpy(&a_bits[row + 8][pair], &lane.a[1], 4);
    memcpy(&a_bits[row][pair + 8], &lane.a[2], 4);
    memcpy(&a_bits[row + 8][pair + 8], &lane.a[3], 4);
    b_bits[pair][row] = (unsigned short)lane.b0;
    b_bits[pair + 1][row] = (unsigned short)(lane.b0 >> 16);
    b_bits[pair + 8][row] = (unsigned short)lane.b1;
    b_bits[pair + 9][row] = (unsigned short)(lane.b1 >> 16);
    memcpy(&d[row][pair], &lane.d[0], 8);
    memcpy(&d[row + 8][pair], &lane.d[2], 8);
  }
  for (int i = 0; i < 256; i++) a[0][i] = widen(a_bits[0][i], bf16);
  for (int i = 0; i < 128; i++) b[0][i] = widen(b_bits[0][i], bf16);
  for (int row = 0; row < 16; row++) {
    Eight sum = {};
    for (int k = 0; k < 16; k++) sum += a[row][k] * *(const Eight *)b[k];
    *(Eight *)d[row] += sum;
  }
  for (int i = 0; i < 32; i++) {
    const Fragments &lane = *(Fragments *)warp.arguments[i];
    memcpy(&lane.d[0], &d[i / 4][i % 4 * 2], 8);
    memcpy(&lane.d[2], &d[i / 4 + 8][i % 4 * 2], 8);
  }
}

}

void emulated_multiply(float *d, const unsigned *a, unsigned b0, unsigned b1, bool bf16) {
  Fragments argument = {d, a, b0, b1};
  together(MULTIPLY, &argument, bf16 ? multiply<true> : multiply<false>);
}

// MARK: Copies

void emulated_copy(unsigned to, const void *from, bool valid) {
  Fiber &fiber = *current;
  const unsigned offset = checked(to, 16, 16, "copy_async");
  if (valid && (uintptr_t)from % 16) fail("copy_async reads %p, which is no multiple of 16", from);
  if (valid && fake_objects) check_source((const char *)from);
  // Until it is done, nobody can tell what is there.
  memset(shared + offset, ALL_NAN, 16);
  if (kernel->wgmma) memset(fenced_view + offset, ALL_NAN, 16);
  *fiber.copies.add() = {offset, valid ? from : nullptr};
}

void emulated_copy_commit() { *current->groups.add() = current->copies.count; }

void emulated_copy_wait(unsigned groups) {
  Fiber &fiber = *current;
  if (fiber.groups.count <= groups) return;
  const unsigned done = fiber.groups.count - groups;
  for (const unsigned end = fiber.groups.items[done - 1]; fiber.waited < end; fiber.waited++)
    do_copy(shared, fiber.copies.items[fiber.waited]);
  fiber.groups.drop(done);
  const unsigned past = kernel->wgmma ? fiber.fenced : fiber.waited;
  if (past < 64) return;
  fiber.copies.drop(past);
  for (unsigned i = 0; i < fiber.groups.count; i++) fiber.groups.items[i] -= past;
  fiber.waited -= past;
  fiber.fenced = kernel->wgmma ? 0 : fiber.waited;
}

void emulated_order_copies() {
  Fiber &fiber = *current;
  for (; fiber.fenced < fiber.waited; fiber.fenced++) do_copy(fenced_view, fiber.copies.items[fiber.fenced]);
}

// MARK: Products of warp groups

namespace {

// Lines of 32 bytes out of swizzled ones of 128.
void gather(unsigned char *to, uint64_t descriptor, int first, int count) {
  const unsigned start = (unsigned)(descriptor & 0x3fff) << 4, group = (unsigned)(descriptor >> 32 & 0x3fff) << 4;
  if (descriptor >> 62 != 1 || (descriptor >> 49 & 7) != 0 || (start & 0x380) != 0 || start % 32 != 0)
    fail("multiply_group: no operand in swizzled lines of 128 bytes: %llx", (unsigned long long)descriptor);
  for (int line = first; line < first + count; line++)
    for (unsigned piece = 0; piece < 2; piece++, to += 16) {
      const unsigned address = start + (unsigned)line / 8 * group + (unsigned)line % 8 * 128 + piece * 16;
      const unsigned offset = checked(address ^ (address >> 3 & 0x70), 16, 16, "multiply_group");
      memcpy(to, fenced_view + offset, 16);
    }
}

void operands(unsigned char *to, const Warp &warp, const Product &product) {
  gather(to, product.a, (int)(warp.first / 32 % 4 * 16), 16);
  gather(to + 16 * 32, product.b, 0, product.columns);
}

void run_product(Warp &warp, const Product &product) {
  unsigned char now[sizeof product.lines];
  operands(now, warp, product);
  if (memcmp(now, product.lines, (size_t)(16 + product.columns) * 32) != 0)
    fail("multiply_group: operands changed before the products were waited for");
  unsigned short bits[16 + 160][16];
  memcpy(bits, now, sizeof now);
  float a[16][16], b[16][160];
  for (int row = 0; row < 16; row++)
    for (int k = 0; k < 16; k++) a[row][k] = widen(bits[row][k], product.bf16);
  for (int k = 0; k < 16; k++)
    for (int column = 0; column < product.columns; column++) b[k][column] = widen(bits[16 + column][k], product.bf16);
  Accumulator &sums = warp.accumulators[product.sums];
  for (int row = 0; row < 16; row++)
    for (int column = 0; column < product.columns; column += 16) {
      Eight low = {}, high = {};
      for (int k = 0; k < 16; k++) {
        low += a[row][k] * *(const Eight *)&b[k][column];
        high += a[row][k] * *(const Eight *)&b[k][column + 8];
      }
      *(Eight *)&sums.value[row][column] += low;
      *(Eight *)&sums.value[row][column + 8] += high;
    }
  if (breaks_groups) sums.value[15][product.columns - 1] += 1;
}

// Between the registers of the lanes and the matrix.
template <bool out> void exchange(Accumulator &sums) {
  for (int lane = 0; lane < 32; lane++) {
    float *registers = sums.registers[lane];
    for (int r = 0; r < sums.columns / 2; r += 2) {
      float *at = &sums.value[lane / 4 + r / 2 % 2 * 8][r / 4 * 8 + lane % 4 * 2];
      if (out) {
        for (int i = 0; i < 2; i++)
          if (__float_as_uint(registers[r + i]) != 0xffffffff) fail("sums changed before products_wait");
        memcpy(registers + r, at, 8);
      } else {
        memcpy(at, registers + r, 8);
        memset(registers + r, ALL_NAN, 8);
      }
    }
  }
}

struct GroupArgument {
  float *d;
  int registers;
  uint64_t a, b;
  bool bf16;
};

}

void emulated_products_begin() {
  together(BEGIN, nullptr, [](Warp &warp, unsigned) { warp.begun = true; });
}

void emulated_multiply_group(float *d, int registers, unsigned long long a, unsigned long long b, bool bf16) {
  GroupArgument argument = {d, registers, a, b, bf16};
  together(GROUP, &argument, [](Warp &warp, unsigned) {
    if (!warp.begun) fail("multiply_group without products_begin");
    const GroupArgument &first = *(GroupArgument *)warp.arguments[0];
    int index = 0;
    while (index < warp.accumulator_count && warp.accumulators[index].registers[0] != first.d) index++;
    Accumulator &sums = warp.accumulators[index];
    const bool fresh = index == warp.accumulator_count;
    if (fresh) {
      if (index == 4) fail("multiply_group: more than four sums at a time");
      warp.accumulator_count++;
      sums.columns = first.registers * 2;
    }
    for (int i = 0; i < 32; i++) {
      const GroupArgument &lane = *(GroupArgument *)warp.arguments[i];
      if (lane.a != first.a || lane.b != first.b || lane.registers * 2 != sums.columns || lane.bf16 != first.bf16)
        fail("multiply_group: lanes of a warp disagree");
      if (!fresh && sums.registers[i] != lane.d) fail("multiply_group: lanes of a warp have other sums");
      sums.registers[i] = lane.d;
    }
    if (fresh) exchange<false>(sums);
    Product &product = *warp.products.add();
    product.a = first.a;
    product.b = first.b;
    product.bf16 = first.bf16;
    product.sums = index;
    product.columns = sums.columns;
    operands(product.lines, warp, product);
  });
}

void emulated_products_commit() {
  together(COMMIT, nullptr, [](Warp &warp, unsigned) {
    warp.begun = false;
    *warp.commits.add() = warp.products.count;
  });
}

void emulated_products_wait(unsigned groups) {
  together(WAIT, &groups, [](Warp &warp, unsigned lane) {
    const unsigned groups = *(unsigned *)warp.arguments[lane];
    if (warp.commits.count <= groups) return;
    const unsigned done = warp.commits.count - groups, count = warp.commits.items[done - 1];
    for (unsigned i = 0; i < count; i++) run_product(warp, warp.products.items[i]);
    warp.products.drop(count);
    warp.commits.drop(done);
    for (unsigned i = 0; i < warp.commits.count; i++) warp.commits.items[i] -= count;
    if (warp.products.count) return;
    for (int i = 0; i < warp.accumulator_count; i++) exchange<true>(warp.accumulators[i]);
    warp.accumulator_count = 0;
  });
}

// MARK: Launches

uint3 threadIdx, blockIdx, blockDim, gridDim;
char *emulated_shared;

emulated_kernel::emulated_kernel(const char *name, void (*run)(const void *), long bytes, bool wgmma)
    : name(name), run(run), bytes(bytes), wgmma(wgmma), next(kernels) {
  kernels = this;
}

static const emulated_kernel *find(const char *name) {
  for (const emulated_kernel *kernel = kernels; kernel; kernel = kernel->next)
    if (strcmp(kernel->name, name) == 0 && (!kernel->wgmma || option("SM", "FAKECUDA_SM", 90) == 90)) return kernel;
  return nullptr;
}

long emulated_parameter_bytes(const char *name) {
  const emulated_kernel *kernel = find(name);
  return kernel ? kernel->bytes : -1;
}

int emulate_launch(
    const char *name, const unsigned grid[3], const unsigned block[3], unsigned bytes, const void *parameters) {
  kernel = find(name);
  if (!kernel) return 1;
  breaks_groups = option("WGMMA", "FAKECUDA_WGMMA", 1) == 0;
  const long order = option("ORDER", "FAKECUDA_ORDER", 0);
  backward = order == 1;
  seed = order > 1 ? (uint32_t)order * 2654435761u | 1 : 0;
  kernel_parameters = parameters;
  gridDim = {grid[0], grid[1], grid[2]};
  blockDim = {block[0], block[1], block[2]};
  thread_count = block[0] * block[1] * block[2];
  if (thread_count == 0 || thread_count > 1024) return 1;
  warp_count = (thread_count + 31) / 32;
  shared_bytes = bytes;
  range_count = range_next = 0;

  const size_t size = (size_t)(bytes + 1023) / 1024 * 1024 + 2 * GUARD;
  char *memory = (char *)aligned_alloc(4096, (size + 4095) / 4096 * 4096);
  fenced_view = (char *)malloc(bytes + 1);
  if (!memory || !fenced_view) abort();
  emulated_shared = shared = memory + GUARD;

  // Block i * step + shift: all of them, as the step has no divisor in common with their number.
  const uint64_t count = (uint64_t)grid[0] * grid[1] * grid[2];
  uint64_t step = 1, shift = 0;
  if (backward) step = count - 1, shift = count - 1;
  if (seed) {
    shift = random_number();
    for (step = random_number() % count + 1;; step++) {
      uint64_t a = step, b = count;
      while (b) {
        const uint64_t rest = a % b;
        a = b;
        b = rest;
      }
      if (a == 1) break;
    }
  }
  for (uint64_t i = 0; i < count; i++) {
    const uint64_t index = (i * step + shift) % count;
    run_block({(unsigned)(index % grid[0]), (unsigned)(index / grid[0] % grid[1]), (unsigned)(index / grid[0] / grid[1])});
  }
  free(memory);
  free(fenced_view);
  return 0;
}

// MARK: UBSan's handlers

#define UBSAN(name, text) \
  extern "C" __attribute__((visibility("hidden"))) void __ubsan_handle_##name##_minimal_abort() { fail(text); }
UBSAN(type_mismatch, "a pointer that is not aligned as its type")
UBSAN(alignment_assumption, "a pointer that is not aligned as its type")
UBSAN(out_of_bounds, "an index outside of its array")
UBSAN(add_overflow, "a sum of integers overflows")
UBSAN(sub_overflow, "a difference of integers overflows")
UBSAN(mul_overflow, "a product of integers overflows")
UBSAN(negate_overflow, "a negated integer overflows")
UBSAN(divrem_overflow, "division by zero")
UBSAN(shift_out_of_bounds, "a shift by too much")
