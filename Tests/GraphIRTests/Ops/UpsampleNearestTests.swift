import GraphIR
import TestSupport
import Testing

@Suite struct UpsampleNearestTests {
  @Test func types() throws {
    #expect(
      try resultType(TensorType(.f16, [2, 3, 4, 5])) { (v) throws(SDError) in
        try v[0].upsampleNearest(height: 6, width: 9)
      } == TensorType(.f16, [2, 6, 9, 5]))
    for (height, width) in [(0, 1), (1, -1), (1 << 31, 1), (.max, .max)] {
      expectReject(
        TensorType(.f32, [1, 1, 1, 1]),
        sentence: "[sd.upsample_nearest] cannot resize to \(height)x\(width) (C1)"
      ) { (v) throws(SDError) in try v[0].upsampleNearest(height: height, width: width) }
    }
    expectReject(
      TensorType(.f32, [1, 1, 1]),
      sentence: "[sd.upsample_nearest] operand 0 must have rank 4, it is f32[1, 1, 1]"
    ) { (v) throws(SDError) in try v[0].upsampleNearest(height: 1, width: 1) }
  }

  @Test func doubles() throws {
    let x = Tensor([1, 1, 2, 2], [1, 2, 3, 4])
    let y = try evaluate(x) { (v) throws(SDError) in try v[0].upsampleNearest(height: 2, width: 4) }
    #expect(y == Tensor([1, 2, 4, 2], [1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4]))
  }

  /// 3 rows to 5: rows ⌊i · 3 / 5⌋.
  @Test func uneven() throws {
    let x = Tensor([1, 3, 1, 1], [10, 20, 30])
    let y = try evaluate(x) { (v) throws(SDError) in try v[0].upsampleNearest(height: 5, width: 1) }
    #expect(y.values == [10, 10, 20, 20, 30])
  }
}
