import GraphIR
import GraphRuntime
import TestSupport
import Testing

@Suite struct ElementwiseKernelTests {
  /// Functions, the values they are drawn from, and how far the vectorized function may be off: fits of about 1e-7.
  static let unaries: [(any Op, ClosedRange<Float>)] = [
    (SiLU(), -20...20), (GELU(), -8...8), (QuickGELU(), -20...20), (Exp(), -20...20), (Sigmoid(), -20...20),
    (Rsqrt(), 0.01...100), (Erf(), -4...4),
  ]

  @Test(arguments: unaries.indices) func unary(_ index: Int) throws {
    let (op, range) = ElementwiseKernelTests.unaries[index]
    var check = OpCheck(op)
    check.ranges[0] = range
    check.tolerance[.f32] = 1e-12
    try check.run { size, dtype in [TensorType(dtype, [3, size])] }
    // Several parts, rows that are no multiple of anything, and none at all.
    for shape in [[301, 331], [70_001], [], [0, 5]] {
      for dtype in check.dtypes { try check.run(operands: [TensorType(dtype, shape)]) }
    }
  }

  /// Far from zero the functions of the activations are their limits.
  @Test(
    arguments: [SiLU(), GELU(), QuickGELU(), Sigmoid()] as [any Op],
    [-3e4...(-100), 100...3e4] as [ClosedRange<Float>])
  func limits(_ op: any Op, _ range: ClosedRange<Float>) throws {
    var check = OpCheck(op)
    check.ranges[0] = range
    try check.run(operands: [TensorType(.f32, [77])])
  }

  @Test(arguments: [DType.f32, .f16, .bf16], [DType.f32, .f16, .bf16]) func cast(from: DType, to: DType)
    throws
  {
    var check = OpCheck(Cast(dtype: to))
    check.tolerance = [.f32: 0, .f16: 0, .bf16: 0]
    check.dtypes = [from]
    try check.run { size, dtype in [TensorType(dtype, [3, size])] }
    // Subnormal halves and beyond the largest half.
    for limit in [1e-4, 1e-7, 1e5, 1e38] as [Float] {
      check.ranges[0] = -limit...limit
      try check.run(operands: [TensorType(from, [5, 77])])
    }
  }

  /// The ways in which the second operand repeats over the first one [2, 3, 5, size].
  static let broadcasts: [@Sendable (Int) -> [Int]] = [
    { [2, 3, 5, $0] }, { [$0] }, { [1, 1, 1, $0] }, { [2, 1, 1, $0] }, { _ in [] }, { _ in [1, 1] },
    { _ in [2, 3, 5, 1] },
  ]

  @Test(arguments: [Add(), Subtract(), Multiply(), Divide()] as [any Op], broadcasts.indices)
  func binary(_ op: any Op, _ way: Int) throws {
    let small = ElementwiseKernelTests.broadcasts[way]
    var check = OpCheck(op)
    check.ranges[1] = 0.1...1
    try check.run { size, dtype in [TensorType(dtype, [2, 3, 5, size]), TensorType(dtype, small(size))] }
    check.ranges = [0: 0.1...1]
    try check.run { size, dtype in [TensorType(dtype, small(size)), TensorType(dtype, [2, 3, 5, size])] }
  }

  /// The result has the element type of the first operand.
  @Test(arguments: [DType.f32, .f16, .bf16], [DType.f32, .f16, .bf16]) func mixedTypes(_ a: DType, _ b: DType)
    throws
  {
    try OpCheck(Add()).run(operands: [TensorType(a, [3, 33]), TensorType(b, [33])])
    try OpCheck(Subtract()).run(operands: [TensorType(a, [33]), TensorType(b, [3, 33])])
    try OpCheck(Multiply()).run(operands: [TensorType(a, [301, 331]), TensorType(b, [301, 331])])
  }

  @Test func emptyTensors() throws {
    try OpCheck(Add()).run(operands: [TensorType(.f32, [0, 5]), TensorType(.f32, [5])])
    try OpCheck(Add()).run(operands: [TensorType(.f32, [5, 0]), TensorType(.f32, [5, 0])])
  }
}
