public import GraphIR

extension FusedConvStatistics: CPULowerable {
  /// The convolution's kernel in pairs of bf16, where its strips can be cut into the parts.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? { conv.cpuKernel(node, on: cpu) }
}
