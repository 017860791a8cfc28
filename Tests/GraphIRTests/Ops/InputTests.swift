import GraphIR
import TestSupport
import Testing

@Suite struct InputTests {
  @Test func ratesAreOrdered() {
    #expect(Rate.allCases == [.constant, .prompt, .schedule, .step])
    #expect(Rate.allCases.sorted() == Rate.allCases)
  }

  @Test func types() throws {
    let builder = GraphBuilder(name: "test")
    let x = try builder.input("x", TensorType(.i64, [1, 77]), rate: .prompt)
    #expect(x.type == TensorType(.i64, [1, 77]))
    #expect(builder.graph.inputs.map(\.input) == [Input(name: "x", type: x.type, rate: .prompt)])
    expectError(.invalid, "[sd.input] takes 0 operands, it has 1") {
      try Input(name: "x", type: x.type).types(of: [x.type])
    }
  }

  @Test func hasNoValueOfItsOwn() {
    expectError(.usage, "no tensor for input 'x' f32[2]") {
      try Input(name: "x", type: TensorType(.f32, [2])).evaluate([])
    }
  }
}
