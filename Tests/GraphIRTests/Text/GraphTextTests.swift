import GraphIR
import TestSupport
import Testing

@Suite struct GraphTextTests {
  private let sample = #"""
    graph "unet" {
      %0 = sd.input() {name = "sample", rate = "step", type = "f32[1, 4, 4, 3]"} : f32[1, 4, 4, 3] loc "unet"
      %1 = sd.parameter() {name = "conv_in.weight", type = "f32[2, 3, 3, 3]"} : f32[2, 3, 3, 3] loc "unet.conv_in"
      %2 = sd.conv2d(%0, %1) {padding = {bottom = 1, left = 1, right = 1, top = 1}, stride = 2} : f32[1, 2, 2, 2] loc "unet.conv_in"
      %3 = sd.constant() {type = "f32[]", values = [-0.70710677]} : f32[] loc "unet.scale"
      %4 = sd.multiply(%2, %3) : f32[1, 2, 2, 2] loc "unet.scale"
      %5 = sd.cast(%4) {dtype = "bf16"} : bf16[1, 2, 2, 2] loc "unet \"q\" \\ Ω"
      output "out" = %5
      output "skip" = %2
    }

    """#

  private func build() throws -> Graph {
    let builder = GraphBuilder(name: "unet")
    let x = try builder.input("sample", TensorType(.f32, [1, 4, 4, 3]))
    let y = try builder.scope("conv_in") { () throws(SDError) in
      try x.conv2d(builder.parameter("conv_in.weight", [2, 3, 3, 3]), stride: 2, padding: Padding(1))
    }
    let z = try builder.scope("scale") { () throws(SDError) in
      try y.multiplied(by: builder.constant([], [-Float(0.5).squareRoot()]))
    }
    try builder.at(#"unet "q" \ Ω"#) { () throws(SDError) in try builder.output("out", z.cast(to: .bf16)) }
    try builder.output("skip", y)
    return builder.graph
  }

  @Test func printsOneNodeALine() throws {
    #expect(GraphText.print(try build()) == sample)
  }

  @Test func parsesWhatItPrints() throws {
    let graph = try GraphText.parse(sample, registry: .standard)
    #expect(try graph == build())
    #expect(GraphText.print(graph) == sample)
  }

  @Test func layoutIsFree() throws {
    let joined = sample.split(separator: "\n").joined(separator: "\t ")
    #expect(try GraphText.parse(joined, registry: .standard) == build())
    let renumbered = sample.replacing("%5", with: "%55").replacing("%0", with: "%7")
    #expect(try GraphText.parse(renumbered, registry: .standard) == build())
  }

  @Test func randomGraphsRoundTrip() throws {
    #expect(Set(RandomGraph.opNames) == Set(OpRegistry.standard.names))
    for seed in 0..<300 as Range<UInt64> {
      let graph = try RandomGraph.make(seed: seed)
      try Verifier().verify(graph)
      let text = GraphText.print(graph)
      let parsed = try GraphText.parse(text, registry: .standard)
      #expect(parsed == graph)
      #expect(GraphText.print(parsed) == text)
    }
  }

  @Test func unusualNumbersRoundTrip() throws {
    let builder = GraphBuilder(name: "")
    let values: [Float] = [
      .infinity, -.infinity, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude, .nan, 1e10,
    ]
    try builder.output("", builder.constant([7], values))
    let text = GraphText.print(builder.graph)
    #expect(text.contains("values = [inf, -inf, -0.0, 1e-45, 3.4028235e+38, nan, 1e+10]"))
    #expect(try GraphText.parse(text, registry: .standard) == builder.graph)
  }

  @Test func severalResults() throws {
    let registry = try extended(Halves.self)
    let builder = GraphBuilder(name: "g")
    let x = try builder.input("x", TensorType(.f32, [4]))
    let halves = try builder.results(of: Halves(), [x])
    try builder.output("out", halves[1].adding(halves[0]))
    try builder.output("second", halves[1])
    let text = GraphText.print(builder.graph)
    #expect(
      text == """
        graph "g" {
          %0 = sd.input() {name = "x", rate = "step", type = "f32[4]"} : f32[4] loc "g"
          %1:2 = lab.text.halves(%0) : f32[2], f32[2] loc "g"
          %2 = sd.add(%1#1, %1#0) : f32[2] loc "g"
          output "out" = %2
          output "second" = %1#1
        }

        """)
    #expect(try GraphText.parse(text, registry: registry) == builder.graph)
  }

  private func extended(_ op: any Op.Type) throws -> OpRegistry {
    var registry = OpRegistry.standard
    try registry.register(op)
    return registry
  }
}

/// A mutation of a valid text is a graph or an error, never a trap.
@Suite struct GraphTextFuzzTests {
  @Test func truncations() throws {
    let text = Array(GraphText.print(try RandomGraph.make(seed: 11, steps: 6)).utf8)
    for length in 0..<text.count - 2 {
      #expect(throws: SDError.self) {
        try GraphText.parse(String(decoding: text[..<length], as: UTF8.self), registry: .standard)
      }
    }
  }

  @Test(arguments: 0..<20 as Range<UInt64>) func mutations(seed: UInt64) throws {
    let text = Array(GraphText.print(try RandomGraph.make(seed: seed, steps: 6)).utf8)
    var random = SplitMix64(seed: seed)
    let alphabet = Array("0123456789-+.eE#%:,=(){}[]\"\\ nf@_u\u{0}\u{FF}".utf8)
    var accepted = 0
    for _ in 0..<100 {
      var mutated = text
      let position = Int.random(in: mutated.indices, using: &random)
      switch Int.random(in: 0...3, using: &random) {
      case 0: mutated[position] = UInt8.random(in: 0...255, using: &random)
      case 1: mutated.remove(at: position)
      case 2: mutated.insert(alphabet.randomElement(using: &random) ?? 0, at: position)
      default: mutated[position] = alphabet.randomElement(using: &random) ?? 0
      }
      if try isAccepted(String(decoding: mutated, as: UTF8.self)) { accepted += 1 }
    }
    #expect(accepted > 0)
  }

  /// Numbers at the edges of their types in every place where a number stands.
  @Test func hugeNumbers() throws {
    let text = GraphText.print(try RandomGraph.make(seed: 5, steps: 7))
    for match in text.matches(of: /\d+/) {
      for number in ["0", "2147483647", "2147483648", "9223372036854775807", "18446744073709551615"] {
        let (before, after) = (text[..<match.range.lowerBound], text[match.range.upperBound...])
        _ = try isAccepted(before + number + after)
      }
    }
  }

  /// Whether a text is a graph; whatever is accepted prints as itself, has FLOPs, and can be taken apart.
  private func isAccepted(_ text: String) throws -> Bool {
    let graph: Graph
    do {
      graph = try GraphText.parse(text, registry: .standard)
    } catch {
      #expect(!error.message.isEmpty)
      return false
    }
    let printed = GraphText.print(graph)
    #expect(try GraphText.print(GraphText.parse(printed, registry: .standard)) == printed)
    #expect(graph.flops >= 0)
    let ops = OpRegistry.standard.names.compactMap { OpRegistry.standard[$0] }
    _ = try? GraphText.fallbacks(for: graph, base: OpRegistry(ops.filter { $0 is any PrimitiveOp.Type }))
    return true
  }
}

/// Cuts a vector into halves.
struct Halves: PrimitiveOp {
  static let id = OpID("lab.text", "halves", version: 1)

  func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 1)
    let half = try expectFloat(operands, 0, rank: 1...1).with(shape: [operands[0].shape[0] / 2])
    return [half, half]
  }

  func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] {
    let half = operands[0].values.count / 2
    return [0, half].map { Tensor([half], Array(operands[0].values[$0..<$0 + half])) }
  }
}
