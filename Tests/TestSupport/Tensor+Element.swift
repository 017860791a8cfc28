package import GraphIR

extension Tensor {
  /// A tensor whose elements are a formula of their index, computed in float64.
  package init(_ shape: [Int], formula: (_ index: [Int]) -> Double) {
    let count = shape.reduce(1, *)
    self.init(shape, (0..<count).map { Float(formula(Tensor.index($0, in: shape))) })
  }

  /// The element at an index, as Double: `x[b, i, j, c]`.
  package subscript(index: Int...) -> Double {
    Double(values[zip(index, shape).reduce(0) { $0 * $1.1 + $1.0 }])
  }

  /// The index of a position in memory order.
  package static func index(_ position: Int, in shape: [Int]) -> [Int] {
    var (index, rest) = ([Int](), position)
    for dimension in shape.reversed() {
      index.append(rest % dimension)
      rest /= dimension
    }
    return index.reversed()
  }
}
