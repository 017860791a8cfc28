import GraphIR
import GraphRuntime
import TestSupport
import Testing

/// What lowering makes of graphs: which steps, over which bytes.
struct LoweringTests {
  /// Kernels for some ops; with or without views.
  private struct Library: KernelLibrary {
    struct Fake: Kernel {
      let name = "fake"
      var weightLayouts: [Int: WeightLayout] = [:]
      var acceptsPitch = true
      var denseOperands: Set<Int> = []
      var inPlaceOperands: Set<Int> = []
      let scratchBytes = 0
    }

    var kernel = Fake()
    /// Names of ops without a kernel.
    var lacking: Set<String> = []

    func kernel(for op: any Op, _ signature: KernelSignature) -> (any Kernel)? {
      lacking.contains("\(type(of: op).id)") ? nil : kernel
    }
  }

  private func lowered(
    _ types: [[Int]], with library: Library = Library(), _ build: ([Value]) throws(SDError) -> Value
  ) throws -> Program {
    try lower(makeGraph(types.map { TensorType(.f32, $0) }, build), with: library)
  }

  private func names(_ program: Program) -> [String] { program.steps.map { "\(type(of: $0.op).id)" } }

  @Test func reshapesAreViews() throws {
    let program = try lowered([[2, 6]]) { (v) throws(SDError) in
      try v[0].applying(Exp()).reshaped([3, 4]).reshaped([12]).applying(Exp())
    }
    #expect(names(program) == ["sd.exp", "sd.exp"])
    #expect(program.steps[1].operands[0].type.shape == [12])
    #expect(program.steps[1].operands[0].place == .buffer(0))
    #expect(program.buffers.count == 1)
  }

  /// Columns are a view with a pitch, rows one with an offset.
  @Test func slicesAreViews() throws {
    let columns = try lowered([[4, 6]]) { (v) throws(SDError) in try v[0].sliced(2..<5).applying(Exp()) }
    #expect(names(columns) == ["sd.exp"])
    let view = columns.steps[0].operands[0]
    #expect((view.place, view.offset, view.pitch) == (.input(0), 8, 6))
    #expect(view.type.shape == [4, 3])
    #expect(!view.isDense && view.byteSpan == 4 * (3 * 6 + 3))

    let rows = try lowered([[1, 4, 5, 6]]) { (v) throws(SDError) in try v[0].sliced(1..<3, axis: 1).applying(Exp()) }
    #expect(names(rows) == ["sd.exp"])
    #expect(rows.steps[0].operands[0].offset == 4 * 30)
    #expect(rows.steps[0].operands[0].isDense)

    // Rows of columns of rows.
    let both = try lowered([[8, 6]]) { (v) throws(SDError) in
      try v[0].sliced(2..<8, axis: 0).sliced(1..<5).sliced(3..<4, axis: 0).applying(Exp())
    }
    #expect(names(both) == ["sd.exp"])
    #expect(both.steps[0].operands[0].offset == 4 * (5 * 6 + 1))
    #expect(both.steps[0].operands[0].pitch == 6)
  }

  /// A range in the middle of a tensor is no range of rows: it is copied.
  @Test func slicesThatAreCopied() throws {
    let program = try lowered([[2, 4, 6]]) { (v) throws(SDError) in
      try v[0].sliced(1..<3, axis: 1).applying(Exp())
    }
    #expect(names(program) == ["sd.slice", "sd.exp"])
    #expect(program.steps[0].operands[0].type.shape == [2, 4, 6])
    #expect(program.steps[0].results[0].type.shape == [2, 2, 6])
    #expect(program.steps[1].operands[0].place == .buffer(0))
  }

  /// Rows with gaps stay rows under another shape, but cannot be cut.
  @Test func reshapesOfColumns() throws {
    let kept = try lowered([[4, 6]]) { (v) throws(SDError) in
      try v[0].sliced(0..<3).reshaped([2, 2, 3]).applying(Exp())
    }
    #expect(names(kept) == ["sd.exp"])
    #expect(kept.steps[0].operands[0].pitch == 6)
    let cut = try lowered([[4, 6]]) { (v) throws(SDError) in
      try v[0].sliced(0..<3).reshaped([12]).applying(Exp())
    }
    #expect(names(cut) == ["sd.reshape", "sd.exp"])
    #expect(cut.steps[1].operands[0].isDense)
    // A single row has no gaps, whatever its pitch.
    let single = try lowered([[1, 6]]) { (v) throws(SDError) in
      try v[0].sliced(1..<5).reshaped([2, 2]).applying(Exp())
    }
    #expect(names(single) == ["sd.exp"])
    #expect(single.steps[0].operands[0].pitch == 2 && single.steps[0].operands[0].offset == 4)
  }

  @Test func kernelsThatTakeNoPitch() throws {
    let library = Library(kernel: .init(acceptsPitch: false))
    let program = try lowered([[4, 6]], with: library) { (v) throws(SDError) in try v[0].sliced(0..<3).applying(Exp()) }
    #expect(names(program) == ["sd.reshape", "sd.exp"])
    #expect(program.steps[1].operands[0].isDense)
    let rows = try lowered([[4, 6]], with: library) { (v) throws(SDError) in
      try v[0].sliced(1..<3, axis: 0).applying(Exp())
    }
    #expect(names(rows) == ["sd.exp"])
    let second = Library(kernel: .init(denseOperands: [1]))
    let sum = try lowered([[4, 6]], with: second) { (v) throws(SDError) in
      try v[0].sliced(0..<3).adding(v[0].sliced(3..<6))
    }
    #expect(names(sum) == ["sd.reshape", "sd.add"])
    #expect(sum.steps[1].operands.map(\.isDense) == [false, true])
  }

  /// Results that are outputs are written where the caller wants them; all others that are outputs are copied.
  @Test func outputs() throws {
    let builder = GraphBuilder(name: "g")
    let x = try builder.input("x", TensorType(.f32, [4, 6]))
    let y = try x.applying(Exp())
    let z = try y.applying(Exp())
    try builder.output("y", y)
    try builder.output("z", z)
    try builder.output("again", z)
    try builder.output("x", x)
    try builder.output("part", y.sliced(0..<2))
    let program = try lower(builder.graph, with: Library())
    #expect(program.outputs.map(\.name) == ["y", "z", "again", "x", "part"])
    #expect(names(program) == ["sd.exp", "sd.exp", "sd.reshape", "sd.reshape", "sd.reshape"])
    #expect(program.steps.map(\.results[0].place) == (0..<5).map { .output($0) })
    #expect(
      program.steps.map(\.operands[0].place) == [.input(0), .output(0), .output(1), .input(0), .output(0)])
    #expect(program.buffers.isEmpty && program.arenaBytes == 0)
  }

  /// A weight is wanted in the layout of its reader; two readers share it where they agree.
  @Test func weights() throws {
    let builder = GraphBuilder(name: "g")
    let x = try builder.input("x", TensorType(.f32, [4, 6]))
    let w = try builder.add(Parameter(name: "w", type: TensorType(.f32, [6, 6])), [])
    try builder.output("out", x.matmul(w).matmul(w).adding(w.sliced(0..<4, axis: 0)))
    let program = try lower(builder.graph, with: Library(kernel: .init(weightLayouts: [1: .panel32])))
    #expect(program.weights.map(\.layout) == [.panel32, .dense])
    #expect(program.steps.map { $0.operands.last?.place } == [.weight(0), .weight(0), .weight(1)])
    #expect(program.weightBytes == 6 * 32 * 4 + 6 * 6 * 4)
  }

  /// An op without a kernel becomes its decomposition, and that again.
  @Test func decompositions() throws {
    let program = try lowered([[2, 6]], with: Library(lacking: ["sd.silu"])) { (v) throws(SDError) in
      try v[0].silu()
    }
    #expect(names(program) == ["sd.sigmoid", "sd.multiply"])
    #expect(program.graph.opCounts() == ["sd.input": 1, "sd.silu": 1])  // it still says what it computes
    expectError(.incompatible, "[sd.exp] has no kernel and no decomposition, at 'test'") {
      try lowered([[2]], with: Library(lacking: ["sd.exp"])) { (v) throws(SDError) in try v[0].applying(Exp()) }
    }
    expectError(.incompatible, "[sd.reshape] has no kernel, at 'test'") {
      try lowered([[2, 2]], with: Library(lacking: ["sd.reshape"])) { (v) throws(SDError) in
        try v[0].sliced(0..<1).reshaped([2])
      }
    }
  }

  /// A buffer lives from the step that writes it to the last that reads it, through all of its views.
  @Test func lifetimes() throws {
    let program = try lowered([[4, 6]]) { (v) throws(SDError) in
      let first = try v[0].applying(Exp())
      let second = try first.sliced(0..<3).applying(Exp())
      let third = try second.applying(Exp())
      return try third.adding(first.sliced(3..<6))
    }
    #expect(program.buffers.map { [$0.first, $0.last] } == [[0, 3], [1, 2], [2, 3]])
    #expect(program.buffers.map(\.byteCount) == [128, 64, 64])
    #expect(program.arenaBytes == 256 && program.arenaLowerBound == 256)
  }

  /// A result is written over an operand where the kernel can do so and nobody reads that again.
  @Test func resultsInPlace() throws {
    func places(
      _ operands: Set<Int>, _ build: ([Value]) throws(SDError) -> Value
    ) throws -> (replaces: [Int?], bytes: Int) {
      let program = try lowered([[4, 16]], with: Library(kernel: .init(inPlaceOperands: operands)), build)
      let offsets = program.buffers.map(\.offset)
      for (index, buffer) in program.buffers.enumerated() {
        #expect(buffer.replaces.map { offsets[$0] == offsets[index] } ?? true)
      }
      return (program.buffers.map(\.replaces), program.arenaBytes)
    }
    let chain = { (v: [Value]) throws(SDError) in try v[0].applying(Exp()).applying(Exp()).applying(Exp()).silu() }
    #expect(try places([], chain) == ([nil, nil, nil], 512))
    #expect(try places([0], chain) == ([nil, 0, 1], 256))
    #expect(try places([1], chain) == ([nil, nil, nil], 512))
    // An operand that is read again, or twice, or of which there is more.
    let sum = { (v: [Value]) throws(SDError) in
      let (a, b) = (try v[0].applying(Exp()), try v[0].silu())
      return try a.adding(b).adding(a).silu()
    }
    #expect(try places([0], sum) == ([nil, nil, nil, 2], 768))
    #expect(try places([0, 1], sum) == ([nil, nil, 1, 2], 512))
    #expect(
      try places([0, 1]) { (v) throws(SDError) in
        let a = try v[0].applying(Exp())
        return try a.adding(a).silu()
      } == ([nil, nil], 512))
    #expect(
      try places([0]) { (v) throws(SDError) in
        try v[0].applying(Exp()).sliced(0..<2, axis: 0).applying(Exp()).silu()
      } == ([nil, nil], 384))
    #expect(
      try places([0]) { (v) throws(SDError) in
        try v[0].applying(Exp()).applying(Cast(dtype: .bf16)).applying(Cast(dtype: .f32)).silu()
      } == ([nil, nil, nil], 384))
    // Under another shape it is the same memory.
    #expect(
      try places([0]) { (v) throws(SDError) in
        try v[0].applying(Exp()).reshaped([8, 8]).applying(Exp()).silu()
      } == ([nil, 0], 256))
  }

  @Test func work() throws {
    let program = try lowered([[4, 6], [6, 5]]) { (v) throws(SDError) in try v[0].matmul(v[1]) }
    #expect(program.steps[0].flops == 2 * 4 * 6 * 5 && program.flops == 240)
    #expect(program.steps[0].bytes == 4 * (24 + 30 + 20))
    #expect(program.steps[0].location == "test")
  }

  /// One call of the convolution kernel sees images or rows, and at least one channel; the rest is taken apart.
  @Test func convolutionsThatTheKernelCannotDo() throws {
    func kernel(_ weights: [[Int]]) -> CPUKernel? {
      let operands = weights.flatMap { w in
        [TensorType(.f32, [1, 4, 4, w[1]]), TensorType(.f32, w)]
      }
      let signature = KernelSignature(
        operands: operands, results: [TensorType(.f32, [1, 4, 4, 8])], isWeight: operands.indices.map { $0 % 2 == 1 })
      let sources = weights.map { _ in FusedConv.Source() }
      return FusedConv(sources: sources).cpuKernel(signature, on: .best)
    }
    #expect(kernel([[8, 4], [8, 3]]) != nil)
    #expect(kernel([[8, 4, 1, 1], [8, 3, 1, 1]]) != nil)
    #expect(kernel([[8, 4], [8, 4, 1, 1]]) == nil)
    #expect(kernel([[8, 4], [8, 0]]) == nil)
  }

  /// Any number can be stored as an integer: held in its range, zero for what is not a number.
  @Test func integersOfAnyNumber() throws {
    let storage = try TensorStorage(TensorType(.i32, [5]))
    storage.write([.nan, 3e19, -3e19, .infinity, 7.9])
    let ends = [Float(Int32.max), Float(Int32.min)]
    #expect(storage.read() == [0, ends[0], ends[1], ends[0], 7])
  }
}
