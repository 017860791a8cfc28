import Foundation
import GraphIR
import TestSupport
import Testing

@Suite struct FallbackTests {
  /// x · silu(x · factor), by another op from outside.
  struct Outer: CompositeOp {
    static let id = OpID("lab.fallback", "outer", version: 1)
    var factor: Float
    func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
      try expect(operands, count: 1)
      return [try expectFloat(operands, 0)]
    }
    func decompose(_ operands: [Value]) throws(SDError) -> [Value] {
      [try operands[0].multiplied(by: operands[0].applying(Inner(factor: factor)))]
    }
  }
  struct Inner: CompositeOp {
    static let id = OpID("lab.fallback", "inner", version: 2)
    var factor: Float
    func types(of operands: [TensorType]) throws(SDError) -> [TensorType] { operands }
    func decompose(_ operands: [Value]) throws(SDError) -> [Value] {
      [try operands[0].multiplied(by: operands[0].builder.constant([], [factor])).silu()]
    }
  }
  /// Has an evaluation only.
  struct Opaque: UnaryOp {
    static let id = OpID("lab.fallback", "opaque", version: 1)
    static func apply(_ x: Float) -> Float { x }
  }
  struct Endless: CompositeOp {
    static let id = OpID("lab.fallback", "endless", version: 1)
    func types(of operands: [TensorType]) throws(SDError) -> [TensorType] { operands }
    func decompose(_ operands: [Value]) throws(SDError) -> [Value] {
      [try operands[0].applying(Endless()).exp()]
    }
  }
  struct Wrong: CompositeOp {
    static let id = OpID("lab.fallback", "wrong", version: 1)
    func types(of operands: [TensorType]) throws(SDError) -> [TensorType] { operands }
    func decompose(_ operands: [Value]) throws(SDError) -> [Value] { [try operands[0].sum(axes: [0])] }
  }

  private func sample() throws -> Graph {
    let builder = GraphBuilder(name: "g")
    let x = try builder.input("x", TensorType(.f16, [2, 3]))
    let y = try builder.scope("first") { () throws(SDError) in try x.applying(Outer(factor: 2)) }
    let z = try builder.scope("second") { () throws(SDError) in try y.applying(Outer(factor: 2)) }
    try builder.output("out", z.adding(x.applying(Inner(factor: 0.5))))
    return builder.graph
  }

  @Test func onePerCall() throws {
    let fallbacks = try GraphText.fallbacks(for: sample(), base: .standard)
    #expect(
      fallbacks.map(\.call) == [
        "lab.fallback.outer(f16[2, 3]) {factor = 2.0}", "lab.fallback.inner@2(f16[2, 3]) {factor = 0.5}",
      ])
    #expect(GraphText.call(Outer(factor: 2), [TensorType(.f16, [2, 3])]) == fallbacks[0].call)
    #expect(
      fallbacks[0].graph == """
        graph "lab.fallback.outer" {
          %0 = sd.input() {name = "0", rate = "step", type = "f32[2, 3]"} : f32[2, 3] loc "lab.fallback.outer"
          %1 = sd.constant() {type = "f32[]", values = [2.0]} : f32[] loc "lab.fallback.outer"
          %2 = sd.multiply(%0, %1) : f32[2, 3] loc "lab.fallback.outer"
          %3 = sd.silu(%2) : f32[2, 3] loc "lab.fallback.outer"
          %4 = sd.multiply(%0, %3) : f32[2, 3] loc "lab.fallback.outer"
          output "0" = %4
        }

        """)
  }

  @Test func fallbacksComputeTheSame() throws {
    let graph = try sample()
    let fallbacks = try GraphText.fallbacks(for: graph, base: .standard)
    let replaced = try GraphText.parse(
      GraphText.print(graph), registry: .standard,
      fallbacks: Dictionary(uniqueKeysWithValues: fallbacks.map { ($0.call, $0.graph) }))
    #expect(replaced.nodes.allSatisfy { OpRegistry.standard.contains($0.op) })
    #expect(replaced.nodes.contains { $0.op is SiLU && $0.location == "g.second" })
    #expect(replaced.outputs.map { replaced.type(of: $0.value) } == [TensorType(.f16, [2, 3])])
    let inputs = ["x": Tensor.random([2, 3], seed: 1)]
    #expect(try Interpreter().run(replaced, inputs: inputs) == Interpreter().run(graph, inputs: inputs))
  }

  @Test func inlineDecompositionCasts() throws {
    let builder = GraphBuilder(name: "g")
    let type = TensorType(.bf16, [2, 3])
    let x = try builder.input("x", type)
    let inlined = try builder.inlineDecomposition(of: Outer(factor: 3), [x], resultTypes: [type])
    #expect(inlined.map(\.type) == [type])
    try builder.output("inlined", inlined[0])
    try builder.output("op", x.applying(Outer(factor: 3)))
    let results = try Interpreter().run(builder.graph, inputs: ["x": .random([2, 3], seed: 1)])
    #expect(results["inlined"] == results["op"])
  }

  @Test func opsWithoutDecompositionHaveNone() throws {
    let graph = try makeGraph([TensorType(.f32, [2])]) { (v) throws(SDError) in try v[0].applying(Opaque()) }
    #expect(try GraphText.fallbacks(for: graph, base: .standard) == [])
  }

  @Test func errors() throws {
    let type = TensorType(.f32, [2])
    let endless = try makeGraph([type]) { (v) throws(SDError) in try v[0].applying(Endless()) }
    expectError(.invalid, "[lab.fallback.endless] decomposes into itself") {
      try GraphText.fallbacks(for: endless, base: .standard)
    }
    let wrong = try makeGraph([type]) { (v) throws(SDError) in try v[0].applying(Wrong()) }
    expectError(.invalid, "[lab.fallback.wrong] decomposes into f32[1], its type rule gives f32[2]") {
      try GraphText.fallbacks(for: wrong, base: .standard)
    }
    let text = GraphText.print(wrong)
    let call = "lab.fallback.wrong(f32[2])"
    for (graph, message) in [
      ("graph", "graph text, line 1, column 6: expected a graph's name in quotes, found the end of the text"),
      ("graph \"d\" { }", "[d] decomposes into , its type rule gives f32[2]"),
      (
        "graph \"d\" { %0 = sd.input() {name = \"1\", rate = \"step\", type = \"f32[2]\"} : f32[2] loc \"\" }",
        "graph 'd': input '1' f32[2] is no operand"
      ),
    ] {
      expectError(.invalid, "graph text, line 3, column 8: decomposition of lab.fallback.wrong: \(message)") {
        try GraphText.parse(text, registry: .standard, fallbacks: [call: graph])
      }
    }
  }

  /// Few bytes of text must not become endless work.
  @Test func workIsLimited() throws {
    let builder = GraphBuilder(name: "d")
    var x = try builder.input("0", TensorType(.f32, []))
    for _ in 0..<2000 { x = try x.exp() }
    try builder.output("0", x)
    var text = "graph \"g\" { %0 = sd.constant() {type = \"f32[]\", values = [1]} : f32[] loc \"\"\n"
    for index in 1...600 { text += "%\(index) = lab.fallback.bomb(%0) : f32[] loc \"\"\n" }
    let fallbacks = ["lab.fallback.bomb(f32[])": GraphText.print(builder.graph)]
    expectError(
      .invalid,
      "graph text, line 501, column 8: decomposition of lab.fallback.bomb: "
        + "V7: all decompositions have more than 1000000 nodes"
    ) { try GraphText.parse(text + "}", registry: .standard, fallbacks: fallbacks) }
  }
}
