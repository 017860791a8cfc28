import GraphIR
import TestSupport
import Testing

@Suite struct TextTests {
  @Test func propertyRandomGraphs() throws {
    #expect(Set(RandomGraph.opNames) == Set(OpRegistry.standard.names))
    for seed in 0..<400 as Range<UInt64> {
      let graph = try RandomGraph.make(seed: seed)
      try Verifier().verify(graph)
      let text = GraphText.print(graph)
      let parsed = try GraphText.parse(text, registry: .standard)
      #expect(parsed == graph)
      #expect(GraphText.print(parsed) == text)
    }
  }
}
