import GraphIR
import GraphRuntime
import TestSupport
import Testing

struct JSONTests {
  @Test func canonicalText() throws {
    let value: JSON = ["b": [1, true, .null], "a": "x\"\\\n\u{1}é/", "Z": [:], "é": [], "10": .init(2)]
    #expect(value.canonical == #"{"10":2,"Z":{},"a":"x\"\\\n\u0001é/","b":[1,true,null],"é":[]}"#)
    #expect(try JSON(parsing: Array(value.canonical.utf8), name: "c") == value)
  }

  @Test func canonicalNumbers() {
    let values: [Double] = [0.1, 1e-5, 5, 1e22, -0.0, .infinity, .nan]
    #expect(values.map { JSON($0).canonical } == ["0.1", "1e-05", "5.0", "1e+22", "-0.0", "null", "null"])
    #expect(JSON(Int.min).canonical == "-9223372036854775808")
  }

  @Test func quotedNamesStayShortAndOnOneLine() {
    #expect(JSON.quoted("a\nb\u{1B}[0m") == #""a\nb\u001b[0m""#)
    #expect(JSON.quoted(String(repeating: "x", count: 120)).count == 122)
    #expect(
      JSON.quoted(String(repeating: "x", count: 121)) == "\"" + String(repeating: "x", count: 119) + "…\"")
  }

  @Test func objectsKeepOrder() {
    var object = JSON.Object()
    for key in ["c", "a", "b"] { object[key] = .string(key) }
    object["a"] = 1
    object["c"] = nil
    object["d"] = nil
    #expect(object.members.map(\.key) == ["a", "b"])
    #expect(object["b"] == "b" && object["a"] == 1 && object["c"] == nil)
    #expect(JSON.object(object) == ["b": "b", "a": 1])
    #expect(JSON.object(object) != ["b": "b", "c": 1])
  }

  @Test func configuration() throws {
    let config = try JSON.Config(
      ["n": 3, "r": .number("1e-5"), "big": .number("1e400"), "s": "silu", "no": .null, "dims": [5, 10]],
      file: "c.json")
    #expect(try config.int("n") == 3)
    #expect(try config.int("m", default: 2) == 2)
    #expect(try config.int("no", default: 2) == 2)
    #expect(try config.double("r") == 1e-5)
    #expect(try config.double("n") == 3)
    #expect(try config.string("s", default: "gelu") == "silu")
    #expect(try config.bool("b", default: true))
    #expect(try config.ints("dims") == [5, 10])
    #expect(try config.ints("dims", count: 2) == [5, 10])
    #expect(try config.ints("n", count: 2) == [3, 3])
    #expect(try config.ints("m", count: 2, default: 7) == [7, 7])
    #expect(config.has("n") && !config.has("no") && !config.has("m"))

    let faults = [
      failure { try config.int("s") }, failure { try config.int("m") }, failure { try config.int("r") },
      failure { try config.double("big") }, failure { try config.bool("n", default: false) },
      failure { try config.ints("dims", count: 4) }, failure { try config.strings("dims") },
      failure { try JSON.Config([1], file: "c.json") },
    ]
    #expect(
      faults.map { $0?.message } == [
        #"c.json: "s" must be an integer, it is "silu""#,
        #"c.json: "m" is missing, it must be an integer"#,
        #"c.json: "r" must be an integer, it is 1e-5"#,
        #"c.json: "big" must be a number, it is 1e400"#,
        #"c.json: "n" must be true or false, it is 3"#,
        #"c.json: "dims" must be an integer or an array of 4 integers, it is [5,10]"#,
        #"c.json: "dims" must be an array of strings, it is [5,10]"#,
        #"c.json: must be an object, it is [1]"#,
      ])
    #expect(faults.allSatisfy { $0?.code == .invalid })
  }

  @Test func files() throws {
    try withTemporaryFolder { folder in
      put("{\"a\": [1, 2}".utf8, folder + "/c.json")
      #expect(
        failure { try JSON(file: folder + "/c.json") }
          == SDError(.invalid, "\(folder)/c.json: byte offset 11: expected ',' or ']', found '}'"))
      put("{\"a\": 1}".utf8, folder + "/c.json")
      let config = try JSON.Config(file: folder + "/c.json")
      #expect(try config.int("a") == 1)
    }
  }
}
