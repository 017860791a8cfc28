import GraphIR
import GraphRuntime
import TestSupport
import Testing

struct JSONParserTests {
  func parse(_ text: String) throws(SDError) -> JSON { try JSON(parsing: Array(text.utf8), name: "c.json") }

  @Test func values() throws {
    #expect(try parse(" null\t") == .null)
    #expect(try parse("[true, false, []]\r\n") == [true, false, []])
    #expect(
      try parse(#"{"b": {"c": 1}, "a": "x", "": -0.5e+3}"#)
        == ["a": "x", "b": ["c": 1], "": .number("-0.5e+3")])
    #expect(try parse(#"{"b": 1, "a": 2}"#).object?.members.map(\.key) == ["b", "a"])
    #expect(
      try parse(#""\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00é😀\u0000""#).string
        == "\"\\/\u{8}\u{C}\n\r\tAé😀é😀\0")
  }

  @Test func numbers() throws {
    for text in ["0", "-0", "10", "1.0", "1e5", "1E-05", "123456789012345678901234567890", "-0.0e0"] {
      #expect(try parse(text) == .number(text))
    }
    #expect(try parse("9223372036854775807").int == Int.max)
    #expect(try parse("9223372036854775808").int == nil)
    #expect(try parse("1.0").int == nil)
    #expect(try parse("1e5").double == 1e5)
    #expect(try parse("1e400").double == nil)
    #expect(try parse("1e-400").double == 0)
    #expect(try parse("\"1\"").int == nil)
    for text in ["01", "+1", ".5", "1.", "1e", "1e+", "-", "0x10", "Infinity", "NaN", "1_0", "--1"] {
      #expect(failure { try parse(text) }?.code == .invalid, "\(text)")
    }
  }

  @Test(arguments: [
    ("", "byte offset 0: expected a value, found the end"),
    ("{", "byte offset 1: expected '\"', found the end"),
    ("[1,]", "byte offset 3: expected a value, found ']'"),
    ("[1 2]", "byte offset 3: expected ',' or ']', found '2'"),
    ("{\"a\" 1}", "byte offset 5: expected ':', found '1'"),
    ("{\"a\": 1,}", "byte offset 8: expected '\"', found '}'"),
    ("{a: 1}", "byte offset 1: expected '\"', found 'a'"),
    ("nul", "byte offset 3: expected 'null', found the end"),
    ("truE", "byte offset 3: expected 'true', found 'E'"),
    ("1 2", "byte offset 2: expected the end, found '2'"),
    ("{} x", "byte offset 3: expected the end, found 'x'"),
    ("01", "byte offset 1: expected the end, found '1'"),
    ("-x", "byte offset 1: expected a digit, found 'x'"),
    ("\u{FEFF}{}", "byte offset 0: expected a value, found byte 239"),
    ("\"abc", "byte offset 0: the string has no end"),
    ("\"a\nb\"", "byte offset 2: a control character in a string must be escaped"),
    (#""\x""#, "byte offset 1: unknown escape sequence"),
    (#""\u12g4""#, "byte offset 5: expected a hexadecimal digit, found 'g'"),
    (#""a\ud800""#, "byte offset 2: half of a surrogate pair"),
    (#""\ud800\u0041""#, "byte offset 1: half of a surrogate pair"),
    (#""\ud800\n""#, "byte offset 1: half of a surrogate pair"),
    (#""\udc00\ud800""#, "byte offset 1: half of a surrogate pair"),
    (#"{"a": 1, "b": {"a": 2}, "a": 3}"#, #"byte offset 24: the name "a" appears twice"#),
    (#"{"a": 1, "\u0061": 3}"#, #"byte offset 9: the name "a" appears twice"#),
  ])
  func faults(text: String, message: String) {
    #expect(failure { try parse(text) } == SDError(.invalid, "c.json: \(message)"))
  }

  @Test(
    arguments: [
      [0xC0, 0x80],  // overlong NUL
      [0xE0, 0x80, 0xAF],  // overlong slash
      [0xED, 0xA0, 0x80],  // surrogate
      [0xF4, 0x90, 0x80, 0x80],  // above U+10FFFF
      [0xC3], [0x80], [0xFF],
    ] as [[UInt8]])
  func badUTF8(bytes: [UInt8]) {
    let text = Array(#"["é\n"#.utf8) + bytes + Array(#""]"#.utf8)
    let expected = SDError(.invalid, "c.json: byte offset 6: not UTF-8")
    #expect(failure { try JSON(parsing: text, name: "c.json") } == expected)
  }

  @Test func nesting() throws {
    let deep = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
    #expect(try parse(deep).array?.count == 1)
    for brace in ["[", "{\"a\":"] {
      let deeper = String(repeating: brace, count: 100_000)
      let offset = 64 * brace.utf8.count
      #expect(
        failure { try parse(deeper) }
          == SDError(.invalid, "c.json: byte offset \(offset): more than 64 nested arrays and objects"))
    }
  }

  @Test func everyTruncationAndEveryByteFailsCleanly() throws {
    let text = Array(#"{"a": [1.5e-3, "é\ud83d\ude00", null], "b": {"c": true}}"#.utf8)
    for count in 0..<text.count {
      #expect(failure { try JSON(parsing: Array(text[..<count]), name: "c.json") }?.code == .invalid)
    }
    for i in text.indices {
      for byte in UInt8.min ... .max {
        var bad = text
        bad[i] = byte
        _ = try? JSON(parsing: bad, name: "c.json")
      }
    }
  }
}
