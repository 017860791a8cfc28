/// Scaled dot-product attention of several heads: `softmax(q · kᵀ · scale) · v` for every head. Made by `FuseAttention`.
///
/// - q: `[B, S, heads · d]`; k: `[B, T, heads · d]`; v: `[B, T, heads · e]`; floating-point, head h in columns
///   `h · d ..< (h + 1) · d` (C1). Result: `[B, S, heads · e]`, element type of q. With `causal`, S = T (C2) and
///   row i sees rows 0 … i of k and v.
/// - Reference: Vaswani et al. 2017, arXiv:1706.03762; `torch.nn.functional.scaled_dot_product_attention`.
public struct Attention: CompositeOp {
  /// `sd.attention`.
  public static let id = OpID("attention")
  /// Number of heads.
  public var heads: Int
  /// Factor on the scores.
  public var scale: Float
  /// Whether later rows are hidden.
  public var causal = false

  /// Attention of several heads.
  public init(heads: Int, scale: Float, causal: Bool = false) {
    (self.heads, self.scale, self.causal) = (heads, scale, causal)
  }

  /// The type of q with the columns of v.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 3)
    let q = try expectFloat(operands, 0, rank: 3...3)
    let k = try expectFloat(operands, 1, rank: 3...3)
    let v = try expectFloat(operands, 2, rank: 3...3)
    guard heads >= 1, q.shape[2] % heads == 0, v.shape[2] % heads == 0, q.shape[2] == k.shape[2],
      q.shape[0] == k.shape[0], k.shape[0] == v.shape[0], k.shape[1] == v.shape[1]
    else { throw reject("q \(q), k \(k), v \(v) do not fit together in \(heads) heads (C1)") }
    guard !causal || q.shape[1] == k.shape[1] else {
      throw reject("causal attention needs as many queries as keys: q \(q), k \(k) (C2)")
    }
    return [q.with(shape: [q.shape[0], q.shape[1], v.shape[2]])]
  }

  /// The formula on `[B, heads, rows, d]`.
  public func decompose(_ operands: [Value]) throws(SDError) -> [Value] {
    let (q, k, v) = (operands[0], operands[1], operands[2])
    let builder = q.builder
    var scores = try q.splitHeads(heads).matmul(k.splitHeads(heads), transposeB: true)
      .multiplied(by: builder.constant([], [scale]))
    if causal { scores = try scores.adding(builder.causalMask(q.shape[1])) }
    return [try scores.softmax().matmul(v.splitHeads(heads)).mergeHeads()]
  }

  /// Two matrix products a head.
  public func flops(operands: [TensorType], results: [TensorType]) -> Int {
    let (q, v) = (operands[0], operands[2])
    return saturatingProduct(2, q.shape[0], q.shape[1], v.shape[1], q.shape[2] + v.shape[2])
  }
}

extension Value {
  /// Scaled dot-product attention of this query with keys and values, head by head.
  public func attention(
    _ k: Value, _ v: Value, heads: Int, scale: Float, causal: Bool = false
  ) throws(SDError) -> Value {
    try applying(Attention(heads: heads, scale: scale, causal: causal), k, v)
  }

  /// `[B, S, heads · d]` as `[B, heads, S, d]`.
  public func splitHeads(_ heads: Int) throws(SDError) -> Value {
    guard type.rank == 3, heads >= 1, shape[2] % heads == 0 else {
      throw SDError(.invalid, "cannot split \(type) into \(heads) heads, at '\(builder.location)'")
    }
    return try reshaped([shape[0], shape[1], heads, shape[2] / heads]).transposed([0, 2, 1, 3])
  }

  /// `[B, heads, S, d]` as `[B, S, heads · d]`.
  public func mergeHeads() throws(SDError) -> Value {
    guard type.rank == 4 else {
      throw SDError(.invalid, "cannot merge the heads of \(type), at '\(builder.location)'")
    }
    return try transposed([0, 2, 1, 3]).reshaped([shape[0], shape[2], shape[1] * shape[3]])
  }
}
