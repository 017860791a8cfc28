import ArgumentParser
import DiffusionModels
import GraphIR
import GraphRuntime
import ToolSupport

@main
enum Main {
  static func main() { Tool.main(SDBench.self) }
}

/// `sd-bench`: times the components of a plan.
struct SDBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sd-bench",
    abstract: "Times the components of a plan against this machine's measured peak.",
    discussion: """
      A run is what the pipeline does once: a prompt (text_encoder), a guided step (unet), a picture (vae_decoder,
      vae_encoder). FLOPs are those of the declared graph, unpadded, before any rewrite. The peak is measured at the
      same time: a loop of independent float32 multiply-adds on every thread.

        sd-bench sd15.sdplan
        sd-bench sd15.sdplan --component unet --runs 9 --json
      """,
    version: PlanInfo.version)

  @Argument(help: "The plan file.")
  var plan: String

  @Option(help: "Time one component: text_encoder, unet, vae_decoder, vae_encoder.")
  var component: String?

  @Option(help: "Runs of each component, after one to warm up.")
  var runs = 5

  @Option(help: "Threads. (default: one for every processor)")
  var threads: Int?

  @Flag(help: "Print one line of JSON, with --compare one for each instruction set.")
  var json = false

  @Flag(help: "Also time the lower instruction sets of this processor, in turns.")
  var compare = false

  mutating func run() throws {
    guard (1...10_000).contains(runs) else {
      throw SDError(.usage, "runs must be in 1 ... 10000, they are \(runs)")
    }
    let levels = compare ? CPU.Level.allCases.compactMap { try? CPU($0) } : [try Debug.cpu()]
    for cpu in levels.reversed() {
      if compare, !json { print("\(cpu.level.rawValue):") }
      try time(on: cpu)
    }
  }

  private func time(on cpu: CPU) throws(SDError) {
    var options = CompiledModel.Options()
    options.threads = threads
    options.cpu = cpu
    let model = try CompiledModel(plan: plan, options)
    let components =
      try component.map { (name) throws(SDError) in [try Component(name: name)] } ?? model.info.components
    let benchmark = Benchmark(model)
    var report = Report(cpu: cpu.level.rawValue, components: [], calibratedTFLOPS: 0, peakRSS: 0)
    for component in components {
      let before = model.measuredPeakFLOPS()
      let timing = try benchmark.time(component, runs: runs)
      let peak = max(before, model.measuredPeakFLOPS())
      report.calibratedTFLOPS = max(report.calibratedTFLOPS, peak / 1e12)
      report.components.append(Report.Row(timing, peak: peak))
    }
    report.peakRSS = ProcessMemory.peakBytes
    print(json ? try report.json() : report.text)
  }
}

/// What is printed.
private struct Report: Encodable {
  struct Row: Encodable {
    var name: String
    var median: Double
    var min: Double
    var max: Double
    var tflops: Double
    var peakFraction: Double

    init(_ timing: Benchmark.Timing, peak: Double) {
      name = timing.component.rawValue
      median = timing.median
      min = timing.seconds.min() ?? 0
      max = timing.seconds.max() ?? 0
      tflops = Double(timing.flops) / Swift.max(median, 1e-9) / 1e12
      peakFraction = tflops * 1e12 / Swift.max(peak, 1)
    }

    enum CodingKeys: String, CodingKey {
      case name
      case median = "median_s"
      case min = "min_s"
      case max = "max_s"
      case tflops
      case peakFraction = "peak_fraction"
    }
  }

  var cpu: String
  var components: [Row]
  var calibratedTFLOPS: Double
  var peakRSS: Int

  enum CodingKeys: String, CodingKey {
    case cpu
    case components
    case calibratedTFLOPS = "calibrated_tflops"
    case peakRSS = "peak_rss_bytes"
  }

  var text: String {
    var lines = ["component       median s      min s      max s   TFLOP/s   % of peak"]
    for row in components {
      let numbers = [
        column(decimal(row.median, 4), 9), column(decimal(row.min, 4), 11), column(decimal(row.max, 4), 11),
        column(decimal(row.tflops, 3), 10), column(decimal(100 * row.peakFraction, 1), 12),
      ]
      lines.append(row.name + String(repeating: " ", count: Swift.max(0, 15 - row.name.count)) + numbers.joined())
    }
    lines.append(
      "peak \(decimal(calibratedTFLOPS, 3)) TFLOP/s measured, memory \(decimal(Double(peakRSS) / 1_048_576, 0)) MiB")
    return lines.joined(separator: "\n")
  }

  private func column(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: Swift.max(0, width - text.count)) + text
  }
}
