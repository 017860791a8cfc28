import GraphIR
import TestSupport
import Testing

@Suite struct GraphParserTests {
  private static let input = #"%0 = sd.input() {name = "x", rate = "step", type = "f32[2]"} : f32[2] loc "l""#

  /// A graph whose third line is the statement under test, and the expected place and sentence.
  @Test(arguments: [
    ("%1 = sd.exp(%0) : f32[3] loc \"l\"", 8, "V2: sd.exp gives f32[2], the text says f32[3]"),
    ("%1 = sd.exp(%0) : f16[2] loc \"l\"", 8, "V2: sd.exp gives f32[2], the text says f16[2]"),
    (
      "%1:2 = sd.exp(%0) : f32[2], f32[2] loc \"l\"", 10,
      "V2: sd.exp gives f32[2], the text says f32[2], f32[2]"
    ),
    ("%1:2 = sd.exp(%0) : f32[2] loc \"l\"", 3, "%1 has 2 result(s) before '=' and 1 type(s) behind ':'"),
    ("%1 = sd.exp(%2) : f32[2] loc \"l\"", 15, "V1: %2 is not defined before its use"),
    ("%1 = sd.exp(%1) : f32[2] loc \"l\"", 15, "V1: %1 is not defined before its use"),
    ("%1 = sd.exp(%0#1) : f32[2] loc \"l\"", 15, "V1: %0 has 1 result(s), there is no %0#1"),
    ("%0 = sd.exp(%0) : f32[2] loc \"l\"", 3, "V1: %0 is defined twice"),
    ("%1 = sd.exp(%0, %0) : f32[2] loc \"l\"", 8, "[sd.exp] takes 1 operand, it has 2, at 'l'"),
    (
      "%1 = sd.sum(%0) {axes = [1]} : f32[2] loc \"l\"", 8,
      "[sd.sum] axes [1] are not axes of f32[2], each once (C1), at 'l'"
    ),
    ("%1 = sd.sum(%0) : f32[2] loc \"l\"", 8, "[sd.sum] attribute 'axes' is missing"),
    ("%1 = sd.exp(%0) {x = 1} : f32[2] loc \"l\"", 8, "[sd.exp] V3: unknown attribute 'x'"),
    ("%1 = sd.sum(%0) {axes = [0], axes = [0]} : f32[1] loc \"l\"", 32, "attribute \"axes\" is given twice"),
    ("%1 = sd.exp(%0) : f33[2] loc \"l\"", 21, "expected a type like f32[2, 3], found 'f33'"),
    ("%1 = sd.exp(%0) : f32[2147483648] loc \"l\"", 21, "V7: the type has a rank above 8 or is too large"),
    ("%1 = sd.exp(%0) : f32[-1] loc \"l\"", 25, "expected a dimension, found '-1'"),
    ("%1 = sd.exp(%0) : f32[2]", 1, "expected 'loc', found '}'"),
    ("%1 = sd.exp(%0) : f32[2] loc l", 32, "expected a location in quotes, found 'l'"),
    ("%1 = sd.exp(%0) : f32[2] loc \"\\n\"", 32, "V6: a location has a control character"),
    (
      "%1 = sd.exp(%0) : f32[2] loc \"\\q\"", 33, "unknown escape; there are \\\", \\\\, \\n, \\t and \\u{7F}"
    ),
    ("%1 = sd.exp(%0) : f32[2] loc \"l", 32, "the text that begins here has no closing quote on its line"),
    ("%1 = sd.exp(%0) = f32[2] loc \"l\"", 19, "expected an attribute's value, found '='"),
    ("%1 = sd.exp %0 : f32[2] loc \"l\"", 15, "expected '(', found '%0'"),
    ("%1 = (%0)", 8, "expected an operation, found '('"),
    ("% = sd.exp(%0)", 3, "'%' must be followed by a value's number"),
    ("%99999999999999999999 = sd.exp(%0)", 3, "'%' must be followed by a value's number"),
    ("%1 = sd.sum(%0) {axes = [1.]} : f32[2] loc \"l\"", 28, "'1.' is not a number"),
    ("%1 = sd.sum(%0) {axes = [-x]} : f32[2] loc \"l\"", 28, "'-x' is not a number"),
    ("output \"out\" = %1", 18, "V1: %1 is not defined before its use"),
    ("output out = %0", 10, "expected an output's name in quotes, found 'out'"),
    ("ouput \"out\" = %0", 3, "expected a node, an output or '}', found 'ouput'"),
    ("Ω", 3, "unexpected character \"Ω\""),
    ("%1 = sd.exp(%0) : f32[2] loc \"Ω\" ;", 36, "unexpected character \";\""),
  ]) func statements(statement: String, column: Int, message: String) {
    let line = message.hasSuffix("found '}'") ? 4 : 3
    expectError(.invalid, "graph text, line \(line), column \(column): \(message)") {
      try GraphText.parse("graph \"g\" {\n  \(Self.input)\n  \(statement)\n}\n", registry: .standard)
    }
  }

  @Test func outputsAreUnique() {
    let text = "graph \"g\" {\n\(Self.input)\noutput \"a\" = %0\noutput \"a\" = %0 }"
    expectError(.invalid, "graph text, line 4, column 8: graph 'g' already has an output 'a'") {
      try GraphText.parse(text, registry: .standard)
    }
  }

  @Test func inputsAndParametersAreConsistent() {
    let second = Self.input.replacing("%0", with: "%1").replacing("f32[2]", with: "f32[3]")
    expectError(.invalid, "V6: two inputs are named 'x', at 'l'") {
      try GraphText.parse("graph \"g\" { \(Self.input) \(second) }", registry: .standard)
    }
    let parameters = (1...2).map {
      "%\($0) = sd.parameter() {name = \"w\", type = \"f32[\($0)]\"} : f32[\($0)] loc \"l\""
    }
    expectError(.invalid, "V4: parameter 'w' is f32[1] and f32[2], at 'l'") {
      try GraphText.parse("graph \"g\" { \(parameters.joined(separator: " ")) }", registry: .standard)
    }
  }

  @Test(arguments: [
    ("", "line 1, column 1: expected 'graph', found the end of the text"),
    ("graph \"g\" {", "line 1, column 12: expected a node, an output or '}', found the end of the text"),
    ("graph \"g\" { } x", "line 1, column 15: expected the end of the text, found 'x'"),
    ("graph g", "line 1, column 7: expected a graph's name in quotes, found 'g'"),
  ]) func frames(text: String, message: String) {
    expectError(.invalid, "graph text, \(message)") { try GraphText.parse(text, registry: .standard) }
  }

  @Test func limits() {
    let long = String(repeating: "x", count: 257)
    expectError(.invalid, "graph text, line 1, column 7: V6: a graph's name has 257 bytes; 256 are allowed") {
      try GraphText.parse("graph \"\(long)\" { }", registry: .standard)
    }
    expectError(.invalid, "graph text, line 1, column 18: a word has 257 bytes; 256 are allowed") {
      try GraphText.parse("graph \"g\" { %0 = \(long)() : f32[] loc \"\" }", registry: .standard)
    }
    let deep = String(repeating: "[", count: 1000)
    expectError(.invalid, "graph text, line 1, column 60: attributes nest too deep") {
      try GraphText.parse("graph \"g\" { %0 = sd.exp() \(deep)", registry: .standard)
    }
    let rank = String(repeating: "1, ", count: 8) + "1"
    expectError(.invalid, "graph text, line 1, column 29: V7: the type has a rank above 8 or is too large") {
      try GraphText.parse("graph \"g\" { %0 = sd.exp() : f32[\(rank)] loc \"\" }", registry: .standard)
    }
  }

  @Test func outputsAreLimited() {
    let outputs = (0...4096).map { "output \"\($0)\" = %0" }.joined(separator: "\n")
    expectError(.invalid, "graph text, line 4098, column 1: V7: the graph has more than 4096 outputs") {
      try GraphText.parse("graph \"g\" { \(Self.input)\n\(outputs) }", registry: .standard)
    }
  }

  @Test func allUnknownOpsAreNamed() {
    let text = """
      graph "unet" {
        \(Self.input)
        %1 = lab.example.swiglu(%0) {limit = 7.0} : f32[1] loc "unet.ff.act"
        %2 = sd.expp(%0) : f32[2] loc "unet.mid"
        %3 = lab.example.swiglu(%2) : f32[1] loc "unet.ff.1.act"
        %4 = sd.attention@3(%2) : f32[1] loc "unet.attn"
        output "out" = %4
      }
      """
    expectError(
      .incompatible,
      """
      graph 'unet': 3 operations are not available here
        lab.example.swiglu: used 2 times, first at 'unet.ff.act' (line 3)
        sd.expp: used once, first at 'unet.mid' (line 4); did you mean 'sd.exp'?
        sd.attention@3: used once, first at 'unet.attn' (line 6); this build has 'sd.attention'
      """, hint: "register them, or allow the decompositions that a plan stores for them (--allow-fallback)"
    ) { try GraphText.parse(text, registry: .standard) }
  }

  @Test func longListsOfUnknownOpsAreCut() {
    let nodes = (0..<25).map { "%\($0) = lab.unknown.op\($0)() : f32[] loc \"\"" }.joined(separator: "\n")
    do {
      _ = try GraphText.parse("graph \"g\" {\n\(nodes)\n}", registry: .standard)
      Issue.record("no error")
    } catch {
      #expect(error.message.hasPrefix("graph 'g': 25 operations are not available here\n"))
      #expect(error.message.hasSuffix("(line 21)\n  and 5 more"))
    }
  }
}
