import GraphIR

extension Value {
  /// Attention of these queries [B, S, heads · d] to keys and values [B, T, heads · d], head by head, as [B, S, heads · d]:
  /// softmax(q · kᵀ / √d) · v. With `causal`, S = T and row i sees rows 0 … i.
  ///
  /// Every attention of every model is declared here, in plain ops, so that a pass finds them all by one pattern.
  ///
  /// - Reference: Vaswani et al. 2017, arXiv:1706.03762.
  func attending(
    to keys: Value, _ values: Value, heads: Int, causal: Bool = false
  ) throws(SDError) -> Value {
    let q = try splitHeads(heads)
    let k = try keys.splitHeads(heads)
    let v = try values.splitHeads(heads)
    let scale = try builder.constant([], [Float(1 / Double(q.type.lastDimension).squareRoot())])
    var scores = try q.matmul(k, transposeB: true).multiplied(by: scale)
    if causal { scores = try scores.adding(builder.causalMask(shape[1])) }
    return try scores.softmax().matmul(v).mergeHeads()
  }
}
