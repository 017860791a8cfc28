package import GraphIR

extension Tensor {
  /// Uniformly random elements, rounded to the element type; the same seed gives the same tensor.
  package static func random(
    _ type: TensorType, seed: UInt64, in range: ClosedRange<Float> = -1...1
  ) -> Tensor {
    var generator = SplitMix64(seed: seed)
    let values = (0..<type.count).map { _ in Float.random(in: range, using: &generator) }
    return Tensor(type.with(.f32), values).cast(to: type.dtype)
  }

  /// Uniformly random float32 elements.
  package static func random(
    _ shape: [Int], seed: UInt64, in range: ClosedRange<Float> = -1...1
  ) -> Tensor {
    random(TensorType(.f32, shape), seed: seed, in: range)
  }
}
