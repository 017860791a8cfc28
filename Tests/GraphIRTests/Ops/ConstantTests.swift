import GraphIR
import TestSupport
import Testing

@Suite struct ConstantTests {
  @Test func types() throws {
    let builder = GraphBuilder(name: "test")
    #expect(try builder.constant([2], [1, 2]).type == TensorType(.f32, [2]))
    expectError(
      .invalid, "[sd.constant] f32[3] needs another number of values than the 2 it has (C1), at 'test'"
    ) { try builder.constant([3], [1, 2]) }
    expectError(
      .invalid, "[sd.constant] f32[-1] needs another number of values than the 0 it has (C1), at 'test'"
    ) { try builder.constant([-1], []) }
  }

  @Test func values() throws {
    let y = try evaluate(Tensor([], [0])) { (v) throws(SDError) in
      try v[0].builder.constant([2, 1], [3, -4])
    }
    #expect(y == Tensor([2, 1], [3, -4]))
  }

  @Test func equalityIsOfBits() {
    let type = TensorType(.f32, [1])
    #expect(Constant(type: type, values: [0]) != Constant(type: type, values: [-0.0]))
    #expect(Constant(type: type, values: [.nan]) == Constant(type: type, values: [-.nan]))
    #expect(Constant(type: type, values: [1]) != Constant(type: type.with(.f16), values: [1]))
  }
}
