import DiffusionModels
import Foundation
import GraphIR
import GraphPasses
import TestSupport
import Testing

/// `sd-compile` as a person calls it.
struct CompileTests {
  private let model = MicroModel.sd15.folder

  @Test func writesThePlanOfTheLibrary() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/x.sdplan"
      let outcome = try ToolProcess.run(
        "sd-compile", "\(model)/", "-o", path, "--precision", "fp32", "--size", "72x56")
      let compiled = try MicroModel.sd15.compiled()
      #expect(outcome.status == 0)
      #expect(outcome.output == "")
      #expect(outcome.errors.hasSuffix("\n\(path): plan \(compiled.shortID)\n"))
      #expect(try get(path) == get(MicroModel.sd15.plan()))
      #expect(entries(of: folder) == ["x.sdplan"])
    }
  }

  /// One line of progress for each tenth, with rate and time left.
  @Test func progress() throws {
    try withTemporaryFolder { folder in
      let outcome = try ToolProcess.run("sd-compile", model, "-o", "\(folder)/x")
      let lines = outcome.errors.split(separator: "\n").dropLast()
      #expect((8...12).contains(lines.count))
      for line in lines {
        #expect(line.wholeMatch(of: #/weights: \d+/100 %, \d+\.\d\d (%\/s|s\/%), \d+:\d\d left/#) != nil, "\(line)")
      }
      #expect(lines.last?.hasPrefix("weights: 100/100 %") == true)
      let quiet = try ToolProcess.run("sd-compile", model, "-o", "\(folder)/x", "--quiet")
      #expect(quiet.errors == "" && quiet.output == "" && quiet.status == 0)
    }
  }

  @Test func tune() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/x"
      let outcome = try ToolProcess.run(
        "sd-compile", model, "-o", path, "--components", "text_encoder", "--tune", "--stats")
      #expect(outcome.status == 0)
      #expect(outcome.errors.hasPrefix("tuning: 100/100 %, "))
      let line =
        #/tuned for cpu \w+, \d+ threads: \d+ of \d+ convolutions are cut otherwise than predicted; together, once each, \d+\.\d{3} ms became \d+\.\d{3} ms/#
      #expect(outcome.output.split(separator: "\n").last?.wholeMatch(of: line) != nil)
      let inspection = try ToolProcess.run("sd-run", path, "--inspect").output
      #expect(
        inspection.contains(
          #/\ntuned for    cpu \w+, \d+ threads: \d+ convolutions are cut otherwise than predicted\n/#))
      #expect(inspection.contains(#/\nsection      TUNE at \d+, \d+ bytes\n/#))
    }
  }

  /// The model's own size, and the precision that this processor is best at.
  @Test func defaults() throws {
    try withTemporaryFolder { folder in
      _ = try ToolProcess.run("sd-compile", model, "-o", "\(folder)/x", "--quiet")
      let info = try CompiledModel(plan: "\(folder)/x").info
      #expect(info.sizes == [PictureSize(height: 64, width: 64)])
      #expect(info.precision == PlanTarget.cpu.precision(for: .unet))
      #expect(info.batch == 1)
      #expect(info.components == Component.allCases)
    }
  }

  @Test func statistics() throws {
    try withTemporaryFolder { folder in
      let arguments = [model, "-o", "\(folder)/x", "--quiet"]
      let text = try ToolProcess("sd-compile", arguments + ["--stats"]).wait()
      #expect(text.status == 0 && text.errors == "")
      #expect(text.output.hasPrefix("text_encoder.general: "))
      #expect(text.output.contains(#/\nunet\.guided@64x64: \d+ ops declared, \d+\.\d+ GFLOP\n/#))
      #expect(
        text.output.contains(#/\n  step: \d+ kernel calls, .* arena \d+\.\d MiB \(1\.0\d\d x its lower bound\)\n/#))
      #expect(text.output.contains(#/phase-conv: .* ms; saves (\d+\.\d) of \1 GFLOP\n/#))
      let json = try ToolProcess("sd-compile", arguments + ["--stats=json"]).wait()
      #expect(json.output.split(separator: "\n").count == 1)
      let report = try JSONDecoder().decode(CompileReport.self, from: Data(json.output.utf8))
      #expect(report.graphs.map(\.name).contains("unet.guided@64x64"))
      #expect(report.graphs.allSatisfy { !$0.passes.entries.isEmpty && !$0.parts.isEmpty })
      for entry in report.graphs.flatMap(\.passes.entries) {
        #expect(entry.predicted == nil || entry.predicted == entry.got, "\(entry.graph) \(entry.pass)")
      }
      #expect(try CompiledModel(plan: "\(folder)/x").shortID == report.planID.prefix(10))
    }
  }

  @Test func verbose() throws {
    try withTemporaryFolder { folder in
      let outcome = try ToolProcess.run(
        "sd-compile", model, "-o", "\(folder)/x", "--verbose", "--disable-pass", "fuse-geglu")
      for pass in Pipeline(precision: .fp32).names {
        #expect(
          outcome.errors.contains("\nunet: \(pass): ") || outcome.errors.contains("unet.step: \(pass): "), "\(pass)")
      }
      #expect(outcome.errors.contains("\nunet: fuse-geglu: disabled\n"))
    }
  }

  /// Text that reads back as the graph, and Graphviz, behind every pass that changed something.
  @Test func dumps() throws {
    try withTemporaryFolder { folder in
      let outcome = try ToolProcess.run(
        "sd-compile", model, "-o", "\(folder)/x", "--quiet", "--dump-dir", "\(folder)/dump", "--components",
        "text_encoder")
      #expect(outcome.status == 0)
      let names = entries(of: "\(folder)/dump")
      #expect(names.contains { $0.hasSuffix("-fuse-attention.graph") })
      #expect(!names.contains { $0.contains("fuse-geglu") })  // a text encoder has none
      for name in names {
        let text = String(decoding: get("\(folder)/dump/\(name)") ?? [], as: UTF8.self)
        if name.hasSuffix(".graph") {
          let graph = try GraphText.parse(text, registry: .standard)
          #expect(GraphText.print(graph) == text)
        } else {
          #expect(name.hasSuffix(".dot") && text.hasPrefix("digraph "))
        }
      }
      try expectRefusal(
        "sd-compile", [model, "-o", "\(folder)/y", "--dump-dir", "/nowhere/dump"], 5,
        "cannot make the folder '/nowhere/dump': No such file or directory")
      #expect(entries(of: folder) == ["dump", "x"])
    }
  }

  @Test func checkedPasses() throws {
    try withTemporaryFolder { folder in
      let outcome = try ToolProcess.run(
        "sd-compile", MicroModel.sd21.folder, "-o", "\(folder)/x", "--check-passes", "--size", "72x56", "--quiet")
      #expect(outcome.status == 0)
      #expect(outcome.errors == "")
    }
  }

  @Test func rewriteLimit() throws {
    try withTemporaryFolder { folder in
      let arguments = [model, "-o", "\(folder)/x", "--quiet", "--stats=json", "--rewrite-limit", "7"]
      let outcome = try ToolProcess("sd-compile", arguments).wait()
      let report = try JSONDecoder().decode(CompileReport.self, from: Data(outcome.output.utf8))
      #expect(report.graphs.map { $0.passes.rewrites }.max() == 7)
    }
  }

  /// Random weights need the configurations only, and follow from the seed.
  @Test func randomWeights() throws {
    try withTemporaryFolder { folder in
      let checkpoint = try Checkpoint(in: folder)
      for component in ["unet", "vae", "text_encoder"] { removeTree(checkpoint.weights(component)) }
      var files: [[UInt8]?] = []
      for seed in ["3", "3", "4"] {
        let outcome = try ToolProcess.run(
          "sd-compile", checkpoint.folder, "-o", "\(folder)/x", "--random-weights", seed, "--quiet")
        #expect(outcome.status == 0 && outcome.errors == "")
        files.append(get("\(folder)/x"))
      }
      #expect(files[0] == files[1])
      #expect(files[0] != files[2])
      let outcome = try ToolProcess.run(
        "sd-run", "\(folder)/x", "--prompt", "x", "--steps", "4", "-o", "\(folder)/x.png", "--quiet")
      #expect(outcome.status == 0)
    }
  }
}
