import ArgumentParser
import DiffusionModels
import Foundation
import GraphIR
import GraphPasses
import GraphRuntime
import ToolSupport

@main
enum Main {
  static func main() { Tool.main(SDBench.self) }
}

/// `sd-bench`: times the components of plans.
struct SDBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sd-bench",
    abstract: "Times the components of plans against this machine's measured peak, and against other programs.",
    discussion: """
      A run is what the pipeline does once: a prompt (text_encoder), a guided step (unet), a picture (vae_decoder,
      vae_encoder). FLOPs are those of the declared graph, unpadded, before any rewrite. The peak is measured at the
      same time: a loop of independent multiply-adds on every thread, of bf16 pairs for a plan in bf16 where the
      processor has them. Programs that are compared run in turns, one run each, with a pause between them.

        sd-bench sd15.sdplan
        sd-bench sd15.sdplan --component unet --runs 9 --json
        sd-bench fp32.sdplan bf16.sdplan --compare --peers "python3 Tools/reference/peers.py"
      """,
    version: PlanInfo.version)

  @Argument(help: "The plan files.")
  var plan: [String]

  @Option(help: "Time one component: text_encoder, unet, vae_decoder, vae_encoder.")
  var component: String?

  @Option(help: "Runs of each component, after one to warm up.")
  var runs = 5

  @Option(help: "Threads. (default: one for every processor)")
  var threads: Int?

  @Flag(help: "Print one line of JSON a plan.")
  var json = false

  @Flag(help: "Also time the lower instruction sets of this processor down to avx2, and the peers.")
  var compare = false

  @Option(help: "With --compare: the command that times openvino and torch (Tools/reference/peers.py).")
  var peers: String?

  mutating func run() throws {
    guard (1...10_000).contains(runs) else {
      throw SDError(.usage, "runs must be in 1 ... 10000, they are \(runs)")
    }
    if peers != nil, !compare { throw SDError(.usage, "--peers is a part of --compare") }
    // A peer that ends is one that does not answer.
    signal(SIGPIPE, SIG_IGN)
    for (index, path) in plan.enumerated() {
      let report = try report(path)
      print(json ? try report.json() : (index > 0 ? "\n" : "") + report.text)
    }
  }

  private func report(_ path: String) throws(SDError) -> Report {
    var models: [(cpu: CPU, model: CompiledModel)] = []
    let best = try Debug.cpu()
    let lower = compare ? CPU.all.filter { $0.level < best.level && $0.level >= .avx2 } : []
    for cpu in [best] + lower.reversed() {
      var options = CompiledModel.Options()
      (options.threads, options.cpu) = (threads, cpu)
      models.append((cpu, try CompiledModel(plan: path, options)))
    }
    let info = models[0].model.info
    var report = Report(plan: path, precision: info.precision.rawValue, cpu: best.level.rawValue)
    let components = try component.map { (name) throws(SDError) in [try Component(name: name)] } ?? info.components
    for component in components { try time(component, models, &report) }
    report.peakRSS = ProcessMemory.peakBytes
    return report
  }

  /// Times a component on every level and with every peer, in turns.
  private func time(
    _ component: Component, _ models: [(cpu: CPU, model: CompiledModel)], _ report: inout Report
  ) throws(SDError) {
    var programs: [Contestant] = []
    var flops = 0
    for (cpu, model) in models {
      let benchmark = try Benchmark(model, component)
      flops = benchmark.flops
      programs.append(
        Contestant(
          name: cpu.level.rawValue, bytes: benchmark.bytes, peak: model.measuredPeakFLOPS(), run: benchmark.run))
    }
    for peer in startPeers(component, models[0].model, &report) {
      programs.append(Contestant(name: peer.name, peak: programs[0].peak, run: peer.run))
    }
    for _ in 0..<runs {
      for index in programs.indices.reversed() {
        // Threads of the program before may still spin.
        if programs.count > 1 { Thread.sleep(forTimeInterval: 0.5) }
        do throws(SDError) {
          programs[index].seconds.append(try programs[index].run())
        } catch {
          guard index >= models.count else { throw error }
          report.missing.append("\(component.rawValue): \(error.message)")
          programs.remove(at: index)
        }
      }
    }
    for index in programs.indices {
      let model = models[index < models.count ? index : 0].model
      programs[index].peak = max(programs[index].peak, model.measuredPeakFLOPS())
    }
    report.calibratedTFLOPS = max(report.calibratedTFLOPS, programs[0].peak / 1e12)
    let rows = programs.map {
      Report.Row(component.rawValue, $0.name, seconds: $0.seconds, flops: flops, bytes: $0.bytes, peak: $0.peak)
    }
    for (index, var row) in rows.enumerated() {
      if index > 0 { row.ratio = rows[0].median / max(row.median, 1e-9) }
      report.components.append(row)
    }
  }

  /// The peers that compute this component in the plan's precision; one that does not start is noted.
  private func startPeers(
    _ component: Component, _ model: CompiledModel, _ report: inout Report
  ) -> [Peer] {
    guard let peers, component == .unet || component == .vaeDecoder, model.info.precision != .fp16,
      let size = model.info.sizes.first
    else { return [] }
    let arguments = [
      component.rawValue, model.info.precision.rawValue, "--size", "\(size)", "--threads", "\(model.threads)",
    ]
    var started: [Peer] = []
    for name in ["openvino", "torch"] {
      do throws(SDError) {
        started.append(try Peer(name, command: peers, arguments: arguments))
      } catch {
        report.missing.append("\(component.rawValue): \(error.message)")
      }
    }
    return started
  }
}

/// Who takes part, and its runs.
private struct Contestant {
  var name: String
  var bytes: Int?
  /// FLOP/s of its processor's instruction set.
  var peak: Double
  var run: () throws(SDError) -> Double
  var seconds: [Double] = []
}
