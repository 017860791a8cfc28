import ArgumentParser
import DiffusionModels
import GraphIR
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
    abstract: "Times the components of plans against this machine's measured peak.",
    discussion: """
      A run is what the pipeline does once: a prompt (text_encoder), a guided step (unet), a picture (vae_decoder,
      vae_encoder). FLOPs are those of the declared graph, unpadded, before any rewrite. The peak is measured at the
      same time: a loop of independent multiply-adds on every thread, of bfloat16 in a plan of bf16 where the processor
      multiplies that. GB is what the kernels of a run read and write, weights and activations; MiB the most memory
      that the process had. In a comparison all take turns, one run each, and ours/its is the time of the first row
      divided by that of the other: below 1 this program's best is faster.

        sd-bench sd15.sdplan
        sd-bench sd15.sdplan --component unet --runs 9 --json
        sd-bench fp32.sdplan bf16.sdplan --compare --peers ".venv/bin/python Tools/reference/peers.py"
        sd-bench --stress 60

      The peers run Stable Diffusion 1.5's unet and vae_decoder; plans of fp16 are not compared with them.
      """,
    version: PlanInfo.version)

  @Argument(help: ArgumentHelp("The plan files.", valueName: "plan"))
  var plans: [String] = []

  @Option(help: "Time one component: text_encoder, unet, vae_decoder, vae_encoder.")
  var component: String?

  @Option(help: "Runs of each component, after one to warm up.")
  var runs = 5

  @Option(help: "Threads. (default: one for every processor)")
  var threads: Int?

  @Option(help: "Where the plans run: auto, cpu, cuda, cuda:1 ..., or reference.")
  var device = "cpu"

  @Flag(help: "Print one line of JSON for each plan, with --compare one for each instruction set.")
  var json = false

  @Flag(help: "Also time the lower instruction sets of this processor, in turns.")
  var compare = false

  @Option(help: ArgumentHelp("With --compare: the command that runs peers, see Tools/reference.", valueName: "command"))
  var peers: String?

  @Option(
    help: ArgumentHelp(
      """
      Instead of timing plans: multiply on four times as many threads for so long, and look for results that a switch \
      of threads has changed.
      """, valueName: "seconds"))
  var stress: Int?

  mutating func run() throws {
    if let stress { return try run(stress: stress) }
    guard !plans.isEmpty else { throw ValidationError("Missing expected argument '<plan> ...'") }
    guard (1...10_000).contains(runs) else {
      throw SDError(.usage, "runs must be in 1 ... 10000, they are \(runs)")
    }
    guard compare || peers == nil else { throw SDError(.usage, "--peers needs --compare") }
    for (index, plan) in plans.enumerated() {
      let report = try measure(plan)
      if json {
        for line in try report.json() { print(line) }
      } else {
        print(index == 0 ? report.text : "\n" + report.text)
      }
    }
  }

  private func measure(_ plan: String) throws(SDError) -> Report {
    let best = try Debug.cpu()
    var contest = Contest(
      plan: plan, cpus: [best], device: try DeviceName(name: device), threads: threads, runs: runs, peers: peers)
    let model = try contest.open(best)
    if compare && model.isOnCPU {
      // Each level once, as strong as the processor has it.
      contest.cpus += CPU.Level.allCases.reversed().filter { $0 < best.level }.compactMap { try? CPU($0) }
    }
    let components =
      try component.map { (name) throws(SDError) in [try Component(name: name)] } ?? model.info.components
    var report = Report(
      plan: plan, info: model.info, threads: model.threads, isPeakMeasured: model.isOnCPU, rows: [])
    for component in components { report.rows.append(try contest.measure(component)) }
    return report
  }

  private func run(stress seconds: Int) throws(SDError) {
    guard plans.isEmpty else { throw SDError(.usage, "--stress takes no plan, it got '\(plans[0])'") }
    guard (1...86_400).contains(seconds) else {
      throw SDError(.usage, "--stress takes 1 ... 86400 seconds, not \(seconds)")
    }
    if let threads, !(1...1024).contains(threads) {
      throw SDError(.usage, "threads must be in 1 ... 1024 with --stress, they are \(threads)")
    }
    let test = try StressTest(try Debug.cpu())
    let device = CPUDevice(threads: threads)
    let outcome = try test.run(seconds: Double(seconds), threads: 4 * device.threads)
    let report = StressReport(kernel: test.kernel.name, outcome)
    print(json ? try report.json() : report.text)
    if let failure = report.failure { throw failure }
  }
}

/// What `--stress` found.
struct StressReport: Encodable {
  var kernel: String
  var threads: Int
  var blocks: Int
  var bad: Int
  var seconds: Double
  var repeated: Int
  var lost: Int

  init(kernel: String, _ outcome: StressTest.Outcome) {
    self.kernel = kernel
    (threads, blocks, bad, seconds) = (outcome.threads, outcome.blocks, outcome.bad, outcome.seconds)
    (repeated, lost) = (outcome.repeated, outcome.lost)
  }

  var text: String {
    let found = "\(kernel): \(blocks) blocks by \(threads) threads in \(decimal(seconds, 1)) s, \(bad) bad"
    guard repeated > 0 else { return found }
    return "\(found); \(repeated) products on tiles were interrupted and done again, \(lost) of them had been wrong"
  }

  /// What is to be said when a block was bad.
  var failure: SDError? {
    guard bad > 0 else { return nil }
    return SDError(
      .device, "\(bad) of \(blocks) blocks that \(threads) threads computed with \(kernel) differ from the first",
      hint: """
        The system, or the hypervisor below it, loses vector or tile registers when it switches threads, and pictures \
        are not to be trusted. Try the same with SD_CPU set to a lower instruction set.
        """)
  }
}
