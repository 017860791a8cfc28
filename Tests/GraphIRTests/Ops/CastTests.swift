import GraphIR
import TestSupport
import Testing

@Suite struct CastTests {
  @Test func types() throws {
    #expect(
      try resultType(TensorType(.f32, [2])) { (v) throws(SDError) in try v[0].cast(to: .bf16) }.dtype == .bf16
    )
    expectReject(
      TensorType(.f32, [2]), sentence: "[sd.cast] converts to floating-point types, not to i32 (C1)"
    ) { (v) throws(SDError) in try v[0].cast(to: .i32) }
    expectReject(
      TensorType(.i32, [2]), sentence: "[sd.cast] operand 0 must be floating-point, it is i32[2]"
    ) { (v) throws(SDError) in try v[0].cast(to: .f32) }
  }

  @Test func sameTypeIsNoNode() throws {
    let builder = GraphBuilder(name: "test")
    let x = try builder.input("x", TensorType(.f16, [2]))
    #expect(try x.cast(to: .f16).id == x.id)
  }

  /// Halves between two neighbours go to the even one; beyond 65520 float16 has no number.
  @Test func rounding() throws {
    let x = Tensor([5], [0x1.002p0, 0x1.006p0, 65519, 65520, 1e-8])
    let half = try evaluate(x) { (v) throws(SDError) in try v[0].cast(to: .f16) }
    #expect(half.values == [1, 0x1.008p0, 65504, .infinity, 0])
    let brain = try evaluate(Tensor([3], [0x1.01p0, 0x1.03p0, 3.4e38])) { (v) throws(SDError) in
      try v[0].cast(to: .bf16)
    }
    #expect(brain.values == [1, 0x1.04p0, .infinity])
  }
}
