import CKernels
public import GraphIR

extension FusedFeedForward: CPULowerable {
  /// Rows of a strip: what is between the layers stays in the second cache.
  private static var strip: Int { 256 }
  /// Parts that keep some threads busy.
  private static var fewestParts: Int { 16 }
  /// Bytes of weights that the caches hold: each strip reads all of them.
  private static var mostWeights: Int { 4 << 20 }

  /// Strip by strip, both layers by the kernel of convolutions in pairs of bf16; for many rows and few weights.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    guard let types = try? signatures(of: node.operands),
      ![hidden, output].contains(where: { $0.epilogues.contains(.row) })
    else { return nil }
    let (count, rows) = (hidden.operandCount, node.operands[0].rows)
    let first = KernelSignature(
      operands: types.hidden, results: Array(types.output.prefix(1)), isWeight: Array(node.isWeight[..<count]))
    let second = KernelSignature(
      operands: types.output, results: node.results, isWeight: [false] + node.isWeight[count...])
    guard hidden.multipliesPairs(first, on: cpu) == true, output.multipliesPairs(second, on: cpu) == true,
      rows >= Self.fewestParts * Self.strip,
      saturatingSum(types.hidden[1].byteCount, types.output[1].byteCount) <= Self.mostWeights
    else { return nil }

    let shapes = strips(node.placeholders, between: first.results[0], on: cpu)
    let betweenBytes = MemoryPlanner.aligned(Self.strip * first.results[0].lastDimension * first.results[0].dtype.size)
    return CPUKernel(
      "feed_forward_bf16.\(cpu.level.rawValue)", parts: shapes.count,
      scratchBytes: betweenBytes + shapes.reduce(0) { max($0, $1.scratchBytes) },
      inPlaceOperands: Set(output.residualOperands.map { count - 1 + $0 }),
      weightLayouts: [1: hidden.weightLayout, count: output.weightLayout]
    ) { tensors in
      let strips = strips(tensors, between: first.results[0], on: cpu)
      return { part, scratch in strips[part].run(between: scratch, scratch + betweenBytes) }
    }
  }

  private func strips(_ tensors: KernelTensors, between: TensorType, on cpu: CPU) -> [FeedForwardStrip] {
    let rows = tensors.results[0].rows
    return stride(from: 0, to: rows, by: Self.strip).map { start in
      FeedForwardStrip(self, tensors, between: between, rows: start..<min(start + Self.strip, rows), on: cpu)
    }
  }
}

/// Some rows of both layers: the arguments of their kernel calls. Run by one thread at a time.
private final class FeedForwardStrip: @unchecked Sendable {
  private let hidden: ConvArguments
  private let output: ConvArguments
  private let function: CKernel<ck_conv>.CFunction?

  init(
    _ op: FusedFeedForward, _ tensors: KernelTensors, between: TensorType, rows: Range<Int>, on cpu: CPU
  ) {
    let count = op.hidden.operandCount
    func operands(_ conv: FusedConv, _ views: [TensorView]) -> [TensorView] {
      // Images and residuals are cut; weights and biases are for all rows.
      views.enumerated().map { $0 == 0 || conv.residualOperands.contains($0) ? $1.rows(rows) : $1 }
    }
    let columns = between.lastDimension
    let placeholder = TensorView(
      base: tensors.results[0].base, type: TensorType(between.dtype, [rows.count, columns]), pitch: columns)
    hidden = ConvArguments(
      op.hidden,
      KernelTensors(operands: operands(op.hidden, Array(tensors.operands[..<count])), results: [placeholder]))
    let read = operands(op.output, [tensors.operands[0]] + tensors.operands[count...])
    output = ConvArguments(
      op.output,
      KernelTensors(operands: [placeholder] + read.dropFirst(), results: [tensors.results[0].rows(rows)]))
    for layer in [hidden, output] { layer.conv.pointee.blocking = Blocking(rows: rows.count, panels: .max).ck }
    function = cpu.kernels.pointee.conv_bf16
  }

  var scratchBytes: Int { max(ck_conv_bf16_scratch(hidden.conv), ck_conv_bf16_scratch(output.conv)) }

  func run(between: UnsafeMutableRawPointer, _ scratch: UnsafeMutableRawPointer) {
    hidden.conv.pointee.y = between
    output.read(between)
    for layer in [hidden, output] {
      let parts = ck_conv_bf16_parts(layer.conv)
      for part in 0..<parts { function?(layer.conv, part, parts, scratch) }
    }
  }
}

extension TensorView {
  /// Some of the rows.
  fileprivate func rows(_ range: Range<Int>) -> TensorView {
    TensorView(base: row(range.lowerBound), type: TensorType(type.dtype, [range.count, columns]), pitch: pitch)
  }
}
