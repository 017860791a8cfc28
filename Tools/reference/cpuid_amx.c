// Answers for CPUID leaves 1DH and 1EH, which describe the tiles of AMX, where a virtual machine leaves them empty.
//
//     cc -O1 -shared -fPIC cpuid_amx.c -o cpuid_amx.so && LD_PRELOAD=./cpuid_amx.so python3 peers.py ...
//
// oneDNN, the library under PyTorch and OpenVINO, reads the shape of its tiles there. Of an empty leaf it makes a
// configuration without tiles, and its first tile instruction ends the process. So CPUID is made to fault in this
// process; the handler executes it, puts in what the architecture defines (palette 1: 8 tiles of 16 rows by 64 bytes,
// 16 by 64 bytes a product) and goes on behind it. Where the system cannot make CPUID fault nothing changes.
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef ARCH_SET_CPUID
#define ARCH_SET_CPUID 0x1012
#endif
#ifndef ARCH_REQ_XCOMP_PERM
#define ARCH_REQ_XCOMP_PERM 0x1023
#endif

struct registers {
  uint32_t a, b, c, d;
};

static long cpuid_runs(int yes) { return syscall(SYS_arch_prctl, ARCH_SET_CPUID, yes); }

static struct registers cpuid(uint32_t leaf, uint32_t subleaf) {
  struct registers r;
  __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(subleaf));
  return r;
}

static struct registers answer(uint32_t leaf, uint32_t subleaf) {
  if (leaf == 0x1d && subleaf == 0) return (struct registers){.a = 1};
  if (leaf == 0x1d && subleaf == 1) return (struct registers){.a = 1024 << 16 | 8192, .b = 8 << 16 | 64, .c = 16};
  if (leaf == 0x1e && subleaf == 0) return (struct registers){.b = 64 << 8 | 16};
  cpuid_runs(1);
  const struct registers r = cpuid(leaf, subleaf);
  cpuid_runs(0);
  return r;
}

static void on_fault(int signal, siginfo_t *info, void *context) {
  (void)info;
  greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
  const uint8_t *code = (const uint8_t *)r[REG_RIP];
  if (code[0] != 0x0f || code[1] != 0xa2) {
    // A fault of its own: the next one, at the same instruction, is not caught.
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigaction(signal, &plain, NULL);
    return;
  }
  const struct registers x = answer((uint32_t)r[REG_RAX], (uint32_t)r[REG_RCX]);
  r[REG_RAX] = x.a, r[REG_RBX] = x.b, r[REG_RCX] = x.c, r[REG_RDX] = x.d;
  r[REG_RIP] += 2;
}

__attribute__((constructor)) static void begin(void) {
  const long tile_data = 18;
  if (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, tile_data) != 0) return;
  const struct registers tiles = cpuid(0x1d, 1);
  if (tiles.a != 0) return;
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGSEGV, &action, NULL);
  cpuid_runs(0);
}
