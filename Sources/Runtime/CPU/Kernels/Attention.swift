import CKernels
public import GraphIR

extension Attention: CPULowerable {
  /// Streamed in blocks of keys with an online softmax; scores are never stored. All in bf16 it is multiplied in
  /// pairs where the processor can, everything else in float32.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    let (q, v) = (node.operands[0], node.operands[2])
    guard node.isFloat, q.lastDimension == v.lastDimension else { return nil }
    let inPairs = cpu.multipliesBF16 && scale > 0 && (node.operands + node.results).allSatisfy { $0.dtype == .bf16 }
    let kernel =
      inPairs
      ? CKernel<ck_attention>(
        name: "attention_bf16", function: { $0.attention_bf16 }, parts: { ck_attention_bf16_parts($0) },
        scratch: { ck_attention_bf16_scratch($0) })
      : CKernel<ck_attention>(
        name: "attention", function: { $0.attention }, parts: { ck_attention_parts($0) },
        scratch: { ck_attention_scratch($0) })
    return kernel.kernel(node, on: cpu) { tensors in
      let (q, k, v, o) = (tensors.operands[0], tensors.operands[1], tensors.operands[2], tensors.results[0])
      var arguments = ck_attention()
      (arguments.q, arguments.q_dtype, arguments.q_pitch) = (UnsafeRawPointer(q.base), q.type.dtype.ck, q.pitch)
      (arguments.k, arguments.k_dtype, arguments.k_pitch) = (UnsafeRawPointer(k.base), k.type.dtype.ck, k.pitch)
      (arguments.v, arguments.v_dtype, arguments.v_pitch) = (UnsafeRawPointer(v.base), v.type.dtype.ck, v.pitch)
      (arguments.o, arguments.o_dtype, arguments.o_pitch) = (o.base, o.type.dtype.ck, o.pitch)
      arguments.samples = q.type.shape[0]
      arguments.heads = heads
      arguments.d = q.columns / heads
      (arguments.queries, arguments.keys) = (q.type.shape[1], k.type.shape[1])
      arguments.scale = scale
      arguments.causal = causal ? 1 : 0
      return arguments
    }
  }
}
