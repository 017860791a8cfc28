import GraphIR
import GraphRuntime

/// Feature-wise linear modulation: `y = x · (1 + scale) + shift`, with a scale and a shift per channel.
///
/// - x: `[..., C]`; scale, shift: `[C]` (C1); floating-point. Result: type of x.
/// - Reference: Perez et al. 2018, arXiv:1709.07871.
struct FiLM: CompositeOp {
  static let id = OpID("lab.example", "film", version: 1)

  func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 3)
    let x = try expectFloat(operands, 0, rank: 1...8)
    for index in 1...2 where try expectFloat(operands, index).shape != [x.lastDimension] {
      throw reject("operand \(index) must have shape [\(x.lastDimension)], it is \(operands[index]) (C1)")
    }
    return [x]
  }

  func decompose(_ operands: [Value]) throws(SDError) -> [Value] {
    let (x, scale, shift) = (operands[0], operands[1], operands[2])
    let factor = try scale.adding(x.builder.constant([], [1]))
    return [try x.multiplied(by: factor).adding(shift)]
  }
}

/// The kernel is optional: without it the op runs its decomposition.
extension FiLM: CPULowerable {
  func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    let rows = node.results[0].rows
    // From the shape alone, so that results do not depend on the number of threads.
    let parts = (rows + 31) / 32
    return CPUKernel("film", parts: parts, acceptsPitch: true) { tensors in
      let (x, y) = (tensors.operands[0], tensors.results[0])
      let (scale, shift) = (tensors.operands[1], tensors.operands[2])
      return { part, _ in
        for row in part * rows / parts..<(part + 1) * rows / parts {
          for c in 0..<y.columns { y[row, c] = x[row, c] * (1 + scale[0, c]) + shift[0, c] }
        }
      }
    }
  }
}
