package import GraphIR
import Synchronization

/// The compiled kernels that a plan has: sections KTOC, which says what they are, and KDAT.
package struct StoredKernels: Sendable {
  private struct Entry: Sendable {
    var source: String
    var offset: Int
    var length: Int
  }
  private var entries: [Entry] = []
  /// The cubins, one behind the other.
  package private(set) var bytes: [UInt8] = []

  /// Compiles all kernels for some families of GPUs, on several threads.
  ///
  /// - Parameter progress: told how much is done, from 0 to 1.
  /// - Throws: `SDError` (device) without NVRTC, or when it does not know a family.
  package init(
    for architectures: [CUDAArchitecture], threads: Int, cache: CubinCache = CubinCache(),
    progress: @escaping @Sendable (Double) -> Void = { _ in }
  ) throws(SDError) {
    let sources = architectures.flatMap { family in CUDAUnit.units(for: family).map { $0.source(for: family) } }
    let cubins = Mutex<[Int: Result<[UInt8], SDError>]>([:])
    parallel(threads: threads, parts: sources.count) { part, _ in
      let cubin = Result { () throws(SDError) in
        if let stop = Interruption.error { throw stop }
        return try cache.cubin(sources[part])
      }
      cubins.withLock {
        $0[part] = cubin
        if case .success = cubin { progress(Double($0.count) / Double(sources.count)) }
      }
    }
    for (index, source) in sources.enumerated() {
      guard let cubin = try cubins.withLock({ $0[index] })?.get() else { continue }
      entries.append(Entry(source: try source.digest().description, offset: bytes.count, length: cubin.count))
      bytes += cubin
    }
  }

  /// Reads what `json` and `bytes` stored.
  ///
  /// - Throws: `SDError` (invalid) that names the entry.
  package init(_ json: JSON, _ bytes: UnsafeRawBufferPointer, path: String) throws(SDError) {
    self.bytes = [UInt8](bytes)
    for (index, item) in (json.array ?? []).enumerated() {
      guard let item = item.object, let source = item["source"]?.string, let offset = item["offset"]?.int,
        let length = item["length"]?.int, offset >= 0, length >= 0, offset <= bytes.count,
        length <= bytes.count - offset
      else {
        throw SDError(
          .invalid, "cannot load '\(path)': entry \(index) of its table of kernels is not valid. Recompile it.")
      }
      entries.append(Entry(source: source, offset: offset, length: length))
    }
  }

  /// The families of GPUs for which all kernels of this version are there.
  ///
  /// - Throws: `SDError` (resources) when digests cannot be computed.
  package func architectures() throws(SDError) -> [CUDAArchitecture] {
    var whole: [CUDAArchitecture] = []
    for family in CUDAArchitecture.allCases {
      let units = CUDAUnit.units(for: family)
      var count = 0
      for unit in units where try entry(for: unit.source(for: family)) != nil { count += 1 }
      if count == units.count { whole.append(family) }
    }
    return whole
  }

  private func entry(for source: CUDASource) throws(SDError) -> Entry? {
    let digest = try source.digest().description
    return entries.first { $0.source == digest }
  }

  /// As it is stored: canonical JSON.
  package var json: JSON {
    .array(
      entries.map {
        ["source": .string($0.source), "offset": JSON($0.offset), "length": JSON($0.length)]
      })
  }

  /// The cubin of a source, nil when there is none that was made from exactly this one.
  func cubin(_ source: CUDASource) throws(SDError) -> [UInt8]? {
    try entry(for: source).map { Array(bytes[$0.offset..<$0.offset + $0.length]) }
  }
}
