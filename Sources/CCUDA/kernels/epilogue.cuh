// What follows the sums of a convolution or product: where results go, and the epilogues of one of them.
#pragma once
#include "prelude.cuh"

// Result m, counted over all samples, and its pixel in y.
struct Output {
  int m;
  long long pixel;
};
DEVICE Output output(const cu_conv &p, int m, int batch) {
  if (p.phases == 1) return {m, m};
  const int pixels = p.out_h * p.out_w, sample = m / pixels, inside = m - sample * pixels;
  const int oy = inside / p.out_w, ox = inside - oy * p.out_w;
  return {m, ((long long)sample * 2 * p.out_h + 2 * oy + batch / 2) * 2 * p.out_w + 2 * ox + batch % 2};
}

// Where the line of an epilogue's operand begins that belongs to a result.
DEVICE long long operand_line(const cu_conv &p, const cu_epilogue &epilogue, const Output &at) {
  if (epilogue.kind == CU_BIAS) return 0;
  // To divide takes long: only where it is asked for.
  return (epilogue.kind == CU_ROW ? at.m / (p.out_h * p.out_w) : at.pixel) * epilogue.pitch;
}

// How far an operand of product `batch` is from that of the first.
DEVICE long long product_shift(const cu_conv &p, const long long (&strides)[2], int batch) {
  if (p.phases == 2) return 0;
  return batch / p.batch_inner * strides[0] + batch % p.batch_inner * strides[1];
}

// One sum, in column n of a result of `columns`, and its gate: behind the epilogues.
DEVICE float finish_one(const cu_conv &p, float value, float gate, const Output &at, int n, int columns) {
  bool gating = p.gated;
  for (int e = 0; e < p.epilogue_count; e++) {
    const cu_epilogue &epilogue = p.epilogues[e];
    if (epilogue.kind == CU_ACTIVATION) {
      value = activate(epilogue.function, value);
    } else if (epilogue.kind == CU_GATE) {
      value *= activate(epilogue.function, gate);
      gating = false;
    } else {
      const long long line = operand_line(p, epilogue, at);
      value += load_float(epilogue.x, line + n, epilogue.dtype);
      if (gating) gate += load_float(epilogue.x, line + n + columns, epilogue.dtype);
    }
  }
  return value;
}
