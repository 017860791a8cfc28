import GraphIR
import TestSupport
import Testing

@Suite struct ParameterTests {
  @Test func types() throws {
    let builder = GraphBuilder(name: "test")
    let w = try builder.parameter("w", [2, 3])
    #expect(w.type == TensorType(.f32, [2, 3]))
    #expect(builder.graph.parameters.map(\.parameter) == [Parameter(name: "w", type: w.type)])
    expectError(.invalid, "[sd.parameter] takes 0 operands, it has 1") {
      try Parameter(name: "w", type: w.type).types(of: [w.type])
    }
  }

  @Test func hasNoValueOfItsOwn() {
    expectError(.invalid, "no tensor for parameter 'w'") {
      try Parameter(name: "w", type: TensorType(.f32, [2])).evaluate([])
    }
  }
}
