import GraphIR
import GraphRuntime
import TestSupport
import Testing

@testable import GraphRuntime

struct WeightTableTests {
  private let type = TensorType(.f32, [5, 3])
  private let values = (0..<15).map { Float($0) - 7 }

  /// A plan with one weight, dense and in panels.
  private func withPlan(_ body: (PlanFile, WeightTable) throws -> Void) throws {
    try withTemporaryFolder { folder in
      var writer = try PlanWriter("\(folder)/x", sectionCount: 1)
      try writer.begin(.weights, flags: [.critical, .lazy])
      var entries: [WeightTable.Entry] = []
      for layout in [WeightLayout.dense, .panel32] {
        let memory = try HostMemory(byteCount: layout.byteCount(type))
        try values.withUnsafeBytes { bytes in
          layout.pack(try #require(bytes.baseAddress), as: .f32, to: memory.base, type: type, threads: 1)
        }
        let bytes = Array(memory.bytes)
        let weight = Program.Weight(name: "unet/w", type: type, layout: layout)
        entries.append(
          .init(weight: weight, offset: try writer.append(bytes.span.bytes), digest: try Digest(of: bytes)))
      }
      _ = try writer.commit()
      try body(PlanFile("\(folder)/x"), WeightTable(entries))
    }
  }

  @Test func roundTrip() throws {
    try withPlan { file, table in
      let limit = try file.section(.weights).count
      let again = try WeightTable(table.json, limit: limit, path: "x")
      #expect(again.json == table.json)
      #expect(again.entries.map(\.weight) == table.entries.map(\.weight))
      #expect(again.entries.map(\.offset) == [0, 64])
      #expect(again.entries.map(\.digest) == table.entries.map(\.digest))
      try again.verify(file)
    }
  }

  @Test func damage() throws {
    try withPlan { file, table in
      for index in table.entries.indices {
        var table = table
        table.entries[index].digest = try Digest(of: [])
        expectError(
          .invalid,
          "cannot load '\(file.path)': weight 'unet/w' is damaged (digest differs). Copy it again, or recompile."
        ) {
          try table.verify(file)
        }
      }
    }
  }

  /// One member changed or missing at a time.
  @Test(
    arguments: [
      ("name", nil), ("name", 3), ("dtype", "f64"), ("dtype", nil), ("shape", [5, "3"]), ("shape", [5, -3]),
      ("shape", nil),
      ("shape", [2_147_483_648]), ("shape", [1_073_741_824, 1_073_741_824, 1_073_741_824]),
      ("shape", [1, 1, 1, 1, 1, 1, 1, 1, 1]),
      ("shape", [5, 4]), ("layout", "panel64"), ("layout", "panel32.gated"), ("offset", -64), ("offset", 1),
      ("offset", 64),
      ("offset", 9_223_372_036_854_775_744), ("offset", nil), ("sha256", "12"), ("sha256", nil),
    ] as [(String, JSON?)])
  func entriesThatAreNotValid(member: String, value: JSON?) throws {
    try withPlan { _, table in
      let list = try #require(table.json.array)
      var entry = try #require(list[0].object)
      entry[member] = value
      expectError(.invalid, "cannot load 'x': entry 1 of its weight table is not valid. Recompile it.") {
        try WeightTable(.array([list[0], .object(entry)]), limit: 60, path: "x")
      }
    }
  }

  @Test func noTable() {
    expectError(.invalid, "cannot load 'x': entry 0 of its weight table is not valid. Recompile it.") {
      try WeightTable([:], limit: 60, path: "x")
    }
  }

  /// A weight is found by name, type and layout; another layout is packed anew, once.
  @Test func layouts() throws {
    try withPlan { file, table in
      let only = WeightTable([table.entries[1]])
      let weights = PlanWeights(file, only, component: "unet")
      let panels = try weights.bytes(of: .init(name: "w", type: type, layout: .panel32))
      #expect(panels == (try file.section(.weights).baseAddress).map { $0 + 64 })
      #expect(weights.repackedCount == 0)
      let dense = try weights.bytes(of: .init(name: "w", type: type, layout: .dense))
      #expect((0..<15).map { dense.load(fromByteOffset: 4 * $0, as: Float.self) } == values)
      #expect(try weights.bytes(of: .init(name: "w", type: type, layout: .dense)) == dense)
      #expect(weights.repackedCount == 1)
      let path = file.path
      expectError(.invalid, "cannot load '\(path)': it has no weight 'unet/v' f32[5, 3]. Recompile it.") {
        try weights.bytes(of: .init(name: "v", type: type, layout: .dense))
      }
      expectError(.invalid, "cannot load '\(path)': it has no weight 'unet/w' f16[5, 3]. Recompile it.") {
        try weights.bytes(of: .init(name: "w", type: type.with(.f16), layout: .dense))
      }
      expectError(
        .invalid, "cannot load '\(path)': weight 'w' f32[5, 3] cannot lie as panel32.gated. Recompile it."
      ) {
        try weights.bytes(of: .init(name: "w", type: type, layout: .panel32Gated))
      }
    }
  }
}
