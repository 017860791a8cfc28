import CKernels
public import GraphIR

extension Reshape: CPULowerable {
  /// A dense copy of rows; lowering asks for it only where a view will not do.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    CKernel<ck_copy>(
      name: "copy", function: { $0.copy },
      parts: { ck_elementwise_parts($0.pointee.rows, $0.pointee.columns) }
    ).kernel(node, on: cpu) { tensors in
      let (x, y) = (tensors.operands[0], tensors.results[0])
      var arguments = ck_copy()
      arguments.element_size = x.type.dtype.size
      (arguments.x, arguments.x_pitch) = (UnsafeRawPointer(x.base), x.pitch)
      // Rows of the operand: the result is dense, so its own rows do not matter.
      (arguments.y, arguments.y_pitch) = (y.base, x.columns)
      (arguments.rows, arguments.columns) = (x.rows, x.columns)
      return arguments
    }
  }
}

/// A copy in another order of up to five dimensions, given the operand's strides along the result's dimensions.
private func strided(
  _ name: String, _ node: KernelSignature, _ cpu: CPU, axes: [Int], start: (axis: Int, index: Int)? = nil
) -> CPUKernel? {
  guard node.results[0].rank <= 5 else { return nil }
  return CKernel<ck_transpose>(
    name: name, function: { $0.transpose }, parts: { ck_transpose_parts($0) }
  ).kernel(node, on: cpu) { tensors in
    let (x, y) = (tensors.operands[0], tensors.results[0])
    var strides = [Int](repeating: 1, count: x.type.rank)
    for axis in strides.indices.dropLast().reversed() {
      strides[axis] = axis == x.type.rank - 2 ? x.pitch : strides[axis + 1] * x.type.shape[axis + 1]
    }
    let padding = 5 - y.type.rank
    let sizes = [Int](repeating: 1, count: padding) + y.type.shape
    let steps = [Int](repeating: 0, count: padding) + axes.map { strides[$0] }
    var arguments = ck_transpose()
    arguments.element_size = x.type.dtype.size
    let offset = start.map { $0.index * strides[$0.axis] * x.type.dtype.size } ?? 0
    (arguments.x, arguments.y) = (UnsafeRawPointer(x.base + offset), y.base)
    arguments.sizes = (sizes[0], sizes[1], sizes[2], sizes[3], sizes[4])
    arguments.x_strides = (steps[0], steps[1], steps[2], steps[3], steps[4])
    return arguments
  }
}

extension Transpose: CPULowerable {
  /// A strided copy.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    strided("transpose", node, cpu, axes: permutation)
  }
}

extension Slice: CPULowerable {
  /// A strided copy; lowering asks for it only where a view will not do.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    strided("slice", node, cpu, axes: Array(node.operands[0].shape.indices), start: (axis, start))
  }
}

extension Concat: CPULowerable {
  /// One copy of rows an operand.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    let isLast = axis == node.results[0].rank - 1
    let inner = { (type: TensorType) in type.shape[axis...].reduce(1, *) }
    let rows = node.results[0].shape[..<axis].reduce(1, *)
    let widths = node.operands.map(inner)
    let parts = widths.map { ck_elementwise_parts(rows, $0) }
    let total = inner(node.results[0])
    return CPUKernel(
      "concat.\(cpu.level.rawValue)", parts: parts.reduce(0, +), acceptsPitch: isLast, weightLayouts: [:]
    ) { tensors in
      let y = tensors.results[0]
      var copies: [ConcatCopy] = []
      var (column, first) = (0, 0)
      for (index, x) in tensors.operands.enumerated() {
        var arguments = ck_copy()
        arguments.element_size = y.type.dtype.size
        (arguments.x, arguments.x_pitch) = (UnsafeRawPointer(x.base), isLast ? x.pitch : widths[index])
        (arguments.y, arguments.y_pitch) = (y.base + column * y.type.dtype.size, isLast ? y.pitch : total)
        (arguments.rows, arguments.columns) = (rows, widths[index])
        copies.append(ConcatCopy(arguments: arguments, first: first, parts: parts[index]))
        column += widths[index]
        first += parts[index]
      }
      let function = cpu.kernels.pointee.copy
      return { [copies] part, scratch in
        guard let copy = copies.last(where: { $0.first <= part }) else { return }
        withUnsafePointer(to: copy.arguments) { function?($0, part - copy.first, copy.parts, scratch) }
      }
    }
  }
}

private struct ConcatCopy: @unchecked Sendable {
  let arguments: ck_copy
  let first: Int
  let parts: Int
}

extension UpsampleNearest: CPULowerable {
  /// Copies pixels; `FuseConv` makes most of them part of the convolution behind.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    CKernel<ck_upsample_nearest>(
      name: "upsample_nearest", function: { $0.upsample_nearest },
      parts: { ck_elementwise_parts($0.pointee.samples * $0.pointee.out_h * $0.pointee.out_w, $0.pointee.channels) }
    ).kernel(node, on: cpu) { tensors in
      let (x, y) = (tensors.operands[0], tensors.results[0])
      var arguments = ck_upsample_nearest()
      arguments.element_size = x.type.dtype.size
      (arguments.x, arguments.x_pitch) = (UnsafeRawPointer(x.base), x.pitch)
      (arguments.y, arguments.y_pitch) = (y.base, y.pitch)
      (arguments.samples, arguments.channels) = (x.type.shape[0], x.columns)
      (arguments.in_h, arguments.in_w) = (x.type.shape[1], x.type.shape[2])
      (arguments.out_h, arguments.out_w) = (y.type.shape[1], y.type.shape[2])
      return arguments
    }
  }
}

extension Gather: CPULowerable {
  /// Copies rows; the row of an id outside the table becomes NaN, callers check ids before they run.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    CKernel<ck_gather>(
      name: "gather", function: { $0.gather },
      parts: { ck_elementwise_parts($0.pointee.rows, $0.pointee.columns) }
    ).kernel(node, on: cpu, denseOperands: [1]) { tensors in
      let (table, ids, y) = (tensors.operands[0], tensors.operands[1], tensors.results[0])
      return ck_gather(table: table, ids: ids, rows: ids.type.count, y)
    }
  }
}

extension SelectRow: CPULowerable {
  /// A gather of one row.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    let width = node.operands[0].shape.dropFirst().reduce(1, *)
    guard node.operands[0].rank == 2 else { return nil }
    return CKernel<ck_gather>(
      name: "select_row", function: { $0.gather }, parts: { ck_elementwise_parts(1, $0.pointee.columns) }
    ).kernel(node, on: cpu) { tensors in
      var arguments = ck_gather(table: tensors.operands[0], ids: tensors.operands[1], rows: 1, tensors.results[0])
      arguments.columns = width
      return arguments
    }
  }
}

extension ck_gather {
  fileprivate init(table: TensorView, ids: TensorView, rows: Int, _ y: TensorView) {
    self.init()
    (self.table, table_dtype, table_pitch) = (UnsafeRawPointer(table.base), table.type.dtype.ck, table.pitch)
    (self.ids, ids_dtype) = (UnsafeRawPointer(ids.base), ids.type.dtype.ck)
    (self.y, y_dtype, y_pitch) = (y.base, y.type.dtype.ck, y.pitch)
    table_rows = table.type.shape[0]
    (self.rows, columns) = (rows, table.type.lastDimension)
  }
}
