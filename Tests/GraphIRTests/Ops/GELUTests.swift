import Foundation
import GraphIR
import TestSupport
import Testing

@Suite struct GELUTests {
  @Test func types() throws {
    for type in [TensorType(.f32, []), TensorType(.bf16, [2, 3])] {
      #expect(try resultType(type) { (v) throws(SDError) in try v[0].gelu() } == type)
    }
    expectReject(TensorType(.i32, [2]), sentence: "[sd.gelu] operand 0 must be floating-point, it is i32[2]") {
      (v) throws(SDError) in try v[0].gelu()
    }
  }

  @Test func values() throws {
    let x = Tensor.random([3, 17], seed: 1, in: -4...4)
    let y = try evaluate(x) { (v) throws(SDError) in try v[0].gelu() }
    let formula = x.values.map { (value: Float) -> Float in
      let x = Double(value)
      return Float(x * (1 + erf(x / 2.0.squareRoot())) / 2)
    }
    expectClose(y, Tensor(x.shape, formula))
  }

  @Test func edges() throws {
    let y = try evaluate(Tensor([3], [0, 10, -10])) { (v) throws(SDError) in try v[0].gelu() }
    #expect(y.values == [0, 10, 0])
  }
}
