internal import CKernels
import Glibc
package import GraphIR

/// A file that appears whole or not at all: written beside its target under a temporary name, then renamed.
///
/// Unless `commit` succeeds the temporary file is removed and whatever stood at the target is untouched, also
/// while it is mapped. Each call is a system call: append whole sections, not words.
package struct AtomicFile: ~Copyable {
  /// The path as it was given.
  package let path: String
  /// Bytes in the file so far: the end of the furthest write.
  package private(set) var size = 0
  private let target: String
  private let temporary: String
  private let descriptor: Int32
  private let slot: Int32
  private let calls: SystemCalls
  private var isCommitted = false

  /// The calls that can fail on a full disk; tests put failing ones in their place.
  package struct SystemCalls: Sendable {
    /// `pwrite`: descriptor, bytes, count, offset.
    package var write: @Sendable (Int32, UnsafeRawPointer, Int, Int) -> Int = { pwrite($0, $1, $2, $3) }
    /// `fsync`
    package var sync: @Sendable (Int32) -> Int32 = { fsync($0) }
    /// `rename`: from, to.
    package var rename: @Sendable (String, String) -> Int32 = { Glibc.rename($0, $1) }

    /// Those of the system.
    package init() {}
  }

  /// Creates the temporary file. A target that exists hands down its permissions; a symbolic link is followed.
  ///
  /// Throws what `checkWritable` throws, and `.resources` where the file cannot be created.
  package init(_ path: String, calls: SystemCalls = SystemCalls()) throws(SDError) {
    try Self.checkWritable(path)
    let target = Self.resolved(path)
    let name = ".sd-" + String(UInt64.random(in: 1 << 60 ... .max), radix: 16) + ".tmp"
    let temporary = Self.folder(of: target) + "/" + name
    // Registered first: a signal between the two lines must find the name.
    let slot = ck_temporary_add(temporary)
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      let code = errno
      ck_temporary_remove(slot)
      throw Self.cannotWrite(path, String(cString: strerror(code)))
    }
    var status = stat()
    if stat(target, &status) == 0 { fchmod(descriptor, status.st_mode & 0o777) }
    self.path = path
    self.target = target
    self.temporary = temporary
    self.descriptor = descriptor
    self.slot = slot
    self.calls = calls
  }

  deinit {
    close(descriptor)
    if !isCommitted { unlink(temporary) }
    ck_temporary_remove(slot)
  }

  /// Writes behind the last byte.
  package mutating func append(_ bytes: UnsafeRawBufferPointer) throws(SDError) {
    try write(bytes, at: size)
  }

  /// Writes behind the last byte.
  package mutating func append(_ bytes: [UInt8]) throws(SDError) {
    try bytes.span.bytes.withUnsafeBytes { bytes throws(SDError) in try append(bytes) }
  }

  /// Writes at an offset ≥ 0; a gap before it reads as zeros.
  package mutating func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SDError) {
    guard let start = bytes.baseAddress else { return }
    var done = 0
    while done < bytes.count {
      // Linux moves at most 2 GiB − 4 KiB in one call.
      let n = calls.write(descriptor, start + done, min(bytes.count - done, 1 << 30), offset + done)
      let code = errno
      if n < 0 && code == EINTR { continue }
      guard n > 0 else { throw failure(n < 0 ? code : ENOSPC, missing: bytes.count - done) }
      done += n
      size = max(size, offset + done)
    }
  }

  /// Makes the content durable and gives the file its name.
  package consuming func commit() throws(SDError) {
    guard calls.sync(descriptor) == 0 else { throw failure(errno, missing: 0) }
    guard calls.rename(temporary, target) == 0 else { throw failure(errno, missing: 0) }
    isCommitted = true
    // Without this a power cut may bring back the former file, never half of one; not all file systems can.
    let folder = open(Self.folder(of: target), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if folder >= 0 {
      _ = calls.sync(folder)
      close(folder)
    }
  }

  private func failure(_ code: Int32, missing: Int) -> SDError {
    let need = missing > 0 ? ", \(missing) more are needed" : ""
    let progress = "\(size) bytes are written\(need)"
    let hint = "\(path) is as it was before; the incomplete copy is removed."
    return switch code {
    case ENOSPC: SDError(.resources, "disk full while writing \(path): \(progress)", hint: hint)
    case EDQUOT: SDError(.resources, "disk quota exceeded while writing \(path): \(progress)", hint: hint)
    default:
      SDError(.resources, "cannot write \(path): \(String(cString: strerror(code))): \(progress)", hint: hint)
    }
  }
}

extension AtomicFile {
  /// Checks, before long work, that a file could be written: its folder exists and is writable, and the path is
  /// free or names a regular file that may be replaced. Throws `.resources`; creates nothing.
  package static func checkWritable(_ path: String) throws(SDError) {
    guard !path.utf8.contains(0) else {
      throw cannotWrite(JSON.quoted(path), "a path cannot contain a zero byte")
    }
    guard let last = path.utf8.last else { throw cannotWrite("\"\"", "the path is empty") }
    if last == UInt8(ascii: "/") { throw cannotWrite(path, "it names a folder") }
    let target = resolved(path)
    let folder = folder(of: target)
    var status = stat()
    if stat(folder, &status) != 0 {
      let code = errno
      if code == ENOENT { throw cannotWrite(path, "the folder \(folder) does not exist") }
      throw cannotWrite(path, String(cString: strerror(code)))
    }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw cannotWrite(path, "\(folder) is not a folder") }
    if access(folder, W_OK | X_OK) != 0 {
      let obstacle = errno == EROFS ? "on a read-only file system" : "not writable"
      throw cannotWrite(path, "the folder \(folder) is \(obstacle)")
    }
    if stat(target, &status) != 0 {
      let code = errno
      if code != ENOENT { throw cannotWrite(path, String(cString: strerror(code))) }
      return
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw cannotWrite(path, "it is a folder")
    default: throw cannotWrite(path, "it is a device, pipe or socket")
    }
    if access(target, W_OK) != 0 { throw cannotWrite(path, "the file exists and is not writable") }
  }

  /// The path behind symbolic links; one that leads nowhere stands for itself.
  private static func resolved(_ path: String) -> String {
    guard let real = realpath(path, nil) else { return path }
    defer { free(real) }
    return String(cString: real)
  }

  private static func folder(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static func cannotWrite(_ path: String, _ reason: String) -> SDError {
    SDError(.resources, "cannot write \(path): \(reason)")
  }
}
