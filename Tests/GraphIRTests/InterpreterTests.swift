import Foundation
import GraphIR
import TestSupport
import Testing

@Suite struct InterpreterTests {
  @Test func everyRandomGraphEvaluates() throws {
    for seed in 0..<60 as Range<UInt64> {
      let graph = try RandomGraph.make(seed: seed)
      let results = try Interpreter().run(graph, inputs: RandomGraph.inputs(of: graph, seed: seed)) {
        (parameter) throws(SDError) in RandomGraph.parameter(parameter, seed: seed)
      }
      #expect(results.count == graph.outputs.count)
      for output in graph.outputs { #expect(results[output.name]?.type == graph.type(of: output.value)) }
    }
  }

  /// Steps above 1 are 2⁻¹⁰ in float16 and 2⁻⁷ in bfloat16; halves of them round to even.
  @Test(arguments: [
    (DType.f16, 0x1.002p0, 0x1.0p0), (.f16, 0x1.006p0, 0x1.008p0), (.f16, 65520, Double.infinity),
    (.bf16, 0x1.01p0, 0x1.0p0), (.bf16, 0x1.03p0, 0x1.04p0),
  ]) func storageRounds(dtype: DType, value: Double, stored: Double) throws {
    let result = try evaluate(Tensor([1], [Float(value)])) { (v) throws(SDError) in try v[0].cast(to: dtype) }
    #expect(result == Tensor(TensorType(dtype, [1]), [Float(stored)]))
  }

  /// A composite computes in float32 inside and rounds once; built of float16 nodes it rounds twice.
  @Test func compositesRoundOnce() throws {
    let x = Tensor(TensorType(.f16, [1]), [0.625])
    let sigmoid = 1 / (1 + exp(Float(-0.625)))
    let once = try evaluate(x) { (v) throws(SDError) in try v[0].silu() }
    #expect(once.values == [Float(Float16(0.625 * sigmoid))])
    let twice = try evaluate(x) { (v) throws(SDError) in try v[0].multiplied(by: v[0].sigmoid()) }
    #expect(twice.values == [Float(Float16(0.625 * Float(Float16(sigmoid))))])
    #expect(once != twice)
  }

  /// Sums do not round on the way: 2048 + 1 + 1 in float16 is 2050, although 2048 + 1 rounds to 2048.
  @Test func sumsAreWide() throws {
    let x = Tensor(TensorType(.f16, [3]), [2048, 1, 1])
    #expect(try evaluate(x) { (v) throws(SDError) in try v[0].sum(axes: [0]) }.values == [2050])
  }

  @Test func inputsAreRounded() throws {
    let builder = GraphBuilder(name: "g")
    try builder.output("out", builder.input("x", TensorType(.bf16, [1])))
    let result = try Interpreter().run(builder.graph, inputs: ["x": Tensor([1], [1 + 1.0 / 512])])
    #expect(result["out"]?.values == [1])
  }

  @Test func parametersAreAskedForWhenNeeded() throws {
    let builder = GraphBuilder(name: "g")
    _ = try builder.parameter("unused", [1])
    try builder.output("out", builder.parameter("w", [2]))
    let result = try Interpreter().run(builder.graph, inputs: [:]) { (parameter) throws(SDError) in
      guard parameter.name == "w" else { throw SDError(.usage, "asked for \(parameter.name)") }
      return Tensor([2], [3, 4])
    }
    #expect(result["out"]?.values == [3, 4])
  }

  @Test func errors() throws {
    let builder = GraphBuilder(name: "g")
    let x = try builder.input("x", TensorType(.f32, [2]))
    try builder.output("out", x.multiplied(by: builder.parameter("w", [2])))
    let graph = builder.graph
    expectError(.usage, "no tensor for input 'x' f32[2]") { try Interpreter().run(graph, inputs: [:]) }
    expectError(.usage, "input 'x' must be f32[2], it is f32[3]") {
      try Interpreter().run(graph, inputs: ["x": Tensor([3], [1, 2, 3])])
    }
    expectError(.invalid, "no tensor for parameter 'w'") {
      try Interpreter().run(graph, inputs: ["x": Tensor([2], [1, 2])])
    }
  }
}
