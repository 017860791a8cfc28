/// Graphs as DOT, which Graphviz draws and Netron opens.
public enum GraphDot {
  /// A drawing of a graph: a box a node with op, attributes and type, data flowing down.
  ///
  /// - Parameter depth: nodes whose locations share that many leading components (`unet.down_blocks.0` has three)
  ///   are drawn in one frame; 0 draws no frames.
  public static func print(_ graph: Graph, depth: Int = 3) -> String {
    var frames: [String: [Int]] = [:]
    for (index, node) in graph.nodes.enumerated() {
      let components = node.location.split(separator: ".", omittingEmptySubsequences: false)
      frames[components.prefix(max(0, depth)).joined(separator: "."), default: []].append(index)
    }
    var text = "digraph \(label(graph.name)) {\n"
    text += "  node [shape=box, fontname=\"sans-serif\", style=filled, fillcolor=white]\n"
    for (number, frame) in frames.sorted(by: { $0.key < $1.key }).enumerated() {
      if depth > 0 { text += "  subgraph cluster_\(number) {\n    label=\(label(frame.key))\n" }
      for index in frame.value { text += "    n\(index) \(style(of: graph.nodes[index]))\n" }
      if depth > 0 { text += "  }\n" }
    }
    for (index, node) in graph.nodes.enumerated() {
      for operand in node.operands {
        text += "  n\(operand.node.index) -> n\(index)\(mark(operand, graph))\n"
      }
    }
    for (index, output) in graph.outputs.enumerated() {
      text += "  o\(index) [label=\(label(output.name)), shape=oval]\n"
      text += "  n\(output.value.node.index) -> o\(index)\(mark(output.value, graph))\n"
    }
    return text + "}\n"
  }

  private static func style(of node: Graph.Node) -> String {
    let attributes = GraphText.attributes(of: node.op).description
    let shown =
      attributes == "{}" ? "" : "\n" + (attributes.count > 96 ? attributes.prefix(95) + "…" : attributes)
    let types = node.types.map(\.description).joined(separator: "\n")
    let color = node.operands.isEmpty ? ", fillcolor=lightgrey" : ""
    let text = label("\(type(of: node.op).id)\(shown)\n\(types)")
    return "[label=\(text), tooltip=\(label(node.location))\(color)]"
  }

  /// Which result an edge carries, where there are several.
  private static func mark(_ value: ValueID, _ graph: Graph) -> String {
    graph[value.node].types.count == 1 ? "" : " [label=\"#\(value.result)\"]"
  }

  /// A quoted DOT string: backslash and quote escaped, lines as `\n`, other control characters as blanks.
  private static func label(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case "\n": result += "\\n"
      case _ where scalar.isControl: result += " "
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
