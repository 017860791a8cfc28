import ArgumentParser
import GraphIR
import TestSupport
import Testing

@testable import ToolSupport
@testable import sd_bench
@testable import sd_compile
@testable import sd_run

/// Command lines into values, without a process.
struct ParsingTests {
  @Test func runDefaults() throws {
    let run = try SDRun.parse(["x.sdplan", "--prompt", "a"])
    #expect(run.plan == "x.sdplan" && run.prompt == "a" && run.negativePrompt == "")
    #expect(run.seed == "0" && run.steps == 50 && run.guidanceScale == 7.5 && run.scheduler == nil)
    #expect(run.numImages == 1 && run.size == nil && run.output == "out.png" && run.threads == nil)
    #expect(run.device == "auto" && run.latentsIn == nil && run.latentsOut == nil && run.previewEvery == nil)
    #expect(run.profile == nil && run.component == nil && run.inputs == nil && run.outputs == nil)
    #expect(!run.inspect && !run.noMmap && !run.allowFallback && !run.quiet)
  }

  /// Prompts may begin with a dash, and numbers with a sign.
  @Test func runOptions() throws {
    let run = try SDRun.parse([
      "--prompt", "--ar 16:9", "--negative-prompt", "-", "x", "--seed", "-1", "--steps", "-2", "--guidance-scale",
      "-1.5",
      "-o", "a b.png", "--num-images", "4", "--no-mmap", "--allow-fallback", "--quiet", "--preview-every", "5",
    ])
    #expect(run.plan == "x" && run.prompt == "--ar 16:9" && run.negativePrompt == "-")
    #expect(run.seed == "-1" && run.steps == -2 && run.guidanceScale == -1.5 && run.output == "a b.png")
    #expect(run.numImages == 4 && run.noMmap && run.allowFallback && run.quiet && run.previewEvery == 5)
    #expect(throws: (any Error).self) { try SDRun.parse(["x", "y"]) }
    #expect(throws: (any Error).self) { try SDRun.parse(["x", "--steps", "many"]) }
  }

  @Test func compileDefaults() throws {
    let compile = try SDCompile.parse(["model", "-o", "x"])
    #expect(compile.model == "model" && compile.arch == nil && compile.output == "x" && compile.size == [])
    #expect(compile.batch == 1 && compile.precision == "auto" && compile.target == "cpu" && compile.components == "all")
    #expect(compile.randomWeights == nil && compile.disablePass == [] && compile.rewriteLimit == nil)
    #expect(
      compile.dumpDir == nil && !compile.checkPasses && compile.stats == nil && !compile.quiet && !compile.verbose)
  }

  @Test func compileOptions() throws {
    let compile = try SDCompile.parse([
      "--arch", "sd15", "-o", "x", "--size", "512x512", "--size", "512x768", "--random-weights", "7", "--disable-pass",
      "a",
      "--disable-pass", "b", "--stats=json", "--rewrite-limit", "3",
    ])
    #expect(compile.model == nil && compile.arch == "sd15" && compile.size == ["512x512", "512x768"])
    #expect(compile.randomWeights == "7" && compile.disablePass == ["a", "b"] && compile.stats == "json")
    #expect(compile.rewriteLimit == 3)
  }

  @Test func benchDefaults() throws {
    let bench = try SDBench.parse(["x"])
    #expect(bench.plans == ["x"] && bench.component == nil && bench.runs == 5 && bench.threads == nil)
    #expect(!bench.json && !bench.compare && bench.peers == nil && bench.stress == nil)
  }

  @Test func benchOptions() throws {
    let bench = try SDBench.parse(["x", "y", "--compare", "--peers", "python3 'a b.py'", "--stress", "9"])
    #expect(bench.plans == ["x", "y"] && bench.compare && bench.peers == "python3 'a b.py'" && bench.stress == 9)
  }

  @Test func seeds() throws {
    #expect(try Seed.parse("18446744073709551615") == .max)
    for text in ["-1", "1.5", "", "1e3", "18446744073709551616"] {
      expectError(.usage, "a seed must be in 0 ... 18446744073709551615, it is '\(text)'") { try Seed.parse(text) }
    }
  }

  /// Every family of errors has its exit code.
  @Test func exitCodes() {
    #expect(SDError.Code.allCases.map(\.rawValue) == [2, 3, 4, 5, 6, 7, 130])
    struct Failing: ParsableCommand {
      @Argument var code: Int32
      func run() throws {
        if let code = SDError.Code(rawValue: code) { throw SDError(code, "x") }
      }
    }
    for code in SDError.Code.allCases { #expect(Tool.run(Failing.self, ["\(code.rawValue)"]) == code.rawValue) }
    #expect(Tool.run(Failing.self, ["1"]) == 0)
    #expect(Tool.run(Failing.self, []) == 2)
    #expect(Tool.run(Failing.self, ["x"]) == 2)
    #expect(Tool.run(Failing.self, ["--help"]) == 0)
  }
}
