import GraphIR
import GraphPasses
import Synchronization
import Testing

@Suite struct PipelineTests {
  /// A pass from outside: it puts one function in the place of another.
  struct Swap: RewritingPass {
    let name = "lab-swap"
    var rules: [Rewrite] {
      [Rewrite("gelu → silu", .op(GELU.self, ["x"])) { m in try m["x"].silu() }]
    }
  }

  @Test func extraPassesRunBeforePrecisionIsChosen() throws {
    var pipeline = Pipeline(precision: .bf16)
    pipeline.insert([Swap()])
    #expect(
      pipeline.names.suffix(7) == [
        "lab-swap", "fuse-normalize", "choose-precision", "fuse-feed-forward", "fuse-statistics", "hoist",
        "derive-weights",
      ])
    let result = try pipeline.run(makeGraph { b in try b.x([3]).gelu() })
    #expect(result.graphs.step.count("silu") == 1)
    #expect(result.report.entries.first { $0.pass == "lab-swap" }?.rewrites == 1)
  }

  @Test func dumpsEveryPartOfACut() throws {
    let journal = Journal()
    var options = journal.options
    options.check = true
    let result = try Pipeline(precision: .fp32, options: options).run(HoistTests.graph())
    let files = journal.files.withLock(\.self)
    for (name, graph) in [("g.prompt", result.graphs.prompt), ("g.schedule", result.graphs.schedule)] {
      #expect(files["018-hoist.\(name).graph"] == graph.map(GraphText.print))
    }
    #expect(files["018-hoist.g.dot"] != nil)
    #expect(result.report.hoisted.work.map(\.rate) == ["prompt", "schedule", "step"])
    #expect(
      result.report.hoisted.description
        == "prompt: 1 op, 1 product, 0.0 GFLOP; schedule: 1 op, 1 product, 0.0 GFLOP; "
        + "step: 7 ops, 1 product, 0.0 GFLOP")
  }

  @Test func everyPassCanBeDisabled() throws {
    let graph = try HoistTests.graph()
    for name in Pipeline(precision: .bf16).names {
      var options = PassOptions()
      options.disabled = [name]
      options.check = true
      let result = try Pipeline(precision: .bf16, options: options).run(graph)
      #expect(!result.report.entries.contains { $0.pass == name })
    }
    var options = PassOptions()
    options.disabled = Set(Pipeline(precision: .bf16).names)
    #expect(try Pipeline(precision: .bf16, options: options).run(graph).graphs.step == graph)
  }
}
