// Answers for CPUID where a virtual machine does not: makes oneDNN, and so PyTorch and OpenVINO, find the tiles of AMX.
//
//     cc -O2 -shared -fPIC cpuid_amx.c -o cpuid_amx.so && LD_PRELOAD=$PWD/cpuid_amx.so python3 ...
//
// Some hypervisors let tiles through but answer zero for CPUID leaves 1DH and 1EH, which say how large tiles are. oneDNN
// believes them, configures a palette without tiles and dies at its first tile instruction. Linux can make CPUID itself
// fault (arch_prctl ARCH_SET_CPUID); the handler below then runs the instruction in the program's place and fills in
// the two leaves, whose values are the same on every processor with AMX.
//
// Nothing happens where the leaves are right already, or where the processor or the hypervisor cannot fault. peers.py
// compiles and preloads it, and only where there is AMX.
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

struct registers {
  unsigned a, b, c, d;
};

static struct registers cpuid(unsigned leaf, unsigned subleaf) {
  struct registers r;
  __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(subleaf));
  return r;
}

/// Whether CPUID runs or faults, in this thread and in those that it starts; false when that cannot be chosen.
static bool let_cpuid_run(bool runs) {
  enum { ARCH_SET_CPUID = 0x1012 };
  return syscall(SYS_arch_prctl, ARCH_SET_CPUID, runs) == 0;
}

/// What the processor answers, with the leaves of AMX filled in (Intel SDM volume 2, CPUID).
static struct registers answer(unsigned leaf, unsigned subleaf) {
  const unsigned palettes = 1;
  const unsigned tile_bytes = 1024, row_bytes = 64, tiles = 8, rows = 16;
  const unsigned most_k = 16, most_n_bytes = 64;
  if (leaf == 0x1D && subleaf == 0) return (struct registers){.a = palettes};
  if (leaf == 0x1D && subleaf == 1) {
    return (struct registers){.a = tile_bytes << 16 | tiles * tile_bytes, .b = tiles << 16 | row_bytes, .c = rows};
  }
  if (leaf == 0x1E && subleaf == 0) return (struct registers){.b = most_n_bytes << 8 | most_k};
  return cpuid(leaf, subleaf);
}

static void on_fault(int signal_number, siginfo_t *info, void *context) {
  (void)info;
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  const unsigned char *code = (const unsigned char *)registers[REG_RIP];
  if (code[0] != 0x0F || code[1] != 0xA2) {
    // Not CPUID: a fault of the program's own, which happens again when this returns and is fatal then.
    signal(signal_number, SIG_DFL);
    return;
  }
  let_cpuid_run(true);
  const struct registers r = answer((unsigned)registers[REG_RAX], (unsigned)registers[REG_RCX]);
  let_cpuid_run(false);
  registers[REG_RAX] = r.a;
  registers[REG_RBX] = r.b;
  registers[REG_RCX] = r.c;
  registers[REG_RDX] = r.d;
  registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void start(void) {
  const bool has_tiles = cpuid(7, 0).d & 1u << 24;
  if (!has_tiles || cpuid(0x1D, 1).c != 0) return;
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  struct sigaction before;
  sigaction(SIGSEGV, &action, &before);
  if (!let_cpuid_run(false)) sigaction(SIGSEGV, &before, NULL);
}
