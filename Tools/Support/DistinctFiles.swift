import Glibc
public import GraphIR
import GraphRuntime

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

  /// Refuses to write over a file of a folder that is read, unless that is a plan.
  ///
  /// - Throws: `SDError` (usage) that names it.
  public static func check(_ path: String, isNoFileOf folder: String) throws(SDError) {
    guard resolved(path).hasPrefix(resolved(folder) + "/"), FileStatus.exists(path), (try? PlanFile(path)) == nil else {
      return
    }
    throw SDError(
      .usage, "'\(path)' is a file of the model '\(folder)'", hint: "Write the plan to a file of its own.")
  }

  /// The path without links and detours, where something is there already.
  private static func resolved(_ path: String) -> String {
    guard let real = realpath(path, nil) else { return path }
    defer { free(real) }
    return String(cString: real)
  }
}
