import Foundation
import GraphIR
import TestSupport
import Testing

@Suite struct SineTests {
  @Test func types() throws {
    for type in [TensorType(.f32, []), TensorType(.bf16, [2, 3])] {
      #expect(try resultType(type) { (v) throws(SDError) in try v[0].sine() } == type)
    }
    expectReject(TensorType(.i32, [2]), sentence: "[sd.sine] operand 0 must be floating-point, it is i32[2]") {
      (v) throws(SDError) in try v[0].sine()
    }
  }

  @Test func values() throws {
    let x = Tensor.random([3, 17], seed: 1, in: -4...4)
    let y = try evaluate(x) { (v) throws(SDError) in try v[0].sine() }
    let formula = x.values.map { (value: Float) -> Float in
      let x = Double(value)
      return Float(sin(x))
    }
    expectClose(y, Tensor(x.shape, formula))
  }

  @Test func zero() throws {
    #expect(try evaluate(Tensor([1], [0])) { (v) throws(SDError) in try v[0].sine() }.values == [0])
  }
}
