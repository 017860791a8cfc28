package import GraphIR
import GraphPasses
import GraphRuntime

extension CompiledModel {
  /// What is in the plan: model, sizes, precision, memory, passes, sections, ops. The lines of `sd-run --inspect`.
  ///
  /// - Throws: `SDError` when a graph cannot be read.
  package func inspection() throws(SDError) -> String {
    var lines = [
      "plan         \(file.path), \(mebi(file.byteCount)) MiB, id \(file.id)",
      "written by   \(info.producer)",
      "model        \(info.model), latents [\(info.latentChannels), h/\(info.vaeFactor), w/\(info.vaeFactor)], "
        + "scaling factor \(info.scalingFactor)",
      "scheduler    \(schedulerConfiguration.className)",
      "precision    \(info.precision.rawValue)",
      "packed for   cpu \(info.level.rawValue)",
      "sizes        \(info.sizes.map(\.description).joined(separator: ", ")), batch \(info.batch)",
      "components   \(info.components.map(\.rawValue).joined(separator: ", "))",
      "passes       "
        + info.passes.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "),
    ]
    for section in file.sections {
      lines.append("section      \(section.name) at \(section.offset), \(section.length) bytes")
    }
    var keys: [GraphKey] = []
    for entry in info.graphs where !keys.contains(entry.key) { keys.append(entry.key) }
    for key in keys {
      for (rate, program) in try programs(key).sorted(by: { $0.key < $1.key }) {
        let size = key.size.map { " \($0)" } ?? ""
        lines.append(
          "graph        \(key.component.rawValue) \(key.entry)\(size), once a \(rate.rawValue): "
            + "\(program.steps.count) kernel calls, \(decimal(Double(program.flops) / 1e9, 2)) GFLOP, weights "
            + "\(mebi(program.weightBytes)) MiB, arena \(mebi(program.arenaBytes)) MiB")
        let ops = program.graph.opCounts().sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        lines.append("  ops        " + ops.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
      }
    }
    return lines.joined(separator: "\n")
  }

  private func mebi(_ bytes: Int) -> String { decimal(Double(bytes) / 1_048_576, 1) }
}
