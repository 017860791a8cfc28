/// A linear layer and the one that reads its result, in one op: what is between them can be computed strip by strip and
/// never be whole. Made by `FuseFeedForward`.
///
/// `y = output(hidden(x, …), …)`.
///
/// - Operands: those of `hidden`, then those of `output` but for its image. Both have one source, which is a matrix
///   product `[..., C]` with w `[O, C]` of what is not normalized (C1).
/// - Result: that of `output`. In between values have the element type of `hidden`.
public struct FusedFeedForward: FusedOp {
  /// `sd.fused_feed_forward`.
  public static let id = OpID("fused_feed_forward")
  /// The layer that reads x.
  public var hidden: FusedConv
  /// The layer that reads what `hidden` gives.
  public var output: FusedConv

  /// Two linear layers in a row.
  public init(hidden: FusedConv, output: FusedConv) { (self.hidden, self.output) = (hidden, output) }

  /// Both layers' type rules.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    guard [hidden.sources, output.sources].allSatisfy({ $0 == [FusedConv.Source()] }) else {
      throw reject("takes two matrix products, of one source each (C1)")
    }
    try expect(operands, count: hidden.operandCount + output.operandCount - 1)
    let types = try signatures(of: operands)
    guard types.hidden[1].rank == 2, types.output[1].rank == 2 else {
      throw reject("weights \(types.hidden[1]) and \(types.output[1]) must be matrices (C1)")
    }
    return try output.types(of: types.output)
  }

  /// What each of the layers reads.
  package func signatures(
    of operands: [TensorType]
  ) throws(SDError) -> (hidden: [TensorType], output: [TensorType]) {
    let own = Array(operands[..<hidden.operandCount])
    return (own, try hidden.types(of: own) + operands[hidden.operandCount...])
  }

  /// The two layers; what is between them is rounded to its type.
  public func decompose(_ operands: [Value]) throws(SDError) -> [Value] {
    var exact = self
    exact.output.dtype = .f32
    return try exact.layers(operands)
  }

  /// The two layers.
  package func split(_ operands: [Value], hasKernel: (any Op, [Value]) -> Bool) throws(SDError) -> [Value]? {
    try layers(operands)
  }

  private func layers(_ operands: [Value]) throws(SDError) -> [Value] {
    let between = try operands[0].builder.add(hidden, Array(operands[..<hidden.operandCount]))
    return [try between.builder.add(output, [between] + operands[hidden.operandCount...])]
  }

  /// One a layer.
  package var products: Int { 2 }

  /// Those of both layers.
  public func flops(operands: [TensorType], results: [TensorType]) -> Int {
    guard let types = try? signatures(of: operands) else { return 0 }
    let between = Array(types.output.prefix(1))
    return saturatingSum(
      hidden.flops(operands: types.hidden, results: between), output.flops(operands: types.output, results: results))
  }
}
