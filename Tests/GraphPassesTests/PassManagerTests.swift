import GraphIR
import GraphPasses
import Synchronization
import Testing

/// Collects what a manager reports; class because the options hold closures.
final class Journal: Sendable {
  let lines = Mutex<[String]>([])
  let files = Mutex<[String: String]>([:])

  var options: PassOptions {
    var options = PassOptions()
    options.log = { line in self.lines.withLock { $0.append(line) } }
    options.dump = { (name, text) throws(SDError) in self.files.withLock { $0[name] = text } }
    return options
  }
}

@Suite struct PassManagerTests {
  /// Five neutral sums around functions.
  static func graph() throws -> Graph {
    try makeGraph { b in
      var x = try b.x([3])
      for _ in 0..<5 { x = try x.adding(b.constant([], [0])).silu() }
      return x
    }
  }

  @Test func unknownNamesAreRefused() throws {
    var options = PassOptions()
    options.disabled = ["fuse-atention"]
    let error = SDError(
      .usage, "there is no pass 'fuse-atention'",
      hint: """
        Did you mean 'fuse-attention'? The passes are simplify, fold-constants, fuse-attention, merge-projections, \
        sink-row, fuse-group-norm-silu, fuse-conv, fuse-geglu, split-concat, phase-conv, fold-norm-affine, share-prefix, fuse-normalize, choose-precision, fuse-feed-forward, fuse-statistics, hoist, derive-weights.
        """)
    #expect(throws: error) {
      try Pipeline(precision: .fp32, options: options).run(PassManagerTests.graph())
    }
  }

  @Test func disabledPassesDoNotRun() throws {
    let journal = Journal()
    var options = journal.options
    options.disabled = ["simplify"]
    var manager = try PassManager(options, passes: ["simplify"])
    let graph = try manager.run([Simplify()], on: PassManagerTests.graph())
    #expect(graph.count("add") == 5)
    #expect(manager.report.entries.isEmpty)
    #expect(journal.lines.withLock(\.self) == ["g: simplify: disabled"])
  }

  @Test(arguments: 0...7) func limitAppliesExactlyThatManyRewrites(_ limit: Int) throws {
    var options = PassOptions()
    options.rewriteLimit = limit
    var manager = try PassManager(options, passes: [])
    let graph = try manager.run([Simplify(), Simplify()], on: PassManagerTests.graph())
    #expect(graph.count("add") == max(0, 5 - limit))
    #expect(manager.report.rewrites == min(limit, 5))
  }

  @Test func limitIsSharedByAllPasses() throws {
    let graph = try makeGraph { b in
      let x = try b.x([2, 3, 4]).adding(b.constant([], [0]))
      return try x.linear(b.parameter("w", [4, 4])).silu()
    }
    var full = try PassManager(PassOptions(), passes: [])
    _ = try full.run(standardPasses(precision: .bf16), on: graph)
    #expect(full.report.rewrites > 3)
    for limit in 0...full.report.rewrites {
      var options = PassOptions()
      options.rewriteLimit = limit
      options.check = true
      var manager = try PassManager(options, passes: [])
      _ = try manager.run(standardPasses(precision: .bf16), on: graph)
      #expect(manager.report.rewrites == limit)
    }
  }

  @Test func logsOneLineAPass() throws {
    let journal = Journal()
    var manager = try PassManager(journal.options, passes: [])
    _ = try manager.run([Simplify(), FuseConv()], on: PassManagerTests.graph())
    let lines = journal.lines.withLock(\.self).map {
      $0.split(separator: ", ").dropLast().joined(separator: ", ")
    }
    #expect(
      lines == ["g: simplify: 12 -> 6 nodes, 5 rewrites", "g: fuse-conv: 6 nodes (unchanged), 0 rewrites"])
    let entry = try #require(manager.report.entries.first)
    #expect(entry.before["sd.add"] == 5 && entry.after["sd.add"] == nil && entry.milliseconds > 0)
  }

  @Test func dumpsOnlyWhatChanged() throws {
    let journal = Journal()
    var manager = try PassManager(journal.options, passes: [])
    let graph = try manager.run([FuseConv(), Simplify()], on: PassManagerTests.graph())
    let files = journal.files.withLock(\.self)
    #expect(files.keys.sorted() == ["002-simplify.dot", "002-simplify.graph"])
    #expect(files["002-simplify.graph"] == GraphText.print(graph))
  }

  /// Replaces a function by another one.
  struct Wrong: RewritingPass {
    let name = "wrong"
    var rules: [Rewrite] {
      [Rewrite("silu → gelu", .op(SiLU.self, ["x"])) { m in try m["x"].gelu() }]
    }
  }

  @Test func checkNamesPassAndOutput() throws {
    var options = PassOptions()
    options.check = true
    var manager = try PassManager(options, passes: [])
    let error = #expect(throws: SDError.self) { try manager.run([Wrong()], on: PassManagerTests.graph()) }
    #expect(error?.code == .numerics)
    #expect(error?.message.hasPrefix("pass 'wrong' changed output 'y' of graph 'g': NMSE 0.") == true)
    #expect(
      error?.hint == "Find the rewrite with --rewrite-limit, or leave the pass out with --disable-pass wrong."
    )
  }

  /// Loses an output.
  struct Forgetful: Pass {
    let name = "forgetful"
    func run(_ graph: Graph, _ context: inout PassContext) throws(SDError) -> Graph {
      let builder = GraphBuilder(name: graph.name)
      try builder.output("z", builder.input("x", TensorType(.f32, [3])))
      return builder.graph
    }
  }

  @Test func checkNamesLostOutputs() throws {
    var options = PassOptions()
    options.check = true
    var manager = try PassManager(options, passes: [])
    #expect(throws: SDError(.numerics, "pass 'forgetful' lost output 'y' of graph 'g'")) {
      try manager.run([Forgetful()], on: PassManagerTests.graph())
    }
  }
}
