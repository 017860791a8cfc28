import GraphIR
import GraphPasses
import GraphRuntime

extension CompiledModel {
  /// What is in the plan: model, sizes, precision, memory, passes, sections, ops. The lines of `sd-run --inspect`.
  ///
  /// A graph that cannot run here is listed with the reason.
  package func inspection() -> String {
    var lines = [
      "plan         \(file.path), \(mebi(file.byteCount)) MiB, id \(file.id)",
      "written by   \(info.producer)",
      "model        \(info.model), latents [\(info.latentChannels), h/\(info.vaeFactor), w/\(info.vaeFactor)], "
        + "scaling factor \(info.scalingFactor)",
      "scheduler    \(schedulerConfiguration.className)",
      "precision    \(info.precisions)",
      "packed for   \(info.packing)",
      "sizes        \(info.sizes.map(\.description).joined(separator: ", ")), batch \(info.batch)",
      "components   \(info.components.map(\.rawValue).joined(separator: ", "))",
      "passes       "
        + info.passes.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "),
    ]
    if let families = try? CompiledModel.kernels(file)?.architectures() {
      let names = families.map(\.name).joined(separator: ", ")
      lines.append("kernels for  \(names.isEmpty ? "no GPU: another version compiled them" : names)")
    }
    if let tuning {
      lines.append(
        "tuned for    \(tuning.place): \(tuning.count) convolutions are cut otherwise than predicted")
    }
    for section in file.sections {
      lines.append("section      \(section.name) at \(section.offset), \(section.length) bytes")
    }
    var keys: [GraphKey] = []
    for entry in info.graphs where !keys.contains(entry.key) { keys.append(entry.key) }
    for key in keys {
      do throws(SDError) {
        lines += try inspection(of: key)
      } catch {
        lines.append("graph        \(key.component.rawValue) \(key.entry): cannot run here: \(error)")
      }
    }
    return lines.joined(separator: "\n")
  }

  private func inspection(of key: GraphKey) throws(SDError) -> [String] {
    try programs(key).sorted { $0.key < $1.key }.flatMap { rate, program in
      let size = key.size.map { " \($0)" } ?? ""
      let ops = program.graph.opCounts().sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      return [
        "graph        \(key.component.rawValue) \(key.entry)\(size), once a \(key.component == .unet ? rate.rawValue : "run"): "
          + "\(program.steps.count) kernel calls, \(decimal(Double(program.flops) / 1e9, 2)) GFLOP, weights "
          + "\(mebi(program.weightBytes)) MiB, arena \(mebi(program.arenaBytes)) MiB",
        "  ops        " + ops.map { "\($0.key) \($0.value)" }.joined(separator: ", "),
      ]
    }
  }

  private func mebi(_ bytes: Int) -> String { decimal(Double(bytes) / 1_048_576, 1) }
}
