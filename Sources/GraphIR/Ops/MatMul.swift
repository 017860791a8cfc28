/// Matrix product over the last two dimensions, the others broadcast: `z = x · y`, or `x · yᵀ`.
///
/// - x: `[..., M, K]`; y: `[..., K, N]`, or `[..., N, K]` when `transposeB`; floating-point, rank ≥ 2, equal K (C1),
///   leading dimensions equal or broadcast (C2). Result: `[..., M, N]`, element type of x. Sums in float32.
/// - Reference: `torch.matmul`.
public struct MatMul: PrimitiveOp {
  /// `sd.matmul`.
  public static let id = OpID("matmul")
  /// Whether y holds its transpose, as the weights of a linear layer do.
  public var transposeB = false

  /// An op.
  public init(transposeB: Bool = false) { self.transposeB = transposeB }

  /// The product's type.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 2)
    let x = try expectFloat(operands, 0, rank: 2...8)
    let y = try expectFloat(operands, 1, rank: 2...8)
    let (m, k) = (x.shape[x.rank - 2], x.lastDimension)
    let (inner, n) =
      transposeB ? (y.lastDimension, y.shape[y.rank - 2]) : (y.shape[y.rank - 2], y.lastDimension)
    guard k == inner else {
      throw reject("inner dimensions differ: \(x) by \(y)\(transposeB ? " transposed" : "") (C1)")
    }
    guard let batch = broadcast(x.shape.dropLast(2), y.shape.dropLast(2)) else {
      throw reject("cannot broadcast the leading dimensions of \(x) and \(y) (C2)")
    }
    return [x.with(shape: batch + [m, n])]
  }

  /// Plain triple loops.
  public func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] {
    let (x, y) = (operands[0], operands[1])
    let type = try types(of: operands.map(\.type))[0].with(.f32)
    let (m, n, k) = (type.shape[type.rank - 2], type.lastDimension, x.type.lastDimension)
    let batch = Array(type.shape.dropLast(2))
    let matrices = batch.reduce(1, *)
    var offsets = [(x: Int, y: Int)](repeating: (0, 0), count: matrices)
    let xs = MatMul.leadingStrides(x.shape, to: batch)
    let ys = MatMul.leadingStrides(y.shape, to: batch)
    forEachIndex(of: batch, strides: xs) { offsets[$0].x = $1 * m * k }
    forEachIndex(of: batch, strides: ys) { offsets[$0].y = $1 * n * k }
    let (yk, yn) = transposeB ? (1, k) : (n, 1)
    var values = [Float](repeating: 0, count: type.count)
    x.values.withUnsafeBufferPointer { a in
      y.values.withUnsafeBufferPointer { b in
        for matrix in 0..<matrices {
          for i in 0..<m {
            for j in 0..<n {
              var sum = 0.0
              for p in 0..<k {
                sum +=
                  Double(a[offsets[matrix].x + i * k + p]) * Double(b[offsets[matrix].y + p * yk + j * yn])
              }
              values[(matrix * m + i) * n + j] = Float(sum)
            }
          }
        }
      }
    }
    return [Tensor(type, values)]
  }

  /// Strides in matrices over the broadcast leading dimensions.
  private static func leadingStrides(_ shape: [Int], to batch: [Int]) -> [Int] {
    let own = Array(shape.dropLast(2))
    let strides = Tensor.strides(of: own)
    let padding = batch.count - own.count
    return batch.indices.map { $0 < padding || own[$0 - padding] == 1 ? 0 : strides[$0 - padding] }
  }

  /// 2 · M · N · K for every matrix.
  public func flops(operands: [TensorType], results: [TensorType]) -> Int {
    saturatingProduct(2, results[0].count, operands[0].lastDimension)
  }

  /// True.
  public var isRowwise: Bool { true }
}

extension Value {
  /// The matrix product with `other`, or with its transpose.
  public func matmul(_ other: Value, transposeB: Bool = false) throws(SDError) -> Value {
    try applying(MatMul(transposeB: transposeB), other)
  }

  /// A linear layer: `self · weightᵀ (+ bias)`; weight `[N, K]`, bias `[N]`.
  public func linear(_ weight: Value, _ bias: Value? = nil) throws(SDError) -> Value {
    let product = try matmul(weight, transposeB: true)
    guard let bias else { return product }
    return try product.adding(bias)
  }
}
