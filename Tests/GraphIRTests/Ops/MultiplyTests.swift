import GraphIR
import TestSupport
import Testing

@Suite struct MultiplyTests {
  @Test func types() throws {
    let type = try resultType(TensorType(.f16, [2, 1]), TensorType(.f32, [4, 1, 3])) { (v) throws(SDError) in
      try v[0].multiplied(by: v[1])
    }
    #expect(type == TensorType(.f16, [4, 2, 3]))
    expectReject(
      TensorType(.f32, [2, 3]), TensorType(.f32, [2]),
      sentence: "[sd.multiply] cannot broadcast f32[2, 3] and f32[2] (C1)"
    ) { (v) throws(SDError) in try v[0].multiplied(by: v[1]) }
    expectReject(
      TensorType(.f32, [2]), TensorType(.i64, [2]),
      sentence: "[sd.multiply] operand 1 must be floating-point, it is i64[2]"
    ) { (v) throws(SDError) in try v[0].multiplied(by: v[1]) }
  }

  @Test func broadcasts() throws {
    let row = Tensor([3], [1, 2, 3])
    let column = Tensor([2, 1], [10, 20])
    let result = try evaluate(row, column) { (v) throws(SDError) in try v[0].multiplied(by: v[1]) }
    #expect(result == Tensor([2, 3], [10, 20, 30, 20, 40, 60]))
  }

  @Test func values() throws {
    let (x, y) = (Tensor.random([2, 5], seed: 1), Tensor.random([2, 5], seed: 2, in: 1...2))
    let result = try evaluate(x, y) { (v) throws(SDError) in try v[0].multiplied(by: v[1]) }
    #expect(result.values == zip(x.values, y.values).map { $0 * $1 })
  }
}
