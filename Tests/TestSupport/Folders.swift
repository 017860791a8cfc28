import Foundation
package import GraphIR

/// The variables of this process.
package enum Variables {
  /// All of them.
  package static let all = ProcessInfo.processInfo.environment

  /// One of them.
  package static subscript(name: String) -> String? { all[name] }
}

/// The repository: where it was when the tests were built, or `SD_TEST_ROOT`.
package let repository =
  Variables["SD_TEST_ROOT"] ?? "/" + "\(#filePath)".split(separator: "/").dropLast(3).joined(separator: "/")

/// A file or folder of the fixtures.
package func fixture(_ name: String) -> String { "\(repository)/Tests/DiffusionModelsTests/Fixtures/\(name)" }

/// Calls `body` with the path of an empty folder that is removed afterwards with everything in it.
package func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  let folder = try makeTemporaryFolder()
  defer { removeTree(folder) }
  return try body(folder)
}

/// An empty folder for the whole test run, removed when the process ends.
package func makeFolderOfProcess() throws(SDError) -> String {
  let folder = try makeTemporaryFolder()
  FoldersOfProcess.add(folder)
  return folder
}

/// The names in a folder, sorted.
package func entries(of folder: String) -> [String] {
  ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
}

/// Writes a file, plainly.
package func put(_ bytes: some Sequence<UInt8>, _ path: String) {
  guard let stream = fopen(path, "w") else { return }
  let bytes = Array(bytes)
  fwrite(bytes, 1, bytes.count, stream)
  fclose(stream)
}

/// The bytes of a file, nil if it cannot be read.
package func get(_ path: String) -> [UInt8]? {
  FileManager.default.contents(atPath: path).map { [UInt8]($0) }
}

/// Copies a file or a folder with everything in it.
package func copyTree(_ from: String, _ to: String) throws {
  try FileManager.default.copyItem(atPath: from, toPath: to)
}

/// Removes a file or a folder with everything in it.
package func removeTree(_ path: String) {
  try? FileManager.default.removeItem(atPath: path)
}

private func makeTemporaryFolder() throws(SDError) -> String {
  var template = Array("/tmp/sd-test-XXXXXX\0".utf8CString)
  guard let made = mkdtemp(&template) else { throw SDError(.resources, "mkdtemp failed") }
  return String(cString: made)
}

/// Folders to remove when the process ends.
private enum FoldersOfProcess {
  private static let lock = NSLock()
  nonisolated(unsafe) private static var paths: [String] = []

  static func add(_ path: String) {
    lock.withLock {
      if paths.isEmpty { atexit { FoldersOfProcess.paths.forEach(removeTree) } }
      paths.append(path)
    }
  }
}
