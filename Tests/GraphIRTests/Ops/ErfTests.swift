import Foundation
import GraphIR
import TestSupport
import Testing

@Suite struct ErfTests {
  @Test func types() throws {
    for type in [TensorType(.f32, []), TensorType(.bf16, [2, 3])] {
      #expect(try resultType(type) { (v) throws(SDError) in try v[0].erf() } == type)
    }
    expectReject(TensorType(.i32, [2]), sentence: "[sd.erf] operand 0 must be floating-point, it is i32[2]") {
      (v) throws(SDError) in try v[0].erf()
    }
  }

  @Test func values() throws {
    let x = Tensor.random([3, 17], seed: 1, in: -4...4)
    let y = try evaluate(x) { (v) throws(SDError) in try v[0].erf() }
    let formula = x.values.map { (value: Float) -> Float in
      let x = Double(value)
      return Float(erf(x))
    }
    expectClose(y, Tensor(x.shape, formula))
  }

  @Test func edges() throws {
    let y = try evaluate(Tensor([3], [0, -10, 10])) { (v) throws(SDError) in try v[0].erf() }
    #expect(y.values == [0, -1, 1])
  }
}
