import Glibc
package import GraphIR

/// The bytes of a regular file, read-only: mapped, or read into memory.
///
/// A mapped file that is cut short by someone else while it is in use ends the process with SIGBUS; files of
/// this project are replaced by renaming, which leaves the mapped one alone.
package final class MappedFile: Sendable {
  /// The path as it was given.
  package let path: String
  /// The content; empty for an empty file. Valid while this object lives: hold it in a variable to the end of the
  /// use (`extendLifetime`), a temporary dies first.
  package nonisolated(unsafe) let bytes: UnsafeRawBufferPointer

  /// Maps a file, or reads it where `mapped` is false or its file system cannot map.
  ///
  /// Throws `.invalid` for what is missing or no regular file (a pipe is never waited for), `.resources` where
  /// permission, memory or the disk fails.
  package init(_ path: String, mapped: Bool = true) throws(SDError) {
    guard !path.utf8.contains(0) else {
      throw SDError(.invalid, "\(JSON.quoted(path)): a path cannot contain a zero byte")
    }
    self.path = path
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw Self.cannotOpen(path, errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Self.cannotOpen(path, errno) }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw SDError(.invalid, "\(path): a file is required, this is a folder")
    default: throw Self.cannotOpen(path, ENXIO)
    }
    bytes = try Self.load(descriptor, count: Int(status.st_size), path: path, mapped: mapped)
  }

  deinit {
    // Files that were read lie in an anonymous mapping, so both kinds end the same way.
    if let start = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) }
  }

  private static func load(
    _ descriptor: Int32, count: Int, path: String, mapped: Bool
  ) throws(SDError) -> UnsafeRawBufferPointer {
    guard count > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    if mapped {
      let start = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
      if start != MAP_FAILED { return UnsafeRawBufferPointer(start: start, count: count) }
      let code = errno
      guard code == ENODEV || code == ENOMEM else { throw cannotOpen(path, code) }
    }
    let start = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let start, start != MAP_FAILED else {
      throw SDError(
        .resources, "\(path): reading the file needs \(count) bytes of memory, they are not available")
    }
    var filled = 0
    while filled < count {
      let n = pread(descriptor, start + filled, count - filled, filled)
      let code = errno
      if n < 0 && code == EINTR { continue }
      guard n > 0 else {
        munmap(start, count)
        if n < 0 { throw SDError(.resources, "\(path): cannot be read: \(String(cString: strerror(code)))") }
        throw SDError(
          .invalid, "\(path): the file ended at byte \(filled), it had \(count) when it was opened")
      }
      filled += n
    }
    return UnsafeRawBufferPointer(start: start, count: count)
  }

  private static func cannotOpen(_ path: String, _ code: Int32) -> SDError {
    switch code {
    case ENOENT: SDError(.invalid, "\(path): the file does not exist")
    case ENXIO: SDError(.invalid, "\(path): a file is required, this is a device, pipe or socket")
    case ENOTDIR, ENAMETOOLONG, ELOOP:
      SDError(.invalid, "\(path): cannot be opened: \(String(cString: strerror(code)))")
    default: SDError(.resources, "\(path): cannot be opened: \(String(cString: strerror(code)))")
    }
  }
}
