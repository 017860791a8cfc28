import GraphIR
import GraphRuntime
import TestSupport
import Testing

/// Copies change no element, so the tolerance is zero; integers move as well.
@Suite struct MovementKernelTests {
  private func check(_ op: any Op) -> OpCheck {
    var check = OpCheck(op)
    check.tolerance = [.f32: 0, .f16: 0, .bf16: 0, .i32: 0, .i64: 0]
    check.ranges[0] = -100...100
    return check
  }

  private static let dtypes: [DType] = [.f32, .f16, .bf16, .i32, .i64]

  /// As a kernel it copies rows of a view; as a view of its own it needs none.
  @Test(arguments: dtypes) func reshape(_ dtype: DType) throws {
    for size in OpCheck(Add()).sizes {
      try check(Reshape(shape: [size, 6])).run(operands: [TensorType(dtype, [2, 3, size])])
    }
    try check(Reshape(shape: [331 * 301])).run(operands: [TensorType(dtype, [301, 331])])
  }

  @Test(arguments: [[1, 0, 2], [2, 1, 0], [0, 2, 1], [2, 0, 1], [0, 1, 2]], dtypes)
  func transpose(_ permutation: [Int], _ dtype: DType) throws {
    for size in OpCheck(Add()).sizes {
      try check(Transpose(permutation: permutation)).run(operands: [TensorType(dtype, [3, 5, size])])
      try check(Transpose(permutation: permutation)).run(operands: [TensorType(dtype, [size, 2, 7])])
    }
    try check(Transpose(permutation: permutation)).run(operands: [TensorType(dtype, [41, 43, 37])])
  }

  @Test(arguments: [[0], [1, 0], [0, 2, 1, 3], [3, 2, 1, 0], [4, 0, 3, 1, 2]])
  func transposeOfRank(_ permutation: [Int]) throws {
    let shape = Array([2, 3, 4, 5, 7].prefix(permutation.count))
    try check(Transpose(permutation: permutation)).run(operands: [TensorType(.f32, shape)])
  }

  @Test(arguments: [0, 1, 2], dtypes) func slice(_ axis: Int, _ dtype: DType) throws {
    for size in OpCheck(Add()).sizes {
      var shape = [3, 5, 7]
      shape[axis] = size + 3
      try check(Slice(axis: axis, start: 1, end: size + 1)).run(operands: [TensorType(dtype, shape)])
    }
  }

  @Test(arguments: [0, 1, 2, 3], dtypes) func concat(_ axis: Int, _ dtype: DType) throws {
    for size in OpCheck(Add()).sizes {
      let operands = [size, 1, 5].map { length in
        var shape = [2, 3, 4, 6]
        shape[axis] = length
        return TensorType(dtype, shape)
      }
      var check = check(Concat(axis: axis))
      check.ranges = [0: -9...9, 1: -9...9, 2: -9...9]
      try check.run(operands: operands)
    }
    let large = TensorType(dtype, [1, 41, 43, 37])
    try check(Concat(axis: axis)).run(operands: [large, large])
  }

  @Test(arguments: [[1, 1], [10, 14], [5, 7], [9, 11], [3, 2], [64, 64]])
  func upsampleNearest(_ size: [Int]) throws {
    let check = check(UpsampleNearest(height: size[0], width: size[1]))
    try check.run { channels, dtype in [TensorType(dtype, [2, 5, 7, channels])] }
  }

  /// The quotient of the sizes is rounded: row 29 of 58 is row 14 of 30.
  @Test func upsampleByOddFactor() throws {
    try check(UpsampleNearest(height: 58, width: 82)).run(operands: [TensorType(.f32, [1, 30, 2, 5])])
  }

  @Test(arguments: [DType.i32, .i64]) func gather(_ ids: DType) throws {
    var check = check(Gather())
    check.ranges[1] = 0...10.5
    try check.run { columns, dtype in [TensorType(dtype, [11, columns]), TensorType(ids, [2, 5])] }
    try check.run(operands: [TensorType(.f32, [11, 768]), TensorType(ids, [1, 77])])
  }

  @Test func selectRow() throws {
    var check = check(SelectRow())
    check.ranges[1] = 10...10.5
    try check.run { columns, dtype in [TensorType(dtype, [11, columns]), TensorType(.i32, [1])] }
  }
}
