import GraphIR
import TestSupport
import Testing

@Suite struct ActivationTests {
  @Test func names() {
    #expect(Activation.allCases.map(\.rawValue) == ["silu", "gelu", "quick_gelu"])
  }

  @Test func nilIsTheIdentity() throws {
    let builder = GraphBuilder(name: "test")
    let x = try builder.input("x", TensorType(.f16, [2]))
    #expect(try x.activated(nil).id == x.id)
    #expect(try x.activated(.gelu).id == x.gelu().id)
    #expect(try x.activated(.silu).id == x.silu().id)
    #expect(try x.activated(.quickGELU).id == x.quickGELU().id)
  }
}
