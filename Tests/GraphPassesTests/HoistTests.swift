import GraphIR
import GraphPasses
import Testing

@Suite struct HoistTests {
  /// A step that reads a prompt through a product, a schedule through a product, and both through one.
  static func graph() throws -> Graph {
    try makeGraph { b in
      let text = try b.x([2, 6, 4], "text", rate: .prompt)
      let times = try b.x([5, 4], "times", rate: .schedule)
      let keys = try b.scope("keys") { () throws(SDError) in
        try text.linear(b.parameter("k", [8, 4]))
      }
      let table = try b.scope("table") { () throws(SDError) in
        try times.linear(b.parameter("t", [4, 4])).silu()
      }
      let index = try b.input("index", TensorType(.i32, [1]))
      let x = try b.x([2, 3, 4]).adding(table.selectRow(index).reshaped([1, 1, 4]))
      let (k, v) = (try keys.sliced(0..<4), try keys.sliced(4..<8))
      return try x.linear(b.parameter("q", [4, 4])).attention(k, v, heads: 2, scale: 0.5)
    }
  }

  @Test func cutsByRate() throws {
    let graph = try HoistTests.graph()
    let parts = try Hoist().run(graph)
    let (prompt, schedule) = (try #require(parts.prompt), try #require(parts.schedule))
    #expect(prompt.name == "g.prompt" && prompt.outputs.map(\.name) == ["hoisted.g.keys"])
    #expect(prompt.opCounts() == ["sd.input": 1, "sd.parameter": 1, "sd.matmul": 1])
    #expect(schedule.name == "g.schedule" && schedule.outputs.map(\.name) == ["hoisted.g.table"])
    #expect(schedule.opCounts() == ["sd.input": 1, "sd.parameter": 1, "sd.matmul": 1, "sd.silu": 1])
    #expect(
      parts.step.inputs.map(\.input.name).sorted() == ["hoisted.g.keys", "hoisted.g.table", "index", "x"])
    #expect(parts.step.inputs.map(\.input.rate).sorted() == [.prompt, .schedule, .step, .step])
    // The slices of the keys are taken where they are read.
    #expect(parts.step.count("slice") == 2 && parts.step.count("matmul") == 1)
    try Equivalence(tolerance: 0).check(graph, parts.joined(), pass: "hoist")
  }

  @Test func countsWhatMoved() throws {
    let work = HoistStatistics(try Hoist().run(HoistTests.graph())).work
    #expect(work.map(\.rate) == ["prompt", "schedule", "step"])
    #expect(work.map(\.products) == [1, 1, 1])
    #expect(work[0].flops == 2 * 2 * 6 * 8 * 4)
    #expect(work[1].flops == 2 * 5 * 4 * 4)
  }

  /// Half of the products; the slices are views.
  @Test func leavesTheStepWhatWasPredicted() throws {
    let report = try Pipeline(precision: .fp32).run(HoistTests.graph()).report
    let entry = try #require(report.entries.first { $0.pass == "hoist" })
    #expect(entry.predicted == entry.got && entry.got.flops > 0 && entry.got.ops == 2)
    #expect(entry.workBefore.flops - entry.workAfter.flops == entry.got.flops)
  }

  @Test func repeatsLeavesAndPassesInputsOn() throws {
    let graph = try makeGraph { b in
      let text = try b.x([2, 4], "text", rate: .prompt)
      let w = try b.parameter("w", [4, 4])
      return try b.x([2, 4]).linear(w).adding(text.linear(w)).adding(
        text.reshaped([1, 2, 4]).reshaped([2, 4]))
    }
    let parts = try Hoist().run(graph)
    #expect(parts.schedule == nil)
    #expect(parts.prompt?.count("parameter") == 1 && parts.step.count("parameter") == 1)
    #expect(parts.step.inputs.map(\.input.name).sorted() == ["hoisted.g", "text", "x"])
    try Equivalence(tolerance: 0).check(graph, parts.joined(), pass: "hoist")
  }

  @Test func scheduleMayReadThePrompt() throws {
    let graph = try makeGraph { b in
      let text = try b.x([2, 4], "text", rate: .prompt).silu()
      let both = try b.x([2, 4], "times", rate: .schedule).adding(text).gelu()
      return try b.x([2, 4]).multiplied(by: both)
    }
    let parts = try Hoist().run(graph)
    #expect(parts.schedule?.inputs.map(\.input.rate).sorted() == [.prompt, .schedule])
    try Equivalence(tolerance: 0).check(graph, parts.joined(), pass: "hoist")
  }

  @Test func outputsOfALowerRateStayOutputs() throws {
    let builder = GraphBuilder(name: "g")
    let text = try builder.x([2, 4], "text", rate: .prompt).silu()
    try builder.output("text states", text)
    try builder.output("y", builder.x([2, 4]).adding(text))
    let parts = try Hoist().run(builder.graph)
    #expect(parts.step.outputs.map(\.name) == ["text states", "y"])
    try Equivalence(tolerance: 0).check(builder.graph, parts.joined(), pass: "hoist")
  }

  @Test func oneRateIsNotCut() throws {
    for rate in [Rate.prompt, .schedule, .step] {
      let graph = try makeGraph { b in try b.x([2, 4], rate: rate).linear(b.parameter("w", [4, 4])) }
      let parts = try Hoist().run(graph)
      #expect(parts.prompt == nil && parts.schedule == nil && parts.step == graph)
    }
    let constant = try makeGraph { b in try b.parameter("w", [4, 4]).silu() }
    #expect(try Hoist().run(constant).step == constant)
  }
}
