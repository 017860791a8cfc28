import GraphIR
import TestSupport
import Testing

@Suite struct GraphDotTests {
  private func sample() throws -> Graph {
    let builder = GraphBuilder(name: "g \"1\"")
    let x = try builder.at("unet.in") { () throws(SDError) in try builder.input("a\\b", TensorType(.f32, [4]))
    }
    let halves = try builder.at("unet.mid.0.x") { () throws(SDError) in try builder.results(of: Halves(), [x])
    }
    try builder.output("out\n", halves[1])
    return builder.graph
  }

  @Test func plain() throws {
    #expect(
      GraphDot.print(try sample(), depth: 0) == #"""
        digraph "g \"1\"" {
          node [shape=box, fontname="sans-serif", style=filled, fillcolor=white]
            n0 [label="sd.input\n{name = \"a\\\\b\", rate = \"step\", type = \"f32[4]\"}\nf32[4]", tooltip="unet.in", fillcolor=lightgrey]
            n1 [label="lab.text.halves\nf32[2]\nf32[2]", tooltip="unet.mid.0.x"]
          n0 -> n1
          o0 [label="out\n", shape=oval]
          n1 -> o0 [label="#1"]
        }

        """#)
  }

  @Test func framesByLocation() throws {
    let text = GraphDot.print(try sample(), depth: 2)
    #expect(text.contains("  subgraph cluster_0 {\n    label=\"unet.in\"\n    n0 "))
    #expect(text.contains("  subgraph cluster_1 {\n    label=\"unet.mid\"\n    n1 "))
  }
}
