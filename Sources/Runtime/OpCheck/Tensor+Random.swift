import GraphIR

extension Tensor {
  /// Values uniform in a range, rounded to the element type, that follow from the seed alone.
  init(random type: TensorType, in range: ClosedRange<Float>, seed: UInt64) {
    var generator = SplitMix64(seed: seed)
    let values = (0..<type.count).map { _ -> Float in
      let value = Float.random(in: range, using: &generator)
      return type.dtype.isFloat ? value : value.rounded(.down)
    }
    self = Tensor(type, values).cast(to: type.dtype)
  }

  /// One row of the first dimension, which stays as 1.
  func row(_ index: Int) -> Tensor {
    let width = shape.dropFirst().reduce(1, *)
    return Tensor(
      type.with(shape: [1] + shape.dropFirst()), Array(values[index * width..<(index + 1) * width]))
  }
}

/// Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195.
private struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
