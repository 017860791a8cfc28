import Glibc
package import GraphIR

/// Compiled kernels on disk, under the digest of everything that they are made from. It may be deleted at any time, and
/// where it cannot be written, kernels are compiled again each time.
package struct CubinCache: Sendable {
  /// Compiles a source.
  package typealias Compiler = @Sendable (CUDASource) throws(SDError) -> [UInt8]

  /// The folder, nil for no cache.
  package let folder: String?
  private let version: @Sendable () throws(SDError) -> String
  private let compile: Compiler

  /// A cache in a folder that is made when something is stored.
  ///
  /// - Parameters:
  ///   - version: the compiler's; its cubins are its own.
  package init(
    folder: String? = Debug.cacheFolder,
    version: @escaping @Sendable () throws(SDError) -> String = { () throws(SDError) in try NVRTC.version() },
    compile: @escaping Compiler = { source throws(SDError) in try NVRTC.compile(source) }
  ) {
    (self.folder, self.version, self.compile) = (folder, version, compile)
  }

  /// The cubin of a source, read or compiled.
  ///
  /// - Throws: `SDError` (device) when it has to be compiled and cannot be.
  package func cubin(_ source: CUDASource) throws(SDError) -> [UInt8] {
    let path = try path(source)
    if let path, let cubin = Self.read(path) { return cubin }
    let cubin = try compile(source)
    if let path { store(cubin, path) }
    return cubin
  }

  /// Where a source's cubin is or would be.
  package func path(_ source: CUDASource) throws(SDError) -> String? {
    let version = try version()
    guard let folder else { return nil }
    return "\(folder)/\(version)-\(try source.digest()).cubin"
  }

  private static func read(_ path: String) -> [UInt8]? {
    guard FileStatus.exists(path), let file = try? MappedFile(path, mapped: false) else { return nil }
    let bytes = [UInt8](file.bytes)
    return isWhole(bytes) ? bytes : nil
  }

  /// Whether the tables that an ELF file (64 bits, little endian) announces are inside of it.
  package static func isWhole(_ bytes: [UInt8]) -> Bool {
    guard bytes.count >= 64, bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46, 2, 1]) else { return false }
    func number(_ offset: Int, _ count: Int) -> UInt64 {
      bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    // e_phoff, e_phentsize, e_phnum; e_shoff, e_shentsize, e_shnum
    return [(number(32, 8), number(54, 2) * number(56, 2)), (number(40, 8), number(58, 2) * number(60, 2))].allSatisfy {
      let (end, overflow) = $0.addingReportingOverflow($1)
      return !overflow && end <= UInt64(bytes.count)
    }
  }

  private func store(_ cubin: [UInt8], _ path: String) {
    do throws(SDError) {
      if let folder { Self.make(folder) }
      var file = try AtomicFile(path)
      try file.append(cubin)
      try file.commit()
    } catch {
      Debug.log(1, "kernels are not cached: \(error.message)")
    }
  }

  /// Makes a folder and those above it. That it did not work out is noticed by whoever writes to it.
  private static func make(_ folder: String) {
    var path = folder.hasPrefix("/") ? "" : "."
    for name in folder.split(separator: "/") {
      path += "/\(name)"
      mkdir(path, 0o700)
    }
  }
}
