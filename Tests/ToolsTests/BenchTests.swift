import DiffusionModels
import Foundation
import GraphIR
import GraphPasses
import TestSupport
import Testing

@testable import GraphRuntime
@testable import sd_bench

/// `sd-bench` as a process, with peers that are a shell script.
struct BenchTests {
  private let plan: String

  init() throws { plan = try MicroModel.sd15.plan() }

  /// OpenVINO takes 2 seconds for every run, stable-diffusion.cpp 40; PyTorch is not there.
  private static let peers = """
    seconds=2
    if [ "$1" = sd.cpp ]; then seconds=40; fi
    if [ "$1" = torch ]; then echo "No module named 'torch'" >&2; exit 1; fi
    echo "$@" >> "${0%/*}/arguments"
    echo '{"ready": true, "seconds": '$seconds'}'
    while read line; do echo '{"seconds": '$seconds'}'; echo "$1" >> "${0%/*}/runs"; done
    echo '{"peak_rss": 1048576}'
    """

  private func withPeers(_ body: (_ folder: String, _ options: [String]) throws -> Void) throws {
    try withTemporaryFolder { folder in
      put(BenchTests.peers.utf8, "\(folder)/peers.sh")
      try body(folder, ["--runs", "2", "--threads", "2", "--compare", "--peers", "/bin/sh \(folder)/peers.sh"])
    }
  }

  private func reports(_ outcome: ToolProcess.Outcome) throws -> [[String: Any]] {
    #expect(outcome.status == 0 && outcome.errors == "", "\(outcome.errors)")
    return try outcome.output.split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
  }

  @Test func severalPlans() throws {
    let plans = [plan, try MicroModel.sd15.plan(.init(.bf16))]
    let reports = try reports(ToolProcess("sd-bench", plans + ["--runs", "2", "--json"]).wait())
    #expect(reports.map { $0["plan"] as? String } == plans)
    #expect(reports.map { $0["precision"] as? String } == ["fp32", "bf16"])
    for report in reports {
      #expect(
        Set(report.keys) == [
          "plan", "model", "precision", "threads", "cpu", "components", "calibrated_tflops", "peak_rss_bytes",
        ])
      for row in try #require(report["components"] as? [[String: Any]]) {
        #expect(try #require(row["bytes"] as? Int) > 0)
        #expect(try #require(row["peak_rss_bytes"] as? Int) > 1 << 20)
      }
    }
    let text = try ToolProcess("sd-bench", plans + ["--runs", "1", "--component", "text_encoder"]).wait().output
    #expect(text.split(separator: "\n").count { $0.hasPrefix("text_encoder") } == 2)
    #expect(text.contains("\n\n\(plans[1]): micro-sd15, bf16, "), "\(text)")
  }

  @Test func comparison() throws {
    try withPeers { folder, options in
      let outcome = try ToolProcess("sd-bench", [plan, "--json"] + options).wait()
      let reports = try reports(outcome)
      #expect(reports.map { $0["cpu"] as? String } == levels)
      #expect(reports.allSatisfy { ($0["components"] as? [Any])?.count == 4 })
      #expect(reports.dropFirst().allSatisfy { $0["peers"] == nil })
      let peers = try #require(reports[0]["peers"] as? [[String: Any]])
      let names = ["openvino", "torch", "sd.cpp"]
      #expect(peers.map { $0["peer"] as? String } == names + names)
      #expect(peers.map { $0["name"] as? String } == names.map { _ in "unet" } + names.map { _ in "vae_decoder" })
      for (index, row) in peers.enumerated() {
        if names[index % 3] == "torch" {
          #expect(row["failure"] as? String == "it ended with code 1: No module named 'torch'")
          #expect(row["median_s"] == nil)
        } else {
          let seconds = names[index % 3] == "openvino" ? 2.0 : 40
          #expect(row["median_s"] as? Double == seconds && row["peak_rss_bytes"] as? Int == 1_048_576)
          let ours = try #require(reports[0]["components"] as? [[String: Any]])[1 + index / 3]
          // Foundation reads a decimal back to the last bit but one.
          let ratio = try #require(ours["median_s"] as? Double) / seconds
          #expect(abs(try #require(row["ratio"] as? Double) - ratio) <= 1e-12 * ratio)
        }
      }
      // Who is so slow runs once, when the others are done.
      let runs = String(decoding: get("\(folder)/runs") ?? [], as: UTF8.self)
      #expect(runs == String(repeating: "openvino\nopenvino\nsd.cpp\n", count: 2))
      let size = "--size 72x56 --batch 1 --context 16 --threads 2 --device cpu --serve"
      let arguments = String(decoding: get("\(folder)/arguments") ?? [], as: UTF8.self)
      let lines = ["unet", "vae_decoder"].flatMap { component in
        ["openvino", "sd.cpp"].map { "\($0) \(component) fp32 \(size)\n" }
      }
      #expect(arguments == lines.joined())
    }
  }

  @Test func table() throws {
    try withPeers { _, options in
      let outcome = try ToolProcess("sd-bench", [plan, "--component", "unet"] + options).wait()
      #expect(outcome.status == 0 && outcome.errors == "", "\(outcome.errors)")
      let lines = outcome.output.split(separator: "\n").map(String.init)
      try #require(lines.count == levels.count + 6)
      #expect(lines[0] == "\(plan): micro-sd15, fp32, 2 threads")
      #expect(
        lines[1]
          == "component    by         median s     min s     max s   TFLOP/s % of peak        GB       MiB  ours/its")
      for (line, level) in zip(lines[2...], levels) {
        #expect(line.hasPrefix(level == levels[0] ? "unet         \(level) " : "             \(level) "))
      }
      #expect(lines[levels.count + 2].hasPrefix("             openvino    2.00000   2.00000   2.00000"))
      #expect(
        lines[levels.count + 3]
          == "             torch      not measured: it ended with code 1: No module named 'torch'")
      #expect(lines[levels.count + 4].hasPrefix("             sd.cpp     40.00000  40.00000  40.00000"))
      #expect(lines[levels.count + 5].wholeMatch(of: #/peak \d\.\d{3} TFLOP\/s measured, memory \d+ MiB/#) != nil)
    }
  }

  /// Peers have neither fp16 nor the other components.
  @Test func notCompared() throws {
    try withPeers { folder, options in
      for arguments in [[try MicroModel.sd15.plan(.init(.fp16))], [plan, "--component", "text_encoder"]] {
        let outcome = try ToolProcess("sd-bench", arguments + options).wait()
        #expect(outcome.status == 0 && !outcome.output.contains("openvino"), "\(outcome.output)")
      }
      #expect(entries(of: folder) == ["peers.sh"])
    }
  }

  /// A signal stops the tool while it waits for a peer.
  @Test func signal() throws {
    try withTemporaryFolder { folder in
      put("echo > \"${0%/*}/started\"; exec sleep 600".utf8, "\(folder)/peers.sh")
      let process = try ToolProcess(
        "sd-bench", [plan, "--component", "unet", "--runs", "1", "--compare", "--peers", "/bin/sh \(folder)/peers.sh"])
      let deadline = ContinuousClock.now + .seconds(60)
      while entries(of: folder).count < 2 {
        try #require(ContinuousClock.now < deadline)
        usleep(5_000)
      }
      process.signal(SIGTERM)
      let outcome = process.wait(seconds: 20)
      #expect(outcome.status == 128 + SIGTERM && outcome.output == "")
      #expect(outcome.errors == "sd-bench: stopped by signal 15\n")
    }
  }

  @Test func stress() throws {
    let text = try ToolProcess.run("sd-bench", "--stress", "1", "--threads", "1")
    #expect(text.status == 0 && text.errors == "")
    #expect(text.output.wholeMatch(of: #/conv[a-z0-9_.]*: \d+ blocks by 4 threads in 1\.\d s, 0 bad(; .*)?\n/#) != nil)
    let report = try #require(reports(ToolProcess.run("sd-bench", "--stress", "1", "--json")).first)
    #expect(Set(report.keys) == ["kernel", "threads", "blocks", "bad", "seconds", "repeated", "lost"])
    #expect(report["bad"] as? Int == 0)
  }

  @Test func stressFailure() {
    var outcome = StressTest.Outcome(threads: 8, blocks: 1000, bad: 0, seconds: 1)
    #expect(StressReport(kernel: "k", outcome).failure == nil)
    #expect(StressReport(kernel: "k", outcome).text == "k: 1000 blocks by 8 threads in 1.0 s, 0 bad")
    (outcome.repeated, outcome.lost) = (70, 2)
    #expect(
      StressReport(kernel: "k", outcome).text == """
        k: 1000 blocks by 8 threads in 1.0 s, 0 bad; 70 products on tiles were interrupted and done again, 2 of them had \
        been wrong
        """)
    outcome.bad = 3
    let failure = StressReport(kernel: "k", outcome).failure
    #expect(failure?.code == .device)
    #expect(failure?.message == "3 of 1000 blocks that 8 threads computed with k differ from the first")
  }

  private var levels: [String] {
    CPU.Level.allCases.reversed().filter { $0 <= CPU.best.level }.map(\.rawValue)
  }
}
