import Foundation
import GraphIR
import TestSupport
import Testing

@Suite struct SoftmaxTests {
  @Test func types() throws {
    let type = TensorType(.f16, [2, 3])
    #expect(try resultType(type) { (v) throws(SDError) in try v[0].softmax() } == type)
    expectReject(
      TensorType(.f32, []), sentence: "[sd.softmax] operand 0 must have rank 1 to 8, it is f32[]"
    ) { (v) throws(SDError) in try v[0].softmax() }
  }

  @Test func formula() throws {
    let x = Tensor.random([3, 7], seed: 1, in: -5...5)
    let y = try evaluate(x) { (v) throws(SDError) in try v[0].softmax() }
    let expected = Tensor([3, 7]) { index in
      exp(x[index[0], index[1]]) / (0..<7).reduce(0) { $0 + exp(x[index[0], $1]) }
    }
    expectClose(y, expected)
  }

  @Test func largeScoresAndMasks() throws {
    let y = try evaluate(Tensor([1, 3], [1000, 1000, -.infinity])) { (v) throws(SDError) in try v[0].softmax()
    }
    #expect(y.values == [0.5, 0.5, 0])
  }
}
