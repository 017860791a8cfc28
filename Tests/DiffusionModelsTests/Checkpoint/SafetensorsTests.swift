import DiffusionModels
import GraphIR
import TestSupport
import Testing

/// The bytes of a safetensors file: length, header, `data` bytes 0, 1, 2 ...
func safetensors(_ header: String, data: Int, length: UInt64? = nil) -> [UInt8] {
  let length = length ?? UInt64(header.utf8.count)
  return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + header.utf8
    + (0..<data).map { UInt8(truncatingIfNeeded: $0) }
}

struct SafetensorsTests {
  @Test(arguments: [true, false])
  func reads(mapped: Bool) throws {
    // Data out of the header's order, a scalar, an empty tensor, unaligned numbers, spaces behind the header.
    let header = #"""
      {"__metadata__": {"format": "pt"},
       "b": {"dtype": "F32", "shape": [2, 1], "data_offsets": [1, 9]},
       "flag": {"dtype": "BOOL", "shape": [1], "data_offsets": [0, 1]},
       "empty": {"dtype": "F16", "shape": [3, 0, 2], "data_offsets": [9, 9]},
       "scalar": {"shape": [], "data_offsets": [9, 13], "dtype": "I32"}}
      """# + "  "
    try withTemporaryFolder { folder in
      let path = folder + "/a.safetensors"
      put(safetensors(header, data: 13), path)
      let file = try Safetensors(path: path, mapped: mapped)
      #expect(file.path == path)
      #expect(file.metadata == ["format": "pt"])
      #expect(file.tensors.keys.sorted() == ["b", "empty", "flag", "scalar"])
      #expect(try file.floats("b").map(\.bitPattern) == [0x0403_0201, 0x0807_0605])
      #expect(try file.int64s("scalar") == [0x0C0B_0A09])
      #expect(try file.floats("empty") == [])
      let flag = try file.tensor("flag")
      #expect(Array(flag.bytes) == [0])
      #expect(flag.storedType == "BOOL" && flag.shape == [1])
      #expect(try file.tensor("scalar").dtype == .i32)

      #expect(
        failure { try flag.dtype }
          == SDError(
            .incompatible, #"\#(path): tensor "flag" is BOOL, it must be F32, F16, BF16, I64 or I32"#))
      #expect(
        failure { try file.floats("scalar") }
          == SDError(.incompatible, #"\#(path): tensor "scalar" is I32, it must be F32, F16 or BF16"#))
      #expect(
        failure { try file.int64s("b") }
          == SDError(.incompatible, #"\#(path): tensor "b" is F32, it must be I64 or I32"#))
      #expect(
        failure { try file.tensor("scaler") }
          == SDError(
            .incompatible, #"\#(path): there is no tensor "scaler""#, hint: #"Did you mean "scalar"?"#))
    }
  }

  @Test func noTensors() throws {
    #expect(try open(safetensors("{}", data: 0)).tensors.isEmpty)
  }

  static let incomplete = "The copy or download is incomplete."

  @Test(
    arguments: [
      ([], "0 bytes are no safetensors file, it has at least 8", nil),
      ([1, 2, 3], "3 bytes are no safetensors file, it has at least 8", nil),
      (safetensors("", data: 0), "byte offset 8: a header begins with '{'", nil),
      (safetensors(" {}", data: 0), "byte offset 8: a header begins with '{'", nil),
      (safetensors("[]", data: 0), "byte offset 8: a header begins with '{'", nil),
      (safetensors("{} \n", data: 0), "byte offset 11: only spaces may follow the header", nil),
      (safetensors("{}{}", data: 0), "byte offset 10: only spaces may follow the header", nil),
      (safetensors("{}", data: 0, length: 3), "the header takes 3 bytes, only 2 are there", incomplete),
      (
        safetensors("{}", data: 0, length: 100_000_000), "the header takes 100000000 bytes, only 2 are there",
        incomplete
      ),
      (
        safetensors("{}", data: 0, length: 100_000_001),
        "not a safetensors file: the header would take 100000001 bytes of at most 100000000", nil
      ),
      (
        safetensors("{}", data: 0, length: .max),
        "not a safetensors file: the header would take 18446744073709551615 bytes of at most 100000000", nil
      ),
      (
        Array("PK\u{3}\u{4}\u{0}\u{0}\u{8}\u{8}".utf8),
        "not a safetensors file: the header would take 578712552184433488 bytes of at most 100000000",
        "It is a zip archive, perhaps a PyTorch checkpoint: convert it to safetensors."
      ),
      (
        Array("version https".utf8),
        "not a safetensors file: the header would take 2336927755350992246 bytes of at most 100000000",
        "It is a Git LFS pointer, not the file itself: run `git lfs pull`."
      ),
    ] as [([UInt8], String, String?)])
  func frame(bytes: [UInt8], message: String, hint: String?) {
    #expect(failure { try open(bytes) } == SDError(.invalid, "f: \(message)", hint: hint))
  }

  /// Headers with 24 bytes of data. `A` stands for a good tensor of the first 8.
  @Test(arguments: [
    (#"{A"#, "byte offset 68: expected ',' or '}', found the end"),
    (#"{A,}"#, #"byte offset 69: expected '"', found '}'"#),
    (#"{A,A}"#, #"tensor "a" appears twice"#),
    (
      #"{"__metadata__": {}, A, "__metadata__": {}}"#,
      #"byte offset 90: the name "__metadata__" appears twice"#
    ),
    (#"{"__metadata__": {"k": "1", "k": "2"}}"#, #"byte offset 36: the name "k" appears twice"#),
    (#"{"__metadata__": {"k": 1}}"#, #"byte offset 31: expected '"', found '1'"#),
    (#"{"b": 1}"#, "byte offset 14: expected '{', found '1'"),
    (
      #"{"b": {"dtype": "F32", "shape": [2]}}"#,
      #"tensor "b" must have a dtype, a shape and two data_offsets"#
    ),
    (
      #"{"b": {"dtype": "F32", "shape": [2], "data_offsets": [0]}}"#,
      #"tensor "b" must have a dtype, a shape and two data_offsets"#
    ),
    (
      #"{"b": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8, 9]}}"#,
      #"tensor "b" has more than two data_offsets"#
    ),
    (#"{"b": {"dtype": "F32", "dtype": "F32"}}"#, #"byte offset 31: the name "dtype" appears twice"#),
    (#"{"b": {"dtype": "F32", "strides": []}}"#, #"byte offset 31: unknown name "strides""#),
    (
      #"{"b": {"dtype": "F33", "shape": [2], "data_offsets": [0, 8]}}"#,
      #"tensor "b" has an unknown dtype: "F33""#
    ),
    (#"{"b": {"dtype": "F32", "shape": ["2"]}}"#, "byte offset 41: expected a digit, found '\"'"),
    (
      #"{"b": {"dtype": "F32", "shape": [-1]}}"#,
      "byte offset 41: expected an integer from 0 to 9223372036854775807, found -1"
    ),
    (
      #"{"b": {"dtype": "F32", "shape": [-0]}}"#,
      "byte offset 41: expected an integer from 0 to 9223372036854775807, found -0"
    ),
    (
      #"{"b": {"dtype": "F32", "shape": [1e400]}}"#,
      "byte offset 41: expected an integer from 0 to 9223372036854775807, found 1e400"
    ),
    (
      #"{"b": {"dtype": "F32", "shape": [2.0]}}"#,
      "byte offset 41: expected an integer from 0 to 9223372036854775807, found 2.0"
    ),
    (
      #"{"b": {"dtype": "F32", "shape": [9223372036854775808]}}"#,
      "byte offset 41: expected an integer from 0 to 9223372036854775807, found 9223372036854775808"
    ),
    (
      #"{"b": {"dtype": "F32", "shape": [1,1,1,1,1,1,1,1,1], "data_offsets": [0, 4]}}"#,
      #"tensor "b" has more than 8 dimensions"#
    ),
    // 2³² · 2³² wraps to 0; 2⁶¹ elements wrap only when multiplied by 4; a zero hides no overflow.
    (
      #"{"b": {"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 0]}}"#,
      #"tensor "b" has an impossible size: F32 [4294967296, 4294967296]"#
    ),
    (
      #"{"b": {"dtype": "F32", "shape": [1073741824, 1073741824, 2], "data_offsets": [0, 0]}}"#,
      #"tensor "b" has an impossible size: F32 [1073741824, 1073741824, 2]"#
    ),
    (
      #"{"b": {"dtype": "F32", "shape": [1073741824, 1073741824, 1073741824, 0], "data_offsets": [0, 0]}}"#,
      #"tensor "b" has an impossible size: F32 [1073741824, 1073741824, 1073741824, 0]"#
    ),
    (
      #"{"b": {"dtype": "F4", "shape": [3], "data_offsets": [0, 1]}}"#,
      #"tensor "b" has an impossible size: F4 [3]"#
    ),
    (
      #"{"b": {"dtype": "F32", "shape": [2], "data_offsets": [0, 7]}}"#,
      #"tensor "b" takes 8 bytes (F32 [2]), its data_offsets are [0, 7]"#
    ),
    (
      #"{"b": {"dtype": "F32", "shape": [2], "data_offsets": [16, 8]}}"#,
      #"tensor "b" takes 8 bytes (F32 [2]), its data_offsets are [16, 8]"#
    ),
    (
      #"{"b": {"dtype": "F32", "shape": [0], "data_offsets": [8, 0]}}"#,
      #"tensor "b" takes 0 bytes (F32 [0]), its data_offsets are [8, 0]"#
    ),
    (
      #"{A, "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}"#,
      #"tensor "b" overlaps the tensor before it: it begins at byte 4 of the data, that ends at 8"#
    ),
    (
      #"{A, "b": {"dtype": "F32", "shape": [2], "data_offsets": [16, 24]}}"#,
      #"tensor "b" leaves a hole behind the tensor before it: it begins at byte 16 of the data, that ends at 8"#
    ),
    (
      #"{"b": {"dtype": "F32", "shape": [2], "data_offsets": [16, 24]}}"#,
      #"tensor "b" leaves a hole behind the tensor before it: it begins at byte 16 of the data, that ends at 0"#
    ),
    (
      #"{A, "b": {"dtype": "F32", "shape": [0], "data_offsets": [4, 4]}}"#,
      #"tensor "b" overlaps the tensor before it: it begins at byte 4 of the data, that ends at 8"#
    ),
    (#"{A}"#, "16 bytes behind the last tensor belong to none"),
    (
      #"{"__metadata__": \#(String(repeating: "{\"a\":", count: 3))"#,
      "byte offset 30: expected '\"', found '{'"
    ),
  ])
  func faults(header: String, message: String) {
    let header = header.replacing("A", with: #""a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}"#)
    #expect(failure { try open(safetensors(header, data: 24)) } == SDError(.invalid, "f: \(message)"))
  }

  @Test func cutOffData() {
    let header = #"{"b": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}"#
    #expect(
      failure { try open(safetensors(header, data: 7)) }
        == SDError(
          .invalid, #"f: tensor "b" ends at byte 8 of the data, the file holds 7"#, hint: Self.incomplete))
  }

  @Test func hostileNames() {
    let bytes = Array(#"{"a\#u{FF}": 1}"#.utf8)
    var bad = safetensors(String(decoding: bytes, as: UTF8.self), data: 0)
    bad[11] = 0xFF
    #expect(failure { try open(bad) } == SDError(.invalid, "f: byte offset 11: not UTF-8"))
    let deep = "{\"__metadata__\": {\"a\": " + String(repeating: "[", count: 100_000)
    #expect(
      failure { try open(safetensors(deep, data: 0)) }
        == SDError(.invalid, "f: byte offset 31: expected '\"', found '['"))
  }

  @Test func everyTruncationAndEveryByteFailsCleanly() throws {
    let header = #"{"__metadata__":{"k":"é"},"a":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]}}  "#
    let bytes = safetensors(header, data: 4)
    #expect(try open(bytes).floats("a").count == 2)
    for count in 0..<bytes.count {
      #expect(failure { try open(Array(bytes[..<count])) }?.code == .invalid, "\(count) bytes")
    }
    try withTemporaryFolder { folder in
      for i in 0..<(bytes.count - 4) {
        for byte in UInt8.min ... .max {
          var bad = bytes
          bad[i] = byte
          put(bad, folder + "/f")
          let file = try? Safetensors(path: folder + "/f")
          for entry in file.map({ Array($0.tensors.values) }) ?? [] { _ = try? entry.floats() }
        }
      }
    }
  }

  @Test func halfPrecisionIsExact() throws {
    let header = #"""
      {"h": {"dtype": "F16", "shape": [65536], "data_offsets": [0, 131072]},
       "b": {"dtype": "BF16", "shape": [65536], "data_offsets": [131072, 262144]}}
      """#
    let patterns = (UInt16.min ... .max).flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    let file = try open(safetensors(header, data: 0) + patterns + patterns)
    let (half, brain) = (try file.floats("h"), try file.floats("b"))
    for bits in UInt16.min ... .max {
      let expected = Float(Float16(bitPattern: bits))
      #expect(half[Int(bits)].bitPattern == expected.bitPattern || expected.isNaN && half[Int(bits)].isNaN)
      #expect(brain[Int(bits)].bitPattern == UInt32(bits) << 16)
    }
  }

  /// Opens bytes as the file `f`: its folder is cut from the messages.
  private func open(_ bytes: [UInt8]) throws -> Safetensors {
    try withTemporaryFolder { folder in
      put(bytes, folder + "/f")
      do {
        return try Safetensors(path: folder + "/f")
      } catch let error as SDError {
        throw SDError(error.code, error.message.replacing(folder + "/", with: ""), hint: error.hint)
      }
    }
  }
}
