// Guidance and a step of a sampler, so that denoising does not wait for the host. The arithmetic is that of the host, operation
// by operation: no product is fused with a sum.
#include "prelude.cuh"

KERNEL(256, 4) sampler(PARAMETER cu_sampler p) {
  wait_for_previous();
  allow_next();
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i == 0) *(int *)p.index = p.next_index;
  if (i >= p.count) return;
  float *vectors = (float *)p.vectors;
  const float unconditional = ((const float *)p.unconditional)[i], conditional = ((const float *)p.conditional)[i];
  const float output = p.guidance <= 1
      ? conditional : add_exactly(unconditional, multiply_exactly(p.guidance, subtract_exactly(conditional, unconditional)));
  for (int a = 0; a < p.assignment_count; a++) {
    const cu_assignment &assignment = p.assignments[a];
    double sum = 0;
    for (int t = 0; t < assignment.term_count; t++) {
      const int vector = assignment.vectors[t];
      const float x = vector == CU_OUTPUT ? output
          : vector == CU_NOISE ? ((const float *)p.noise)[i] : vectors[(long long)vector * p.count + i];
      sum = add_exactly(sum, multiply_exactly(assignment.coefficients[t], (double)x));
    }
    float value = (float)sum;
    // As Swift's min and max: what is not a number stays.
    if (assignment.limit != 0) {
      if (value < -assignment.limit) value = -assignment.limit;
      if (value > assignment.limit) value = assignment.limit;
    }
    vectors[(long long)assignment.target * p.count + i] = value;
  }
  const float sample = vectors[i];
  ((float *)p.input)[i] = (float)multiply_exactly((double)sample, p.input_scale);
  if (!(fabsf(sample) <= 3.4028234663852886e38f)) atomicMin((int *)p.failure, p.step);
}
