// exp2, exp, Phi and the activations on vectors of f32. NaN in, NaN out.
// Polynomials: weighted minimax fits (Lawson's iteration on Chebyshev nodes), errors as noted.
#ifndef CK_VECTOR_MATH_H
#define CK_VECTOR_MATH_H

/// Adding it rounds to a whole number, ties to even, for |x| < 2^22.
#define CK_ROUNDER 12582912.0f

/// 2^x for x <= 0, relative error about 1e-7 (polynomial 2e-9). The streamed softmax and Phi live here.
CK_INLINE vf vexp2_negative(vf x) {
  // The comparison is false for NaN, which stays.
  x = vselect(x < -200.0f, vsplat(-200.0f), x);
  const vf n = (x + CK_ROUNDER) - CK_ROUNDER, t = x - n;
  vf p = vsplat(0.00015353360504377633f);
  p = vfma(p, t, vsplat(0.0013398875016719103f));
  p = vfma(p, t, vsplat(0.00961843691766262f));
  p = vfma(p, t, vsplat(0.055503323674201965f));
  p = vfma(p, t, vsplat(0.24022647738456726f));
  p = vfma(p, t, vsplat(0.6931471824645996f));
  p = vfma(p, t, vsplat(1.0f));
  return vscale(p, n);
}

/// e^x, relative error about 1e-7 (polynomial 3e-9).
CK_INLINE vf vexp(vf x) {
  x = vselect(x < -110.0f, vsplat(-110.0f), x);
  x = vselect(x > 90.0f, vsplat(90.0f), x);
  const vf n = (x * 1.4426950408889634f + CK_ROUNDER) - CK_ROUNDER;
  // ln 2 in two pieces; the first has 9 bits, so its product with n is exact.
  vf t = vfma(n, vsplat(-0.693359375f), x);
  t = vfma(n, vsplat(2.12194440e-4f), t);
  vf p = vsplat(0.0013814610429108143f);
  p = vfma(p, t, vsplat(0.008368710055947304f));
  p = vfma(p, t, vsplat(0.04166838899254799f));
  p = vfma(p, t, vsplat(0.1666652113199234f));
  p = vfma(p, t, vsplat(0.4999999403953552f));
  p = vfma(p, t * t, t) + 1.0f;
  return vscale(p, n);
}

/// Distribution function of the normal law: log2 Phi(-t) as a polynomial on [0, 5.5] (relative error of Phi
/// 1.4e-7, of the whole below 1e-6 for t < 4) that keeps falling beyond, to 0.
CK_INLINE vf vphi(vf x) {
  const vf t = vbits((vi)x & 0x7fffffff);
  vf p = vsplat(-1.8242134913748487e-08f);
  p = vfma(p, t, vsplat(5.753845471190289e-07f));
  p = vfma(p, t, vsplat(-7.78750836616382e-06f));
  p = vfma(p, t, vsplat(5.702749695046805e-05f));
  p = vfma(p, t, vsplat(-0.00020931518520228565f));
  p = vfma(p, t, vsplat(-0.0001539108343422413f));
  p = vfma(p, t, vsplat(0.007145897019654512f));
  p = vfma(p, t, vsplat(-0.052583541721105576f));
  p = vfma(p, t, vsplat(-0.4591720700263977f));
  p = vfma(p, t, vsplat(-1.1511098146438599f));
  p = vfma(p, t, vsplat(-1.0f));
  const vf lower = vexp2_negative(p);
  return vselect(x < 0.0f, lower, 1.0f - lower);
}

CK_INLINE vf vsigmoid(vf x) { return 1.0f / (1.0f + vexp(-x)); }
CK_INLINE vf vsilu(vf x) { return x / (1.0f + vexp(-x)); }
CK_INLINE vf vgelu(vf x) { return x * vphi(x); }
CK_INLINE vf vquick_gelu(vf x) { return x / (1.0f + vexp(x * -1.702f)); }

/// activation(x). `is_short`: for results that are rounded to bf16.
CK_INLINE vf vactivate(vf x, enum ck_activation activation, bool is_short) {
#ifdef CK_ROUNDS_BF16
  if (is_short && activation == CK_SILU) return vsilu_short(x);
  if (is_short && activation == CK_GELU) return vgelu_short(x);
#else
  (void)is_short;
#endif
  switch (activation) {
    case CK_SILU: return vsilu(x);
    case CK_GELU: return vgelu(x);
    case CK_QUICK_GELU: return vquick_gelu(x);
    default: return x;
  }
}

/// x[0 ..< n] = activation(x), whole vectors.
CK_INLINE void activate(float *x, long n, enum ck_activation activation) {
  for (long i = 0; i < n; i += VL) vstore(x + i, vactivate(vload(x + i), activation, false));
}

#endif
