import GraphIR

/// How far a computed tensor is from the wanted one. Elements that are to be NaN do not count.
struct Difference {
  /// ‖a − b‖² / ‖b‖²; 0 when they are equal, infinite when one has a NaN that the other does not.
  let error: Double
  private let worst: (index: [Int], given: Float, wanted: Float)

  init(_ given: Tensor, _ wanted: Tensor) {
    var (square, norm) = (0.0, 0.0)
    var (position, largest) = (0, -1.0)
    for (index, (a, b)) in zip(given.values, wanted.values).enumerated() where !b.isNaN {
      let distance = a == b ? 0 : (Double(a) - Double(b)).magnitude
      square += distance * distance
      if b.isFinite { norm += Double(b) * Double(b) }
      let size = distance.isNaN ? .infinity : distance
      if size > largest { (position, largest) = (index, size) }
    }
    error = square == 0 ? 0 : square.isNaN ? .infinity : square / norm
    worst =
      given.values.isEmpty
      ? ([], 0, 0) : (given.index(of: position), given.values[position], wanted.values[position])
  }

  /// `NMSE 0.25 of result 0 exceeds 1e-10; worst at [0, 1]: 0.5, expected 0.75`.
  func sentence(result: Int, limit: Double) -> String {
    let given = worst.given.isNaN ? "NaN" : "\(worst.given)"
    return
      "NMSE \(error) of result \(result) exceeds \(limit); worst at \(worst.index): \(given), expected \(worst.wanted)"
  }
}

extension Tensor {
  /// The index of a position in memory order.
  func index(of position: Int) -> [Int] {
    var (index, rest) = ([Int](), position)
    for dimension in shape.reversed() {
      index.append(rest % max(dimension, 1))
      rest /= max(dimension, 1)
    }
    return index.reversed()
  }
}
