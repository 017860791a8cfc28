import DiffusionModels
import GraphIR
import TestSupport
import Testing

struct SafetensorsShardsTests {
  /// Shard 1 has `a` and `spare`, shard 2 has `b`.
  private func withShards(index: String, _ body: (String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      var first = SafetensorsWriter(metadata: ["format": "pt"])
      try first.add("a", [2], floats: [1, 2])
      try first.add("spare", [1], floats: [0])
      try first.write(to: folder + "/1.safetensors")
      var second = SafetensorsWriter()
      try second.add("b", [1], floats: [3])
      try second.write(to: folder + "/2.safetensors")
      put(index.utf8, folder + "/index.json")
      try body(folder)
    }
  }

  @Test func joins() throws {
    let index =
      #"{"metadata": {"total_size": 12}, "weight_map": {"b": "2.safetensors", "a": "1.safetensors"}}"#
    try withShards(index: index) { folder in
      let file = try Safetensors(shardedIndex: folder + "/index.json")
      #expect(file.tensors.keys.sorted() == ["a", "b"])
      #expect(try file.floats("a") + file.floats("b") == [1, 2, 3])
      #expect(file.metadata == ["format": "pt"])
    }
  }

  @Test(
    arguments: [
      ("[]", #"F/index.json: "weight_map" must be an object that gives a file for each tensor"#, nil),
      ("{}", #"F/index.json: "weight_map" must be an object that gives a file for each tensor"#, nil),
      ("{", #"F/index.json: byte offset 1: expected '"', found the end"#, nil),
      (#"{"weight_map": {"a": 1}}"#, #"F/index.json: the file of tensor "a" must be a string"#, nil),
      (
        #"{"weight_map": {"b": "1.safetensors"}}"#,
        #"F/index.json: tensor "b" should be in "1.safetensors", that file lacks it"#, nil
      ),
      (
        #"{"weight_map": {"a": "3.safetensors"}}"#, "F/3.safetensors: the file does not exist",
        "The file is named by F/index.json."
      ),
    ] as [(String, String, String?)])
  func faults(index: String, message: String, hint: String?) throws {
    try withShards(index: index) { folder in
      let expected = SDError(
        .invalid, message.replacing("F/", with: folder + "/"),
        hint: hint?.replacing("F/", with: folder + "/"))
      #expect(failure { try Safetensors(shardedIndex: folder + "/index.json") } == expected)
    }
  }

  @Test(arguments: ["../x", "/etc/passwd", "..", ".", "", "sub/x", "./1.safetensors"])
  func escapes(file: String) throws {
    try withShards(index: #"{"weight_map": {"a": "\#(file)"}}"#) { folder in
      #expect(
        failure { try Safetensors(shardedIndex: folder + "/index.json") }
          == SDError(
            .invalid,
            "\(folder)/index.json: refusing the file \"\(file)\": it must be a name beside the index, no path"
          ))
    }
  }
}
