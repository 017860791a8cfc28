/// The text form of graphs: read by people, compared line by line, and parsed back into the same graph.
///
///     graph "unet" {
///       %0 = sd.input() {name = "sample", rate = "step", type = "f32[2, 64, 64, 4]"} : f32[2, 64, 64, 4] loc "unet"
///       %3 = sd.conv2d(%0, %2) {padding = {…}, stride = 1} : f32[2, 64, 64, 320] loc "unet.conv_in"
///       %4:2 = lab.example.split(%3) : f32[2, 64, 64, 160], f32[2, 64, 64, 160] loc "unet.split"
///       output "out" = %4#1
///     }
///
/// One node a line; numbers are positions, attributes are sorted by name, an op without attributes has none.
/// Floats are the shortest that read back exactly, `inf`, `-inf` or `nan`. Attributes follow from `Codable`;
/// sets, and dictionaries with keys other than `String` and `Int`, have no fixed order there.
public enum GraphText {
  /// The text of a graph; the same graph always gives the same text.
  public static func print(_ graph: Graph) -> String {
    var text = "graph \(graph.name.quoted) {\n"
    for (index, node) in graph.nodes.enumerated() {
      text += node.types.count == 1 ? "  %\(index) = " : "  %\(index):\(node.types.count) = "
      let operands = node.operands.map { use($0, of: graph) }
      append(Swift.type(of: node.op).id, operands, attributes(of: node.op), to: &text)
      text += " : \(node.types.map(\.description).joined(separator: ", ")) loc \(node.location.quoted)\n"
    }
    for output in graph.outputs {
      text += "  output \(output.name.quoted) = \(use(output.value, of: graph))\n"
    }
    return text + "}\n"
  }

  /// `%12`, and `%12#1` where the node has several results.
  private static func use(_ value: ValueID, of graph: Graph) -> String {
    graph[value.node].types.count == 1 ? "%\(value.node.index)" : "%\(value.node.index)#\(value.result)"
  }

  /// `sd.cast(%1) {dtype = "f16"}`.
  static func append(
    _ op: some CustomStringConvertible, _ operands: [String], _ attributes: Attribute, to text: inout String
  ) {
    text += "\(op)(\(operands.joined(separator: ", ")))"
    guard attributes != .record([:]) else { return }
    text += " "
    attributes.append(to: &text)
  }

  /// An op's attributes. Where they cannot be encoded (V3) the reason takes their place, and the text cannot be
  /// parsed back.
  static func attributes(of op: any Op) -> Attribute {
    do { return try AttributeEncoder.encode(op) } catch { return .string(error.message) }
  }
}
