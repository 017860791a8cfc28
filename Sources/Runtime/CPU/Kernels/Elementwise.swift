import CKernels
public import GraphIR

/// y = f(x) on rows.
private func unary(
  _ operation: ck_unary_operation, _ name: String, _ node: KernelSignature, _ cpu: CPU
) -> CPUKernel? {
  CKernel<ck_unary>(
    name: name, function: { $0.unary },
    parts: { ck_elementwise_parts($0.pointee.rows, $0.pointee.columns) }
  ).kernel(node, on: cpu) { tensors in
    let (x, y) = (tensors.operands[0], tensors.results[0])
    var arguments = ck_unary()
    arguments.operation = operation
    (arguments.x, arguments.x_dtype, arguments.x_pitch) = (UnsafeRawPointer(x.base), x.type.dtype.ck, x.pitch)
    (arguments.y, arguments.y_dtype, arguments.y_pitch) = (y.base, y.type.dtype.ck, y.pitch)
    (arguments.rows, arguments.columns) = (x.rows, x.columns)
    return arguments
  }
}

extension SiLU: CPULowerable {
  /// The vectorized function.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    unary(CK_UNARY_SILU, "silu", node, cpu)
  }
}

extension GELU: CPULowerable {
  /// The vectorized function.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    unary(CK_UNARY_GELU, "gelu", node, cpu)
  }
}

extension QuickGELU: CPULowerable {
  /// The vectorized function.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    unary(CK_UNARY_QUICK_GELU, "quick_gelu", node, cpu)
  }
}

extension Exp: CPULowerable {
  /// The vectorized function.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    unary(CK_UNARY_EXP, "exp", node, cpu)
  }
}

extension Sigmoid: CPULowerable {
  /// The vectorized function.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    unary(CK_UNARY_SIGMOID, "sigmoid", node, cpu)
  }
}

extension Rsqrt: CPULowerable {
  /// The vectorized function.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    unary(CK_UNARY_RSQRT, "rsqrt", node, cpu)
  }
}

extension Erf: CPULowerable {
  /// The vectorized function.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    unary(CK_UNARY_ERF, "erf", node, cpu)
  }
}

extension Cast: CPULowerable {
  /// Rounds to nearest, ties to even.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    CKernel<ck_convert>(
      name: "cast", function: { $0.convert },
      parts: { ck_elementwise_parts($0.pointee.rows, $0.pointee.columns) }
    ).kernel(node, on: cpu) { tensors in
      let (x, y) = (tensors.operands[0], tensors.results[0])
      var arguments = ck_convert()
      (arguments.x, arguments.x_dtype, arguments.x_pitch) = (UnsafeRawPointer(x.base), x.type.dtype.ck, x.pitch)
      (arguments.y, arguments.y_dtype, arguments.y_pitch) = (y.base, y.type.dtype.ck, y.pitch)
      (arguments.rows, arguments.columns) = (x.rows, x.columns)
      return arguments
    }
  }
}

/// z = x op y, where y has the shape of x or repeats over it in one of the ways the kernel knows.
private func binary(
  _ operation: ck_binary_operation, _ name: String, _ node: KernelSignature, _ cpu: CPU
) -> CPUKernel? {
  let shape = node.results[0].shape
  let (x, y) = (node.operands[0].shape, node.operands[1].shape)
  let isSwapped = x != shape
  guard !isSwapped || y == shape, let way = broadcastWay(of: isSwapped ? x : y, over: shape) else { return nil }
  return CKernel<ck_binary>(
    name: name, function: { $0.binary },
    parts: { ck_elementwise_parts($0.pointee.rows, $0.pointee.columns) }
  ).kernel(node, on: cpu) { tensors in
    let z = tensors.results[0]
    let (a, b) = (tensors.operands[isSwapped ? 1 : 0], tensors.operands[isSwapped ? 0 : 1])
    var arguments = ck_binary()
    (arguments.a, arguments.a_dtype, arguments.a_pitch) = (UnsafeRawPointer(a.base), a.type.dtype.ck, a.pitch)
    (arguments.b, arguments.b_dtype, arguments.b_pitch) = (UnsafeRawPointer(b.base), b.type.dtype.ck, b.pitch)
    (arguments.y, arguments.y_dtype, arguments.y_pitch) = (z.base, z.type.dtype.ck, z.pitch)
    (arguments.operation, arguments.broadcast) = (operation, way)
    arguments.swapped = isSwapped ? 1 : 0
    (arguments.rows, arguments.columns) = (z.rows, z.columns)
    arguments.rows_per_sample = z.rows / max(1, z.type.shape.first ?? 1)
    return arguments
  }
}

/// How a smaller operand repeats over a shape, in the kernel's terms; nil when the kernel has no word for it.
private func broadcastWay(of small: [Int], over shape: [Int]) -> ck_broadcast? {
  if small == shape { return CK_SAME }
  if small.allSatisfy({ $0 == 1 }) { return CK_SCALAR }
  let padded = [Int](repeating: 1, count: shape.count - small.count) + small
  guard let columns = shape.last else { return nil }
  if padded.dropLast() == shape.dropLast(), padded.last == 1 { return CK_COLUMN_VECTOR }
  guard padded.last == columns else { return nil }
  if padded.dropLast().allSatisfy({ $0 == 1 }) { return CK_ROW_VECTOR }
  if padded[0] == shape[0], padded.dropFirst().dropLast().allSatisfy({ $0 == 1 }) { return CK_SAMPLE_ROW }
  return nil
}

extension Add: CPULowerable {
  /// The vectorized sum.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? { binary(CK_ADD, "add", node, cpu) }
}

extension Subtract: CPULowerable {
  /// The vectorized difference.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    binary(CK_SUBTRACT, "subtract", node, cpu)
  }
}

extension Multiply: CPULowerable {
  /// The vectorized product.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    binary(CK_MULTIPLY, "multiply", node, cpu)
  }
}

extension Divide: CPULowerable {
  /// The vectorized quotient.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    binary(CK_DIVIDE, "divide", node, cpu)
  }
}
