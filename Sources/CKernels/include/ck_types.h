/// Types that all kernel families share.
#ifndef CK_TYPES_H
#define CK_TYPES_H

#include <stddef.h>
#include <stdint.h>

/// Element types. Kernels take f32, f16 and bf16; the integer types are ids of `ck_gather`, or sources of
/// `ck_convert`.
enum ck_dtype : int32_t { CK_F32 = 0, CK_F16 = 1, CK_BF16 = 2, CK_I32 = 3, CK_I64 = 4 };

/// Bytes of one element.
size_t ck_dtype_size(enum ck_dtype dtype);

/// Functions of one number that a kernel may apply before it stores.
enum ck_activation : int32_t {
  CK_NONE = 0,
  CK_SILU = 1,        ///< x / (1 + exp(-x))
  CK_GELU = 2,        ///< x * Phi(x), the exact form with erf
  CK_QUICK_GELU = 3,  ///< x / (1 + exp(-1.702 x))
};

/// The one signature of a kernel. `arguments` points to the struct that the kernel's documentation names,
/// `part` counts from 0 to `parts` - 1, `parts` must be what the family's `..._parts` function says for
/// these arguments, and `scratch` is this thread's own memory: at least `..._scratch` bytes, 64-byte
/// aligned, NULL where that is 0.
typedef void ck_function(const void *arguments, long part, long parts, void *scratch);

#endif
