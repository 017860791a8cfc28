import CKernels
import GraphIR

/// How a convolution is cut into parts: strips of rows times groups of panels of 32 weight columns.
///
/// No sum is cut, so results are the same bits for any blocking.
package struct Blocking: Hashable, Sendable {
  /// Most rows of a strip: each weight is read once a strip.
  package var rows: Int
  /// Most panels of a group: the lines of an image are copied once a group.
  package var panels: Int

  /// So many rows and panels, at least 1; kernels have limits of their own.
  package init(rows: Int, panels: Int) { (self.rows, self.panels) = (rows, panels) }

  init(_ blocking: ck_blocking) { self.init(rows: blocking.rows, panels: blocking.panels) }

  /// The kernels' struct.
  var ck: ck_blocking { ck_blocking(rows: rows, panels: panels) }
}

extension ConvArguments {
  /// Blockings that are worth a measurement, the one that is predicted to be fastest first; never none.
  func blockings(inPairs: Bool, on cpu: CPU) -> [Blocking] {
    let panels = ck_panels(conv.pointee.columns, conv.pointee.gated)
    guard inPairs else {
      let predicted = Blocking(ck_conv_blocking(conv))
      return [predicted] + Blocking.grid(rows: [64, 128, 256, 512], panels: panels).filter { $0 != predicted }
    }
    // Nanoseconds for the product of 32 x 32 x 32, at 3.0 and 0.5 TFLOP/s of one thread.
    let product = cpu.level == .amx ? 22.0 : 131.0
    let costs = Blocking.grid(rows: [1024, 512, 256, 128], panels: panels).map { blocking in
      conv.pointee.blocking = blocking.ck
      return (blocking: blocking, cost: ck_conv_bf16_cost(conv, product, cpu.threads))
    }
    return costs.sorted { $0.cost < $1.cost }.map(\.blocking)
  }
}

extension Blocking {
  /// All pairs of strips of these rows and groups of equal size, from all panels to one: 10, 5, 4, 3, 2, 1 of 10.
  fileprivate static func grid(rows: [Int], panels: Int) -> [Blocking] {
    var groups: [Int] = []
    for count in 1...16 {
      let group = max(1, (panels + count - 1) / count)
      if groups.last != group { groups.append(group) }
    }
    if groups.last != 1 { groups.append(1) }
    return rows.flatMap { rows in groups.map { Blocking(rows: rows, panels: $0) } }
  }
}
