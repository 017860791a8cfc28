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
    let generator = SplitMix64(seed: seed ^ parameter.name.utf8.fnv1a)
    fill(memory, generator, count: parameter.type.count, mean: mean, deviation: deviation)
    return (UnsafeRawBufferPointer(memory.bytes), .f32, memory)
  }

  private func fill(_ memory: HostMemory, _ generator: SplitMix64, count: Int, mean: Float, deviation: Float) {
    var generator = generator
    let values = memory.base.bindMemory(to: Float.self, capacity: count)
    let width = deviation * Float(12).squareRoot()
    for index in 0..<count { values[index] = mean + (generator.unit() - 0.5) * width }
  }
}
