import GraphIR
import GraphRuntime
import Synchronization
import TestSupport
import Testing

/// Compiled kernels on disk.
struct CubinCacheTests {
  private static let source = CUDASource(
    name: "x.cu", text: "text", headers: [("x.h", "header")], architecture: "sm_90a")

  /// Counts what it is asked for.
  private final class Compiler: Sendable {
    let count = Mutex(0)

    func cache(_ folder: String?, version: String = "13.0") -> CubinCache {
      CubinCache(folder: folder, version: { () throws(SDError) in version }) { [self] _ throws(SDError) in
        count.withLock { $0 += 1 }
        return FakeCUDA.cubin
      }
    }
  }

  @Test func storesAndFinds() throws {
    try withTemporaryFolder { folder in
      let compiler = Compiler()
      let cache = compiler.cache("\(folder)/a/b")
      for _ in 0..<3 { #expect(try cache.cubin(Self.source) == FakeCUDA.cubin) }
      #expect(compiler.count.withLock { $0 } == 1)
      let path = try #require(try cache.path(Self.source))
      #expect(path.wholeMatch(of: #/.*/a/b/.*-[0-9a-f]{64}\.cubin/#) != nil)
      #expect(entries(of: "\(folder)/a/b").count == 1)
      #expect(get(path) == FakeCUDA.cubin)
    }
  }

  /// Everything that the result depends on is in the name.
  @Test func keys() throws {
    var sources = [Self.source]
    func changed(_ change: (inout CUDASource) -> Void) {
      var source = Self.source
      change(&source)
      sources.append(source)
    }
    changed { $0.text = "text " }
    changed { $0.architecture = "sm_90" }
    changed { $0.headers = [] }
    changed { $0.headers = [("x.h", "header2")] }
    changed { $0.headers = [("x.hh", "eader")] }
    let paths = try sources.map { try Compiler().cache("/x").path($0) }
    #expect(Set(paths).count == sources.count)
    #expect(try !paths.contains(Compiler().cache("/x", version: "12.9").path(Self.source)))
  }

  @Test(arguments: [[], Array("hello".utf8), Array(FakeCUDA.cubin.dropLast()), truncated])
  func damagedEntries(bytes: [UInt8]) throws {
    try withTemporaryFolder { folder in
      let compiler = Compiler()
      let cache = compiler.cache(folder)
      let path = try #require(try cache.path(Self.source))
      put(bytes, path)
      #expect(try cache.cubin(Self.source) == FakeCUDA.cubin)
      #expect(get(path) == FakeCUDA.cubin)
      #expect(compiler.count.withLock { $0 } == 1)
    }
  }

  /// A file whose section table would be at 4096.
  private static let truncated: [UInt8] = {
    var bytes = FakeCUDA.cubin
    (bytes[41], bytes[58], bytes[60]) = (16, 64, 3)
    return bytes
  }()

  @Test(arguments: [nil, "/proc/nowhere", "/dev/null/x"])
  func noFolder(folder: String?) throws {
    let compiler = Compiler()
    for _ in 0..<2 { #expect(try compiler.cache(folder).cubin(Self.source) == FakeCUDA.cubin) }
    #expect(compiler.count.withLock { $0 } == 2)
  }

  @Test func failures() throws {
    let error = SDError(.device, "no")
    let cache = CubinCache(
      folder: nil, version: { () throws(SDError) in "1" }, compile: { _ throws(SDError) in throw error })
    #expect(throws: error) { _ = try cache.cubin(Self.source) }
  }
}
