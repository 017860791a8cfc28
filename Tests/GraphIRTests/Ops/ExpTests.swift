import Foundation
import GraphIR
import TestSupport
import Testing

@Suite struct ExpTests {
  @Test func types() throws {
    for type in [TensorType(.f32, []), TensorType(.bf16, [2, 3])] {
      #expect(try resultType(type) { (v) throws(SDError) in try v[0].exp() } == type)
    }
    expectReject(TensorType(.i32, [2]), sentence: "[sd.exp] operand 0 must be floating-point, it is i32[2]") {
      (v) throws(SDError) in try v[0].exp()
    }
  }

  @Test func values() throws {
    let x = Tensor.random([3, 17], seed: 1, in: -4...4)
    let y = try evaluate(x) { (v) throws(SDError) in try v[0].exp() }
    let formula = x.values.map { (value: Float) -> Float in
      let x = Double(value)
      return Float(exp(x))
    }
    expectClose(y, Tensor(x.shape, formula))
  }

  @Test func edges() throws {
    let y = try evaluate(Tensor([4], [0, -.infinity, 100, 1])) { (v) throws(SDError) in try v[0].exp() }
    #expect(y.values == [1, 0, .infinity, 2.7182817])
  }
}
