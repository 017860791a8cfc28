import Foundation
import GraphIR
import TestSupport
import Testing

@Suite struct TimestepEmbeddingTests {
  @Test func types() throws {
    #expect(
      try resultType(TensorType(.f32, [5])) { (v) throws(SDError) in try v[0].timestepEmbedding(320) }
        == TensorType(.f32, [5, 320]))
    for dimension in [3, 0, -2, 1 << 40] {
      expectReject(
        TensorType(.f32, [1]),
        sentence:
          "[sd.timestep_embedding] dimension (\(dimension)) must be even, at most 65536, and its half above "
          + "shift (0.0) (C1)"
      ) { (v) throws(SDError) in try v[0].timestepEmbedding(dimension) }
    }
    expectReject(
      TensorType(.f32, [1]),
      sentence:
        "[sd.timestep_embedding] dimension (2) must be even, at most 65536, and its half above shift (1.0) (C1)"
    ) { (v) throws(SDError) in try v[0].timestepEmbedding(2, shift: 1) }
  }

  @Test(arguments: [(true, Float(0)), (false, 1)]) func formula(flip: Bool, shift: Float) throws {
    let timesteps: [Float] = [0, 1, 981]
    let y = try evaluate(Tensor([3], timesteps)) { (v) throws(SDError) in
      try v[0].timestepEmbedding(8, flipSinToCos: flip, shift: shift)
    }
    let expected = Tensor([3, 8]) { index in
      let angle = Double(timesteps[index[0]]) * pow(10000, -Double(index[1] % 4) / (4 - Double(shift)))
      return (index[1] < 4) == flip ? cos(angle) : sin(angle)
    }
    expectClose(y, expected, nmse: 1e-9)  // float32 angles of up to 981 radians
  }
}
