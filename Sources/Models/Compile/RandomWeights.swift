import GraphIR
import GraphRuntime

/// Weights of a healthy scale for a model without a checkpoint: every activation stays near unit variance.
///
/// Matrices and kernels are uniform with variance 1 / fan-in; gains are near 1 and biases near 0, but neither exactly,
/// so that a dropped tensor shows. A tensor depends on the seed, its name and its shape only.
struct RandomWeights: ParameterSource {
  let seed: UInt64

  func tensor(
    _ parameter: Parameter
  ) throws(SDError) -> (bytes: UnsafeRawBufferPointer, dtype: DType, owner: any Sendable) {
    let shape = parameter.type.shape
    let memory = try HostMemory(byteCount: parameter.type.count * 4)
    let fanIn = shape.dropFirst().reduce(1, *)
    let isVector = shape.count < 2
    let mean: Float = isVector && parameter.name.hasSuffix("weight") ? 1 : 0
    let deviation = isVector ? 0.1 : 1 / Float(max(1, fanIn)).squareRoot()
    fill(memory, count: parameter.type.count, key: key(parameter.name), mean: mean, deviation: deviation)
    return (UnsafeRawBufferPointer(memory.bytes), .f32, memory)
  }

  /// FNV-1a of the name, mixed with the seed.
  private func key(_ name: String) -> UInt64 {
    name.utf8.reduce(0xCBF2_9CE4_8422_2325 ^ seed) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  /// Uniform numbers out of SplitMix64 (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195), one an index.
  private func fill(_ memory: HostMemory, count: Int, key: UInt64, mean: Float, deviation: Float) {
    let values = memory.base.bindMemory(to: Float.self, capacity: count)
    let width = deviation * Float(12).squareRoot()
    for index in 0..<count {
      var z = key &+ UInt64(truncatingIfNeeded: index) &* 0x9E37_79B9_7F4A_7C15
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      let unit = Float(Int32(truncatingIfNeeded: (z ^ (z >> 31)) >> 40)) * 0x1p-24
      values[index] = mean + (unit - 0.5) * width
    }
  }
}
