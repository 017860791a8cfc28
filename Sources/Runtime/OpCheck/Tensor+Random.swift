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
