import Glibc

/// What the system says in /proc and /sys, in files that have no size before they are read.
enum SystemFile {
  /// The beginning of a file, at most 16 KiB; nil when it cannot be read or is empty.
  static func text(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 1 << 14)
    let count = read(descriptor, &bytes, bytes.count)
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
  }
}
