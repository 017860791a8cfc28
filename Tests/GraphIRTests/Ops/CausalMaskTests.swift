import GraphIR
import TestSupport
import Testing

@Suite struct CausalMaskTests {
  @Test func values() throws {
    let mask = try evaluate(Tensor([], [0])) { (v) throws(SDError) in try v[0].builder.causalMask(3) }
    let hidden = -Float.infinity
    #expect(mask == Tensor([3, 3], [0, hidden, hidden, 0, 0, hidden, 0, 0, 0]))
  }

  @Test func types() {
    expectError(.invalid, "[sd.causal_mask] size must be at least 1, it is 0, at 'test'") {
      try GraphBuilder(name: "test").causalMask(0)
    }
  }
}
