import DiffusionModels
import GraphIR
import TestSupport
import Testing

struct WeightNamesTests {
  /// Matches a file with zeros of the given names and shapes; the messages call it `f`.
  private func match(
    _ expected: KeyValuePairs<String, [Int]>, _ found: KeyValuePairs<String, [Int]>, ignoring: [String] = []
  ) throws -> [String: String] {
    try withTemporaryFolder { folder in
      var writer = SafetensorsWriter()
      for (name, shape) in found {
        try writer.add(name, shape, floats: [Float](repeating: 0, count: shape.reduce(1, *)))
      }
      try writer.write(to: folder + "/f")
      do {
        return try matchWeights(
          expected: expected.map { ($0.key, $0.value) }, found: Safetensors(path: folder + "/f"),
          ignoring: ignoring
        ).mapValues(\.name)
      } catch let error as SDError {
        throw SDError(error.code, error.message.replacing(folder + "/", with: ""), hint: error.hint)
      }
    }
  }

  @Test func equalNames() throws {
    #expect(try match(["a.w": [2, 3], "b": []], ["b": [], "a.w": [2, 3]]) == ["a.w": "a.w", "b": "b"])
  }

  @Test func oldAttention() throws {
    let expected: KeyValuePairs = [
      "m.to_q.weight": [2, 2], "m.to_q.bias": [2], "m.to_k.weight": [2, 2], "m.to_v.weight": [2, 2],
      "m.to_out.0.weight": [2, 2], "m.to_out.0.bias": [2],
    ]
    let names = [
      "m.to_q.weight": "m.query.weight", "m.to_q.bias": "m.query.bias", "m.to_k.weight": "m.key.weight",
      "m.to_v.weight": "m.value.weight", "m.to_out.0.weight": "m.proj_attn.weight",
      "m.to_out.0.bias": "m.proj_attn.bias",
    ]
    for square in [[2, 2], [2, 2, 1, 1]] {
      #expect(
        try match(
          expected,
          [
            "m.query.weight": square, "m.query.bias": [2], "m.key.weight": square, "m.value.weight": square,
            "m.proj_attn.weight": square, "m.proj_attn.bias": [2],
          ]) == names)
    }
    // The equivalence holds for the old names only.
    let square = failure { try match(["m.to_q.weight": [2, 2]], ["m.to_q.weight": [2, 2, 1, 1]]) }
    #expect(square?.code == .incompatible)
    // A name of the model wins; its alias is left over.
    let both = failure { try match(["m.to_q.bias": [2]], ["m.to_q.bias": [2], "m.query.bias": [2]]) }
    #expect(both?.message.contains(#"extra "m.query.bias""#) == true)
  }

  @Test func textModelPrefix() throws {
    #expect(try match(["text_model.a": [1]], ["a": [1]]) == ["text_model.a": "a"])
    #expect(try match(["a": [1]], ["text_model.a": [1]]) == ["a": "text_model.a"])
  }

  @Test func ignorable() throws {
    #expect(
      try match(
        ["a": [1]],
        [
          "a": [1], "text_model.embeddings.position_ids": [1, 77], "embeddings.position_ids": [1],
          "text_projection.weight": [2, 2], "encoder.b": [1],
        ], ignoring: ["encoder."]) == ["a": "a"])
    #expect(
      try match(["text_projection.weight": [2, 2]], ["text_projection.weight": [2, 2]]).count == 1)
  }

  @Test func sentence() {
    #expect(
      failure {
        try match(
          ["conv_in.weight": [4, 4, 3, 3], "conv_out.bias": [4], "mid": [1]],
          ["conv_in.weights": [4, 4, 3, 3], "conv_out.bias": [5], "zebra": [1]])
      }
        == SDError(
          .incompatible,
          """
          f: the tensors are not those of the model: 2 missing, 2 extra, 1 of another shape or type
            missing "conv_in.weight" (nearest: "conv_in.weights")
            missing "mid"
            extra "conv_in.weights" (nearest: "conv_in.weight")
            extra "zebra"
            wrong "conv_out.bias": it is F32 [5], required [4]
          """))
  }

  @Test func integersAreNoWeights() throws {
    try withTemporaryFolder { folder in
      var writer = SafetensorsWriter()
      try writer.add("a", [1], int64s: [1])
      try writer.write(to: folder + "/f")
      let error = failure {
        try matchWeights(expected: [("a", [1])], found: Safetensors(path: folder + "/f"))
      }
      #expect(error?.code == .incompatible)
      #expect(
        error?.message.hasSuffix(#"wrong "a": it is I64 [1], required F32, F16 or BF16 [1]"#) == true)
    }
  }

  @Test func longListsAreCut() throws {
    let stem = String(repeating: "down_blocks.0.", count: 6)
    let expected = (0..<50).map { ("\(stem)\($0).weight", [1]) }
    try withTemporaryFolder { folder in
      var writer = SafetensorsWriter()
      for i in 0..<30 { try writer.add("\(stem)\(i).wait", [1], floats: [0]) }
      try writer.write(to: folder + "/f")
      let error = failure { try matchWeights(expected: expected, found: Safetensors(path: folder + "/f")) }
      let message = try #require(error?.message)
      let lines = message.split(separator: "\n")
      #expect(lines[0].hasSuffix(": 50 missing, 30 extra, 0 of another shape or type"))
      #expect(message.count <= 2_800)
      #expect(lines.count > 8)
      #expect(lines.last == "  and \(80 - (lines.count - 2)) more")
    }
  }
}
