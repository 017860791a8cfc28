import Foundation
import GraphIR
import TestSupport
import Testing

@Suite struct OpRegistryTests {
  /// Files of `Ops/` that hold what several ops share.
  private let shared: Set<String> = ["Activation", "Elementwise", "Reduce"]

  @Test func listsEveryOpFile() throws {
    let types = OpRegistry.standard.names.compactMap { OpRegistry.standard[$0].map { "\($0)" } }
    #expect(Set(types) == Set(try opFiles()).subtracting(shared))
    #expect(types.count == OpRegistry.standard.names.count)
  }

  /// Names of the files in `Sources/GraphIR/Ops`, without extension.
  private func opFiles(path: String = #filePath) throws -> [String] {
    let root = URL(filePath: path).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let files = try FileManager.default.contentsOfDirectory(
      atPath: root.appending(path: "Sources/GraphIR/Ops").path)
    return files.filter { $0.hasSuffix(".swift") }.map { String($0.dropLast(6)) }
  }

  @Test func refusesSecondDefinitions() throws {
    var registry = OpRegistry.standard
    try registry.register(Add.self)  // the same again is no change
    expectError(.usage, "operation 'sd.add' is defined twice: by Add and by FalseAdd") {
      try registry.register(FalseAdd.self)
    }
    expectError(.usage, "'lab two.scale' cannot name an operation; use letters, digits, '_', '-' and '.'") {
      try registry.register(BadName.self)
    }
  }
}

private struct FalseAdd: UnaryOp {
  static let id = OpID("sd", "add", version: 1)
  static func apply(_ x: Float) -> Float { x }
}

private struct BadName: UnaryOp {
  static let id = OpID("lab two", "scale", version: 1)
  static func apply(_ x: Float) -> Float { x }
}
