package import GraphIR

/// Lowers a graph to a program for the kernels of one device: a pure function, milliseconds.
///
/// 1. Ops without a kernel are replaced by what they can be split into, or else by their decompositions, again and
///    again (`legalize`).
/// 2. Each remaining node becomes a step; reshapes and slices become views wherever rows stay rows.
/// 3. Results take the place of operands that are read for the last time, where kernels allow it (`writeInPlace`).
/// 4. Lifetimes become offsets in one arena, and the result is verified.
///
/// - Parameter inPlace: whether the third may happen. Otherwise no step destroys what it reads, and each can be repeated.
/// - Throws: `SDError` (incompatible) for an op that has neither a kernel nor a decomposition.
package func lower(
  _ graph: Graph, with library: any KernelLibrary, inPlace: Bool = true
) throws(SDError) -> Program {
  var lowering = Lowering(graph: try legalize(graph, library), library: library, source: graph)
  try lowering.run()
  if inPlace { lowering.program.writeInPlace() }
  (lowering.program.arenaBytes, lowering.program.arenaLowerBound) =
    MemoryPlanner().plan(&lowering.program.buffers)
  try ProgramVerifier().verify(lowering.program)
  return lowering.program
}

/// Whether a node only renames bytes or stands for bytes that are there already.
private func needsNoKernel(_ op: any Op) -> Bool {
  op is Input || op is Parameter || op is Constant || op is Reshape || op is Slice
}

extension Graph {
  fileprivate func signature(of node: Node) -> KernelSignature {
    KernelSignature(
      operands: node.operands.map { type(of: $0) }, results: node.types,
      isWeight: node.operands.map { self[$0.node].op is Parameter })
  }
}

/// The same graph with every op that has no kernel replaced by its parts or its decomposition.
private func legalize(_ graph: Graph, _ library: any KernelLibrary) throws(SDError) -> Graph {
  let live = graph.liveness()
  var isLegal = true
  let builder = GraphBuilder(name: graph.name)
  var values = [[Value]](repeating: [], count: graph.nodes.count)
  for id in graph.ids where live[id.index] || graph[id].op is Input {
    let node = graph[id]
    let operands = node.operands.map { values[$0.node.index][$0.result] }
    values[id.index] = try builder.at(node.location) { () throws(SDError) -> [Value] in
      if needsNoKernel(node.op) || library.kernel(for: node.op, graph.signature(of: node)) != nil {
        return try builder.results(of: node.op, operands)
      }
      guard let composite = node.op as? any CompositeOp else {
        throw SDError(
          .incompatible, "[\(type(of: node.op).id)] has no kernel and no decomposition, at '\(node.location)'")
      }
      isLegal = false
      if let fused = composite as? any FusedOp,
        let parts = try fused.split(
          operands,
          hasKernel: { op, operands in
            KernelSignature(op, operands).map { library.kernel(for: op, $0) != nil } ?? false
          })
      {
        return parts
      }
      return try builder.inlineDecomposition(of: composite, operands, resultTypes: node.types)
    }
  }
  for output in graph.outputs {
    try builder.output(output.name, values[output.value.node.index][output.value.result])
  }
  return isLegal ? builder.graph : try legalize(builder.graph, library)
}

private struct Lowering {
  let graph: Graph
  let library: any KernelLibrary
  var program: Program
  private var values: [ValueID: Program.Operand] = [:]
  private var weights: [Program.Weight: Int] = [:]
  private var pendingWeights: [ValueID: Parameter] = [:]
  private var directOutputs: [ValueID: Int] = [:]
  private var totalBytes = 0

  init(graph: Graph, library: any KernelLibrary, source: Graph) {
    self.graph = graph
    self.library = library
    program = Program(graph: source)
  }

  mutating func run() throws(SDError) {
    for (index, output) in graph.outputs.enumerated() {
      program.outputs.append(Program.Binding(name: output.name, type: graph.type(of: output.value)))
      if directOutputs[output.value] == nil { directOutputs[output.value] = index }
    }
    for id in graph.ids {
      let node = graph[id]
      let value = ValueID(id)
      switch node.op {
      case let input as Input:
        program.inputs.append(Program.Binding(name: input.name, type: input.type))
        values[value] = dense(.input(program.inputs.count - 1), input.type)
      case let parameter as Parameter: pendingWeights[value] = parameter
      case let constant as Constant:
        program.constants.append(constant)
        values[value] = dense(.constant(program.constants.count - 1), constant.type)
      case is Reshape: values[value] = try reshape(operand(node.operands[0], .dense), to: node)
      case let slice as Slice: values[value] = try self.slice(operand(node.operands[0], .dense), slice, node)
      default: try addStep(id, node)
      }
    }
    for (index, output) in graph.outputs.enumerated() {
      let value = try operand(output.value, .dense)
      if value.place == .output(index) { continue }
      try copy(value, to: dense(.output(index), value.type), graph[output.value.node])
    }
  }

  private func dense(_ place: Program.Place, _ type: TensorType) -> Program.Operand {
    Program.Operand(place: place, offset: 0, pitch: type.lastDimension, type: type)
  }

  /// The bytes of a value, as a weight in the layout that its reader wants.
  private mutating func operand(
    _ value: ValueID, _ layout: WeightLayout
  ) throws(SDError) -> Program.Operand {
    guard let parameter = pendingWeights[value] else {
      guard let operand = values[value] else {
        throw SDError(.invalid, "graph '\(graph.name)' uses a value before its definition")
      }
      if case .buffer(let index) = operand.place {
        program.buffers[index].last = max(program.buffers[index].last, program.steps.count)
      }
      return operand
    }
    let weight = Program.Weight(name: parameter.name, type: parameter.type, layout: layout)
    if weights[weight] == nil {
      // A layout pads to at most 1,024 times the size.
      try count(saturatingProduct(1024, parameter.type.byteCount))
      weights[weight] = program.weights.count
      program.weights.append(weight)
    }
    return dense(.weight(weights[weight, default: 0]), parameter.type)
  }

  private mutating func addStep(_ id: NodeID, _ node: Graph.Node) throws(SDError) {
    guard let kernel = library.kernel(for: node.op, graph.signature(of: node)) else {
      throw SDError(.incompatible, "[\(type(of: node.op).id)] has no kernel, at '\(node.location)'")
    }
    var operands: [Program.Operand] = []
    for (index, value) in node.operands.enumerated() {
      var operand = try operand(value, kernel.weightLayouts[index] ?? .dense)
      let acceptsView = kernel.acceptsPitch && !kernel.denseOperands.contains(index)
      if !acceptsView, !operand.isDense { operand = try compacted(operand, node) }
      operands.append(operand)
    }
    // Compaction may have added steps since the operands were looked up.
    for operand in operands { use(operand) }
    var results: [Program.Operand] = []
    for (index, type) in node.types.enumerated() {
      let value = ValueID(id, index)
      let place = if let index = directOutputs[value] { Program.Place.output(index) } else { try newBuffer(type) }
      let result = dense(place, type)
      values[value] = result
      results.append(result)
    }
    program.steps.append(
      Program.Step(
        op: node.op, kernel: kernel, operands: operands, results: results, location: node.location,
        flops: graph.flops(of: node)))
  }

  private mutating func use(_ operand: Program.Operand) {
    guard case .buffer(let index) = operand.place else { return }
    program.buffers[index].last = max(program.buffers[index].last, program.steps.count)
  }

  /// Refuses tensors whose sizes no machine has, so that no later sum of bytes can overflow.
  private mutating func count(_ bytes: Int) throws(SDError) {
    totalBytes = saturatingSum(totalBytes, bytes)
    guard totalBytes < 1 << 56 else {
      throw SDError(.resources, "graph '\(graph.name)' needs more than 2^56 bytes")
    }
  }

  private mutating func newBuffer(_ type: TensorType) throws(SDError) -> Program.Place {
    try count(type.byteCount)
    let step = program.steps.count
    program.buffers.append(
      Program.Buffer(byteCount: MemoryPlanner.aligned(type.byteCount), first: step, last: step))
    return .buffer(program.buffers.count - 1)
  }

  /// A view under another shape; copied first when its rows would have to be cut across gaps.
  private mutating func reshape(
    _ operand: Program.Operand, to node: Graph.Node
  ) throws(SDError) -> Program.Operand {
    let type = node.types[0]
    var operand = operand
    let keepsRows = operand.type.lastDimension == type.lastDimension
    if !operand.isDense, !keepsRows { operand = try compacted(operand, node) }
    operand.pitch = operand.isDense ? type.lastDimension : operand.pitch
    operand.type = type
    return operand
  }

  /// A view of a range along one axis; copied when it is not a range of rows or of columns.
  private mutating func slice(
    _ operand: Program.Operand, _ slice: Slice, _ node: Graph.Node
  ) throws(SDError) -> Program.Operand {
    var view = operand
    view.type = node.types[0]
    if slice.axis == operand.type.rank - 1 {
      view.offset += slice.start * operand.type.dtype.size
      return view
    }
    if operand.type.shape[..<slice.axis].allSatisfy({ $0 == 1 }) {
      let rows = operand.type.shape[(slice.axis + 1)...].dropLast().reduce(1, *)
      view.offset += slice.start * rows * operand.pitch * operand.type.dtype.size
      return view
    }
    return try addCopy(slice, operand, node)
  }

  private mutating func compacted(
    _ operand: Program.Operand, _ node: Graph.Node
  ) throws(SDError) -> Program.Operand {
    try addCopy(Reshape(shape: operand.type.shape), operand, node)
  }

  /// A step that copies through the kernel of a movement op.
  private mutating func addCopy(
    _ op: any Op, _ operand: Program.Operand, _ node: Graph.Node
  ) throws(SDError) -> Program.Operand {
    let type = try op.types(of: [operand.type])[0]
    let result = dense(try newBuffer(type), type)
    try copy(operand, to: result, node, with: op)
    return result
  }

  private mutating func copy(
    _ operand: Program.Operand, to result: Program.Operand, _ node: Graph.Node, with op: (any Op)? = nil
  ) throws(SDError) {
    let op = op ?? Reshape(shape: result.type.shape)
    let signature = KernelSignature(operands: [operand.type], results: [result.type], isWeight: [false])
    guard let kernel = library.kernel(for: op, signature) else {
      throw SDError(.incompatible, "[\(type(of: op).id)] has no kernel, at '\(node.location)'")
    }
    use(operand)
    program.steps.append(
      Program.Step(
        op: op, kernel: kernel, operands: [operand], results: [result], location: node.location, flops: 0))
  }
}
