package import GraphIR

/// What one run of a graph takes, or what a pass saves of it; a pass may take more of one thing to save another.
public struct Work: Hashable, Sendable, Codable {
  /// Floating-point operations.
  public var flops = 0
  /// Bytes of the tensors that are written.
  public var bytes = 0
  /// Ops that compute something.
  public var ops = 0

  /// That much work; the default is none.
  public init(flops: Int = 0, bytes: Int = 0, ops: Int = 0) {
    (self.flops, self.bytes, self.ops) = (flops, bytes, ops)
  }

  /// The same tensors from as many ops, with their arithmetic done elsewhere: what a fusion saves of an inner op.
  package var written: Work { Work(bytes: bytes, ops: ops) }

  /// Term by term; numbers of absurd graphs stay at the limits of `Int`.
  package static func + (a: Work, b: Work) -> Work {
    Work(
      flops: limited(a.flops.addingReportingOverflow(b.flops), a.flops),
      bytes: limited(a.bytes.addingReportingOverflow(b.bytes), a.bytes),
      ops: limited(a.ops.addingReportingOverflow(b.ops), a.ops))
  }

  /// Term by term, as `+`.
  package static func - (a: Work, b: Work) -> Work {
    Work(
      flops: limited(a.flops.subtractingReportingOverflow(b.flops), a.flops),
      bytes: limited(a.bytes.subtractingReportingOverflow(b.bytes), a.bytes),
      ops: limited(a.ops.subtractingReportingOverflow(b.ops), a.ops))
  }

  private static func limited(_ result: (partialValue: Int, overflow: Bool), _ first: Int) -> Int {
    result.overflow ? (first < 0 ? .min : .max) : result.partialValue
  }
}

extension Sequence<Work> {
  /// The sum.
  package var total: Work { reduce(Work(), +) }
}

extension Graph {
  /// For every node, what one run of it takes. Views and leaves take nothing, and what weights are made of runs when the
  /// plan is made.
  package func costs() -> [Work] {
    zip(nodes, rates()).map { node, rate in
      guard rate > .constant, !node.operands.isEmpty, !isView(node) else { return Work() }
      return Work(flops: flops(of: node), bytes: node.types.reduce(0) { saturatingSum($0, $1.byteCount) }, ops: 1)
    }
  }

  /// What one run of the graph takes.
  package var work: Work { costs().total }

  /// What a run takes of the nodes of the highest rate, the step, or of all lower ones.
  func work(inStep: Bool) -> Work {
    let rates = rates()
    let top = rates.max()
    return zip(costs(), rates).filter { ($1 == top) == inStep }.map(\.0).total
  }

  /// Whether a node is another look at its operand.
  func isView(_ node: Node) -> Bool { node.op is Reshape || node.op is Slice }

  /// Whether a node changes nothing but the shape of the pixels between samples and channels.
  func keepsSamplesAndChannels(_ node: Node) -> Bool {
    guard node.op is Reshape, node.operands.count == 1 else { return false }
    let (from, to) = (type(of: node.operands[0]).shape, node.types[0].shape)
    return from.count >= 2 && to.count >= 2 && from.first == to.first && from.last == to.last
  }

  /// For every node, whether all operand slots that read it pass a test; an output passes none. Readers are asked
  /// before what they read: the test gets the answers so far.
  func allReaders(_ passes: (_ reader: NodeID, _ slot: Int, _ answers: [Bool]) -> Bool) -> [Bool] {
    var answers = [Bool](repeating: true, count: nodes.count)
    for output in outputs { answers[output.value.node.index] = false }
    for id in ids.reversed() {
      for (slot, operand) in self[id].operands.enumerated() where !passes(id, slot, answers) {
        answers[operand.node.index] = false
      }
    }
    return answers
  }
}
