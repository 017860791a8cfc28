import Glibc
public import GraphIR

/// Files of one command line.
public enum DistinctFiles {
  /// Refuses a file that is named twice: one use would destroy the other.
  ///
  /// - Throws: `SDError` (usage) that names it.
  public static func check(_ paths: [String?]) throws(SDError) {
    var seen: Set<String> = []
    for path in paths.compactMap(\.self) where !seen.insert(resolved(path)).inserted {
      throw SDError(
        .usage, "'\(path)' is named twice", hint: "Every file that is read or written must be one of its own.")
    }
  }

  /// The path without links and detours, where something is there already.
  private static func resolved(_ path: String) -> String {
    guard let real = realpath(path, nil) else { return path }
    defer { free(real) }
    return String(cString: real)
  }
}
