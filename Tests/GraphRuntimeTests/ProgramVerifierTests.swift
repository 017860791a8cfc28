import GraphIR
import GraphRuntime
import TestSupport
import Testing

/// Every rule finds what breaks it.
struct ProgramVerifierTests {
  /// `b = exp(x); c = b + b; out = exp(c · w)`: buffers 0 (b) and 1 (c), and 2 for the product.
  private func program() throws -> Program {
    let builder = GraphBuilder(name: "g")
    let x = try builder.input("x", TensorType(.f32, [4, 16]))
    let w = try builder.add(Parameter(name: "w", type: TensorType(.f32, [16, 16])), [])
    let b = try builder.at("exp") { () throws(SDError) in try x.applying(Exp()) }
    let c = try builder.at("add") { () throws(SDError) in try b.adding(b) }
    let product = try builder.at("product") { () throws(SDError) in try c.matmul(w) }
    try builder.output("out", product.applying(Exp()))
    return try lower(builder.graph, with: ReferenceDevice().library)
  }

  private func refuse(
    _ message: String, sourceLocation: SourceLocation = #_sourceLocation, _ damage: (inout Program) -> Void
  ) throws {
    var program = try program()
    try ProgramVerifier().verify(program)
    damage(&program)
    expectError(.invalid, "program 'g': \(message)", sourceLocation: sourceLocation) {
      try ProgramVerifier().verify(program)
    }
  }

  @Test func arena() throws {
    let program = try program()
    #expect(program.buffers.count == 3)
    #expect(program.arenaBytes == 512 && program.arenaLowerBound == 512)
    let outside = "P1: buffer 1 lies outside the arena of 512 bytes"
    try refuse(outside) { $0.buffers[1].offset = -64 }
    try refuse(outside) { $0.buffers[1].offset = 512 }
    try refuse(outside) { $0.buffers[1].offset = 32 }
    try refuse("P1: buffer 0 lies outside the arena of 255 bytes") { $0.arenaBytes = 255 }
  }

  @Test func overlaps() throws {
    try refuse("P2: buffers 0 and 1 overlap while both live") { $0.buffers[1].offset = $0.buffers[0].offset }
    try refuse("P2: buffers 0 and 2 overlap while both live") { $0.buffers[0].last = 2 }
    // Buffers that never meet may share their bytes.
    var program = try program()
    program.buffers[2].offset = program.buffers[0].offset
    try ProgramVerifier().verify(program)
  }

  /// Only a kernel that can do so writes over what it reads.
  @Test func inPlace() throws {
    try refuse("P2: buffers 1 and 2 overlap while both live") {
      $0.buffers[2].replaces = 1
      $0.buffers[2].offset = $0.buffers[1].offset
    }
    func kernel(_ operands: Set<Int>) -> CPUKernel {
      CPUKernel("any", parts: 1, inPlaceOperands: operands) { _ in { _, _ in } }
    }
    var program = try program()
    program.buffers[2].replaces = 1
    program.buffers[2].offset = program.buffers[1].offset
    program.steps[2].kernel = kernel([0])
    try ProgramVerifier().verify(program)
    let message = "program 'g': P2: buffers 1 and 2 overlap while both live"
    let damages: [(inout Program) -> Void] = [
      { $0.steps[2].kernel = kernel([1]) },
      { $0.buffers[2].replaces = nil },
      { $0.buffers[2].replaces = 0 },
      { $0.buffers[1].last = 3 },
      { $0.steps[2].operands[1] = $0.steps[2].operands[0] },
      { $0.steps[2].operands[0].type = TensorType(.bf16, [4, 16]) },
    ]
    for damage in damages {
      var damaged = program
      damage(&damaged)
      expectError(.invalid, message) { try ProgramVerifier().verify(damaged) }
    }
  }

  @Test func lifetimes() throws {
    try refuse("P3: step 1 'add' uses buffer 0 outside its lifetime") { $0.buffers[0].last = 0 }
    try refuse("P3: step 0 'exp' uses buffer 0 outside its lifetime") { $0.buffers[0].first = 1 }
    try refuse("P3: step 0 'exp' uses buffer 1 outside its lifetime") {
      $0.steps[0].operands[0].place = .buffer(1)
    }
    try refuse("P3: step 1 'add' uses buffer 2 outside its lifetime") { $0.steps[1].results[0].place = .buffer(2) }
  }

  @Test func operands() throws {
    try refuse("P4: step 0 'exp' reaches outside its operand f32[4, 16]") { $0.steps[0].operands[0].offset = 4 }
    try refuse("P4: step 0 'exp' reaches outside its operand f32[4, 16]") { $0.steps[0].operands[0].offset = -4 }
    try refuse("P4: step 0 'exp' reaches outside its operand f32[4, 16]") { $0.steps[0].operands[0].pitch = 17 }
    try refuse("P4: step 1 'add' reaches outside its operand f32[4, 17]") {
      $0.steps[1].operands[1].type = TensorType(.f32, [4, 17])
    }
    try refuse("P4: step 2 'product' reaches outside its operand f32[16, 16]") { $0.steps[2].operands[1].offset = 64 }
    try refuse("P4: step 3 'g' reaches outside its operand f32[5, 16]") {
      $0.steps[3].results[0].type = TensorType(.f32, [5, 16])
    }
  }
}
