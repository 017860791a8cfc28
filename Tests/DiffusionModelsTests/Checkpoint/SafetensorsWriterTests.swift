import DiffusionModels
import GraphIR
import TestSupport
import Testing

struct SafetensorsWriterTests {
  @Test func roundTrip() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/out"
      let floats: [Float] = [0, -1.5, .infinity, .leastNonzeroMagnitude, 3e38, 1 / 3]
      var writer = SafetensorsWriter(metadata: ["b": "é\"\n", "a": ""])
      try writer.add("x.\u{1}é", [2, 3], floats: floats)
      try writer.add("ids", [2], int64s: [.min, .max])
      try writer.add("half", TensorType(.f16, [1, 1]), bytes: [0, 0x3C])
      try writer.add("scalar", [], floats: [7])
      try writer.add("empty", [4, 0], floats: [])
      try writer.write(to: path)

      let file = try Safetensors(path: path)
      #expect(file.metadata == ["b": "é\"\n", "a": ""])
      #expect(file.tensors.count == 5)
      #expect(try file.floats("x.\u{1}é") == floats)
      #expect(try file.int64s("ids") == [.min, .max])
      #expect(try file.floats("half") == [1])
      #expect(try file.floats("scalar") == [7])
      #expect(try file.tensor("empty").shape == [4, 0])
      #expect(entries(of: folder) == ["out"])
    }
  }

  @Test func exactBytes() throws {
    try withTemporaryFolder { folder in
      var writer = SafetensorsWriter(metadata: ["k": "v"])
      try writer.add("b", TensorType(.bf16, [1]), bytes: [1, 2])
      try writer.add("c", [1], floats: [1])
      try writer.add("a", TensorType(.f16, [1]), bytes: [3, 4])
      try writer.write(to: folder + "/out")
      let header =
        #"{"__metadata__":{"k":"v"},"a":{"data_offsets":[4,6],"dtype":"F16","shape":[1]},"#
        + #""b":{"data_offsets":[6,8],"dtype":"BF16","shape":[1]},"#
        + #""c":{"data_offsets":[0,4],"dtype":"F32","shape":[1]}}"#
      let padding = String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
      #expect(
        get(folder + "/out") == safetensors(header + padding, data: 0) + [0, 0, 0x80, 0x3F, 3, 4, 1, 2])
    }
  }

  @Test func refusals() throws {
    var writer = SafetensorsWriter()
    try writer.add("a", [1], floats: [1])
    #expect(
      failure { try writer.add("a", [1], floats: [1]) }
        == SDError(.usage, #"cannot store tensor "a": the name is taken"#))
    #expect(
      failure { try writer.add("__metadata__", [1], floats: [1]) }
        == SDError(.usage, #"cannot store tensor "__metadata__": the name is taken"#))
    #expect(
      failure { try writer.add("b", [2, 2], floats: [1]) }
        == SDError(.usage, #"cannot store tensor "b": 4 bytes are not a f32[2, 2]"#))
    #expect(failure { try writer.add("b", [-1], floats: []) }?.code == .usage)
    #expect(
      failure { try writer.write(to: "/nowhere/x") }
        == SDError(.resources, "cannot write /nowhere/x: the folder /nowhere does not exist"))
  }
}
