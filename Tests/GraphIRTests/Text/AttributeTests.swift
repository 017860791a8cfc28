import GraphIR
import TestSupport
import Testing

@Suite struct AttributeTests {
  private func roundTrip<T: Codable & Equatable>(
    _ value: T, _ text: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let attribute = try AttributeEncoder.encode(value)
    #expect(attribute.description == text, sourceLocation: sourceLocation)
    #expect(try AttributeDecoder.decode(T.self, from: attribute) == value, sourceLocation: sourceLocation)
  }

  @Test func scalars() throws {
    try roundTrip(true, "true")
    try roundTrip(Int8.min, "-128")
    try roundTrip(UInt64.max, "18446744073709551615")
    try roundTrip(Int64.min, "-9223372036854775808")
    try roundTrip(UInt128.max, "340282366920938463463374607431768211455")
    try roundTrip(Float(1e-5), "1e-05")
    try roundTrip(Float(0.1), "0.1")
    try roundTrip(1.0 / 3, "0.3333333333333333")
    try roundTrip(Float(1) / 3, "0.33333334")
    try roundTrip(Float.infinity, "inf")
    try roundTrip(-Double.infinity, "-inf")
    try roundTrip(Float.leastNonzeroMagnitude, "1e-45")
    try roundTrip(Float.greatestFiniteMagnitude, "3.4028235e+38")
    try roundTrip(Float16(0.1), "0.099975586")
    try roundTrip("a \"b\" \\ \n\t\u{7F}\u{0} é", "\"a \\\"b\\\" \\\\ \\n\\t\\u{7F}\\u{0} é\"")
    let zero = try AttributeDecoder.decode(Float.self, from: AttributeEncoder.encode(Float(-0.0)))
    #expect(zero.sign == .minus)
    let nan = try AttributeEncoder.encode(-Float.nan)
    #expect(nan == .number("nan"))
    #expect(try AttributeDecoder.decode(Float.self, from: nan).isNaN)
  }

  @Test func everyFloatIsExact() throws {
    var generator = SplitMix64(seed: 1)
    for _ in 0..<2000 {
      let value = Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &generator))
      let back = try AttributeDecoder.decode(Float.self, from: AttributeEncoder.encode(value))
      #expect(back.bitPattern == value.bitPattern || (back.isNaN && value.isNaN))
    }
  }

  struct Everything: Codable, Equatable {
    enum Mode: Codable, Equatable {
      case plain
      case pair(Int, name: String)
      indirect case nested(Mode)
    }
    struct Inner: Codable, Equatable {
      var shape: [Int]
      var type: TensorType
    }
    var flag: Bool
    var none: Int?
    var some: Int?
    var modes: [Mode]
    var inner: Inner
    var table: [String: [Float]]
    var byNumber: [Int: Bool]
    var holes: [Int?]
    var empty: [Inner]
  }

  @Test func structures() throws {
    let value = Everything(
      flag: false, none: nil, some: 3, modes: [.plain, .pair(-1, name: "x"), .nested(.plain)],
      inner: .init(shape: [1, 2], type: TensorType(.bf16, [2, 3])), table: ["b c": [1, 0.5], "a": []],
      byNumber: [7: true], holes: [1, nil], empty: [])
    try roundTrip(
      value,
      #"{byNumber = {"7" = true}, empty = [], flag = false, holes = [1, null], "#
        + #"inner = {shape = [1, 2], type = "bf16[2, 3]"}, "#
        + #"modes = [{plain = {}}, {pair = {_0 = -1, name = "x"}}, {nested = {_0 = {plain = {}}}}], some = 3, "#
        + #"table = {a = [], "b c" = [1.0, 0.5]}}"#)
  }

  class Base: Codable {
    var a = 1
  }
  final class Derived: Base {
    var b = 2
    enum CodingKeys: CodingKey { case b, twice }
    override init() { super.init() }
    required init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      b = try container.decode(Int.self, forKey: .b)
      var list = try container.nestedUnkeyedContainer(forKey: .twice)
      #expect(list.count == 2)
      _ = try list.decode(Int.self)
      var inner = try list.nestedUnkeyedContainer()
      #expect(try inner.decode(Int.self) == b)
      #expect(inner.isAtEnd)
      try super.init(from: container.superDecoder())
    }
    override func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(b, forKey: .b)
      var list = container.nestedUnkeyedContainer(forKey: .twice)
      try list.encode(b)
      var inner = list.nestedUnkeyedContainer()
      try inner.encode(b)
      try super.encode(to: container.superEncoder())
    }
  }

  @Test func classesAndNestedContainers() throws {
    let value = Derived()
    (value.a, value.b) = (5, 6)
    let attribute = try AttributeEncoder.encode(value)
    #expect(attribute.description == "{b = 6, super = {a = 5}, twice = [6, [6]]}")
    let back = try AttributeDecoder.decode(Derived.self, from: attribute)
    #expect((back.a, back.b) == (5, 6))
  }

  struct Small: PrimitiveOp {
    static let id = OpID("lab.text", "small", version: 1)
    var byte: UInt8
    var name: String?
    var dtype = DType.f32
    var list: [Float] = []
    func types(of operands: [TensorType]) throws(SDError) -> [TensorType] { [TensorType(.f32, [])] }
    func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] { [Tensor([], [0])] }
  }

  @Test(arguments: [
    (#"{byte = 256, dtype = "f32", list = []}"#, "attribute 'byte' is wrong: it must be UInt8, it is 256"),
    (#"{byte = -1, dtype = "f32", list = []}"#, "attribute 'byte' is wrong: it must be UInt8, it is -1"),
    (#"{byte = 1.0, dtype = "f32", list = []}"#, "attribute 'byte' is wrong: it must be UInt8, it is 1.0"),
    (#"{dtype = "f32", list = []}"#, "attribute 'byte' is missing"),
    (
      #"{byte = 1, dtype = "f33", list = []}"#,
      "attribute 'dtype' is wrong: Cannot initialize DType from invalid String value f33"
    ),
    (
      #"{byte = 1, dtype = "f32", list = [1.0, "x"]}"#,
      #"attribute 'list[1]' is wrong: it must be Float, it is "x""#
    ),
    (
      #"{byte = 1, dtype = "f32", list = [1e39]}"#,
      "attribute 'list[0]' is wrong: it must be Float, it is 1e39"
    ),
    (
      #"{byte = 1, dtype = "f32", list = {}}"#, "attribute 'list' is wrong: it must be a list, it is a record"
    ),
    (#"{byte = 1, dtype = "f32", list = [], nam = "x"}"#, "V3: unknown attribute 'nam'"),
    (#"{byte = 1, dtype = "f32", list = [], name = null}"#, "V3: unknown attribute 'name'"),
    ("[1]", "the attributes are wrong: it must be a record, it is a list of 1"),
  ]) func refusals(text: String, message: String) throws {
    expectError(.invalid, "graph text, line 1, column 18: [lab.text.small] \(message)") { try parse(text) }
  }

  @Test func unknownAttributesAreFoundInside() throws {
    struct Inner: Codable { var eps: Float }
    struct Outer: Codable { var list: [Inner] }
    let inner = Attribute.record(["x": .null, "eps": .number("1")])
    expectError(.invalid, "V3: unknown attribute 'list[0].x'") {
      try AttributeDecoder.decode(Outer.self, from: .record(["list": .list([inner])]))
    }
    let mode = Attribute.record(["plain": .record(["x": .number("1")])])
    expectError(.invalid, "V3: unknown attribute 'plain.x'") {
      try AttributeDecoder.decode(Everything.Mode.self, from: mode)
    }
  }

  @Test func messagesShowNoControlCharacters() {
    expectError(
      .invalid,
      "graph text, line 1, column 18: [lab.text.small] attribute 'dtype' is wrong: "
        + "Cannot initialize DType from invalid String value ?[2J"
    ) { try parse(#"{byte = 1, dtype = "\u{1B}[2J", list = []}"#) }
    expectError(.invalid, "graph text, line 1, column 18: [lab.text.small] V3: unknown attribute '?'") {
      try parse(#"{byte = 1, dtype = "f32", list = [], "\u{7}" = 1}"#)
    }
    #expect(String(repeating: "x", count: 300).printable == String(repeating: "x", count: 200) + "…")
  }

  @Test func integersServeAsFloats() throws {
    let op = try parse(#"{byte = 1, dtype = "f32", list = [1, -2, 1e3]}"#)
    #expect(op == Small(byte: 1, list: [1, -2, 1000]))
  }

  struct Confused: Codable {
    init() {}
    init(from decoder: any Decoder) throws {}
    func encode(to encoder: any Encoder) throws {
      _ = encoder.unkeyedContainer()
      var container = encoder.container(keyedBy: AnyKey.self)
      try container.encode(1, forKey: AnyKey(stringValue: "x"))
    }
  }
  struct AnyKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }
  final class Chain: Codable {
    var next: Chain?
    init(_ next: Chain?) { self.next = next }
  }

  @Test func unusableEncodings() throws {
    expectError(.invalid, "attribute '' cannot be stored: it asks for two kinds of container") {
      try AttributeEncoder.encode(Confused())
    }
    var chain = Chain(nil)
    for _ in 0..<100 { chain = Chain(chain) }
    let path = [String](repeating: "next", count: 33).joined(separator: ".")
    expectError(.invalid, "attribute '\(path)' cannot be stored: it nests too deep") {
      try AttributeEncoder.encode(chain)
    }
  }

  private func parse(_ attributes: String) throws -> Small? {
    let text = "graph \"g\" { %0 = lab.text.small() \(attributes) : f32[] loc \"\" }"
    return try GraphText.parse(text, registry: OpRegistry([Small.self])).nodes[0].op as? Small
  }
}
