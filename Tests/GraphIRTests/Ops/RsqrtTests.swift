import Foundation
import GraphIR
import TestSupport
import Testing

@Suite struct RsqrtTests {
  @Test func types() throws {
    for type in [TensorType(.f32, []), TensorType(.bf16, [2, 3])] {
      #expect(try resultType(type) { (v) throws(SDError) in try v[0].rsqrt() } == type)
    }
    expectReject(TensorType(.i32, [2]), sentence: "[sd.rsqrt] operand 0 must be floating-point, it is i32[2]") {
      (v) throws(SDError) in try v[0].rsqrt()
    }
  }

  @Test func values() throws {
    let x = Tensor.random([3, 17], seed: 1, in: 0.01...4)
    let y = try evaluate(x) { (v) throws(SDError) in try v[0].rsqrt() }
    let formula = x.values.map { (value: Float) -> Float in
      let x = Double(value)
      return Float(1 / x.squareRoot())
    }
    expectClose(y, Tensor(x.shape, formula))
  }

  @Test func edges() throws {
    let y = try evaluate(Tensor([3], [4, 0.25, 0])) { (v) throws(SDError) in try v[0].rsqrt() }
    #expect(y.values == [0.5, 2, .infinity])
  }
}
