import Glibc
public import GraphIR
import GraphRuntime

/// A folder that takes the files of `--dump-dir`.
public struct DumpFolder: Sendable {
  private let path: String

  /// The folder; it is made when it is not there.
  ///
  /// - Throws: `SDError` (resources) when it cannot be made.
  public init(_ path: String) throws(SDError) {
    guard mkdir(path, 0o755) == 0 || errno == EEXIST else {
      throw SDError(.resources, "cannot make the folder '\(path)': \(String(cString: strerror(errno)))")
    }
    self.path = path
  }

  /// Writes one file.
  ///
  /// - Throws: `SDError` (resources) when it cannot be written.
  public func write(_ name: String, _ text: String) throws(SDError) {
    var file = try AtomicFile("\(path)/\(name)")
    try file.append(Array(text.utf8))
    try file.commit()
  }
}
