import Glibc

/// Questions to the file system that are not worth opening a file for.
package enum FileStatus {
  /// Whether anything has this name.
  package static func exists(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0
  }
}
