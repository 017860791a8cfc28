import GraphIR
import GraphPasses
import Testing

@Suite struct PatternTests {
  /// Whether a rule that replaces what matches by x fires.
  static func matches(_ pattern: Pattern, _ body: (GraphBuilder) throws -> Value) throws -> Bool {
    var context = PassContext()
    _ = try Rewriter([Rewrite("p → x", pattern) { m in try m["x"] }]).run(makeGraph("g", body), &context)
    return context.rewrites > 0
  }

  @Test func sumsAndProductsMatchInBothOrders() throws {
    for (type, expected) in [(true, true), (false, false)] {
      let pattern: Pattern =
        type
        ? .op(Add.self, ["x", .op(SiLU.self, ["x"])]) : .op(Subtract.self, ["x", .op(SiLU.self, ["x"])])
      let found = try PatternTests.matches(pattern) { b in
        let x = try b.x([3])
        return try type ? x.silu().adding(x) : x.silu().subtracting(x)
      }
      #expect(found == expected)
    }
  }

  @Test func aNameIsOneValue() throws {
    let pattern = Pattern.op(Multiply.self, ["x", .op(Sigmoid.self, ["x"])])
    #expect(try PatternTests.matches(pattern) { b in try b.x([3]).multiplied(by: b.x([3]).sigmoid()) })
    #expect(try !PatternTests.matches(pattern) { b in try b.x([3]).multiplied(by: b.x([3], "y").sigmoid()) })
  }

  @Test func innerOpsHaveNoOtherUsers() throws {
    let body: (GraphBuilder) throws -> Value = { b in
      let gelu = try b.x([3]).gelu()
      return try gelu.silu().multiplied(by: gelu)
    }
    #expect(try !PatternTests.matches(.op(SiLU.self, [.op(GELU.self, ["x"])]), body))
    #expect(try PatternTests.matches(.op(SiLU.self, [.op(GELU.self, ["x"], shared: true)]), body))
    // Both users are inside of the match.
    let whole = Pattern.op(
      Multiply.self, [.op(SiLU.self, [.op(GELU.self, ["x"], as: "g")]), .op(GELU.self, as: "g")])
    #expect(try PatternTests.matches(whole, body))
  }

  @Test func constantsWeightsAndConditions() throws {
    let body: (GraphBuilder) throws -> Value = { b in
      try b.x([3, 4]).linear(b.parameter("w", [3, 4]).silu()).adding(b.constant([], [2]))
    }
    #expect(try PatternTests.matches(.op(Add.self, ["x", .constant("c")]), body))
    #expect(try PatternTests.matches(.op(Add.self, ["x", .constant("c", filled: 2)]), body))
    #expect(try !PatternTests.matches(.op(Add.self, ["x", .constant("c", filled: 1)]), body))
    let sum = { (product: Pattern) in Pattern.op(Add.self, [product, "c"], as: "x") }
    var context = PassContext()
    let never = Rewrite("declines", sum(.op(MatMul.self, ["a", .weight("w")]) { $0.transposeB })) { m in
      let weight = try m["w"]
      #expect(weight.shape == [3, 4])
      #expect(!m.has("nothing"))
      #expect(throws: SDError(.invalid, "the pattern captures nothing under the name 'nothing'")) {
        try m["nothing"]
      }
      #expect(throws: SDError(.invalid, "capture 'x' is [sd.add], not [sd.silu]")) {
        try m.op("x", as: SiLU.self)
      }
      return nil
    }
    _ = try Rewriter([never]).run(makeGraph("g", body), &context)
    #expect(context.rewrites == 0)
    #expect(try !PatternTests.matches(.op(MatMul.self, [.weight("x"), .weight("w")]), body))
    #expect(try !PatternTests.matches(.op(MatMul.self, ["x", "w"]) { !$0.transposeB }, body))
  }

  @Test func alternatives() throws {
    let pattern = Pattern.op(SiLU.self, [.oneOf([.op(GELU.self, ["x"]), .op(Exp.self, ["x"])])])
    #expect(try PatternTests.matches(pattern) { b in try b.x([3]).exp().silu() })
    #expect(try PatternTests.matches(pattern) { b in try b.x([3]).gelu().silu() })
    #expect(try !PatternTests.matches(pattern) { b in try b.x([3]).sigmoid().silu() })
  }
}
