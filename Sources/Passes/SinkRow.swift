public import GraphIR

/// Moves the selection of a table's row behind what is done with the row:
/// `f(selectRow(t, i), constants…) → selectRow(f(t, constants…), i)` for every f that works row by row.
///
/// The work on the table then no longer depends on the step, and `Hoist` does it once a schedule for all rows.
/// Reshapes and slices move along only when there is work behind them.
public struct SinkRow: Pass {
  /// `sink-row`.
  public let name = "sink-row"

  /// The pass; it has no settings.
  public init() {}

  /// Moves selections in order of definition, so that one run takes them as far as they go.
  public func run(_ graph: Graph, _ context: inout PassContext) throws(SDError) -> Graph {
    let graph = try graph.pruned()
    let rates = graph.rates()
    let copy = GraphCopy(of: graph)
    var newRates: [Rate] = []
    for id in graph.ids {
      let node = graph[id]
      guard SinkRow.isRowwise(node), node.types[0].shape.first == 1,
        node.operands.dropFirst().allSatisfy({ rates[$0.node.index] == .constant }),
        let (table, index) = try SinkRow.selection(copy.value(node.operands[0]))
      else {
        _ = try copy.value(ValueID(id))
        continue
      }
      newRates = copy.builder.graph.rates(known: newRates)
      let operands = [table] + (try copy.values(Array(node.operands.dropFirst())))
      let wanted = node.types[0].with(shape: [table.shape[0]] + node.types[0].shape.dropFirst())
      guard newRates[table.id.node.index] < newRates[index.id.node.index],
        let types = try? node.op.types(of: operands.map(\.type)), types == [wanted], context.countRewrite()
      else {
        _ = try copy.value(ValueID(id))
        continue
      }
      let rows = try copy.builder.add(node.op, operands, at: node.location)
      copy.replace(
        id, by: [try copy.builder.at(node.location) { () throws(SDError) in try rows.selectRow(index) }])
    }
    return try copy.finished()
  }

  /// What runs at every step.
  public func work(of graph: Graph) -> Work { graph.work(inStep: true) }

  /// What is done with a row leaves the step; of its results only those are selected that the step reads.
  public func prediction(for graph: Graph) -> Work? {
    let rates = graph.rates()
    // Selected rows, work on them and views of both.
    var rows: Set<NodeID> = []
    var sunk: Set<NodeID> = []
    for id in graph.ids {
      let node = graph[id]
      if node.op is SelectRow {
        if rates[node.operands[0].node.index] < rates[id.index] { rows.insert(id) }
      } else if node.operands.first.map({ rows.contains($0.node) }) ?? false {
        let isOneRow = node.types[0].shape.first == 1
        if graph.isView(node) {
          if isOneRow { rows.insert(id) }
        } else if isOneRow, SinkRow.isRowwise(node),
          node.operands.dropFirst().allSatisfy({ rates[$0.node.index] == .constant })
        {
          rows.insert(id)
          sunk.insert(id)
        }
      }
    }
    let isSunk = graph.allReaders { reader, _, answers in
      sunk.contains(reader) || (rows.contains(reader) && graph.isView(graph[reader]) && answers[reader.index])
    }
    return zip(graph.ids, graph.costs()).filter { id, _ in rows.contains(id) }.map { id, cost in
      (isSunk[id.index] ? cost.written : Work()) + Work(flops: cost.flops)
    }.total
  }

  /// Whether row i of the only result depends on row i of the first operand alone, once its type says that it
  /// has the rows of that operand.
  private static func isRowwise(_ node: Graph.Node) -> Bool {
    guard node.types.count == 1, !(node.op is Slice) else { return false }
    guard let conv = node.op as? FusedConv else { return node.op.isRowwise || node.op is any BinaryOp }
    return conv.sources == [FusedConv.Source()] && !conv.epilogues.contains { $0 == .row || $0 == .residual }
  }

  /// Table and index of a selected row; reshapes and slices of the row are done on the table instead.
  private static func selection(_ row: Value) throws(SDError) -> (table: Value, index: Value)? {
    let builder = row.builder
    let node = builder.graph[row.id.node]
    guard let operand = node.operands.first.map(builder.value) else { return nil }
    switch node.op {
    case is SelectRow:
      return (operand, builder.value(node.operands[1]))
    case let reshape as Reshape where reshape.shape.first == 1:
      guard let (table, index) = try selection(operand) else { return nil }
      return (try table.reshaped([table.shape[0]] + reshape.shape.dropFirst()), index)
    case let slice as Slice where slice.axis > 0:
      guard let (table, index) = try selection(operand) else { return nil }
      return (try table.sliced(slice.start..<slice.end, axis: slice.axis), index)
    default:
      return nil
    }
  }
}
