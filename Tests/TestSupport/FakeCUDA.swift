import Foundation
package import GraphIR
package import GraphRuntime

/// The fake driver of Tests/FakeCUDA: a copy of its own for each test, with its own memory, options and counts.
package final class FakeCUDA {
  /// The kinds of objects that a driver hands out, as Tests/FakeCUDA/fake.h has them.
  package enum Kind: Int32, CaseIterable {
    /// In this order.
    case context, memory, pinned, stream, event, module, function, graph, graphExec
  }

  /// Where the copy is.
  package let folder: String
  private let library: UnsafeMutableRawPointer

  /// A fresh driver.
  ///
  /// - Parameters:
  ///   - options: `["FAIL": "cuMemAlloc_v2:3:2", "SM": "80"]`, as in fake.h.
  package init(_ options: [String: String] = [:]) throws(SDError) {
    folder = try makeFolderOfProcess()
    let path = "\(folder)/libcuda.so.1"
    let original = try Self.folder() + "/libcuda.so.1"
    guard (try? copyTree(original, path)) != nil, let library = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
      throw SDError(.resources, "cannot load a copy of \(original)")
    }
    self.library = library
    set("LOG", "\(folder)/log")
    for (name, value) in options { set(name, value) }
  }

  /// The driver behind the runtime's table.
  package func driver() throws(SDError) -> CUDADriver { try CUDADriver(folder: folder) }

  /// Its first GPU.
  package func context() throws(SDError) -> CUDAContext { try CUDAContext(ordinal: 0, driver: driver()) }

  /// Sets an option; calls are counted from here.
  package func set(_ name: String, _ value: String) {
    typealias Function = @convention(c) (UnsafePointer<CChar>, UnsafePointer<CChar>) -> Void
    symbol("fakecuda_set", as: Function.self)?(name, value)
  }

  /// Objects that are alive.
  package func live(_ kind: Kind) -> Int {
    symbol("fakecuda_live", as: (@convention(c) (Int32) -> Int).self)?(kind.rawValue) ?? -1
  }

  /// Kinds of which something is alive.
  package var leaks: [Kind] { Kind.allCases.filter { $0 != .function && live($0) != 0 } }

  /// How often something was done that a GPU would not have noticed.
  package var damages: Int { symbol("fakecuda_damages", as: (@convention(c) () -> Int).self)?() ?? -1 }

  /// The calls so far, a line of JSON each.
  package var log: [String] {
    String(decoding: get("\(folder)/log") ?? [], as: UTF8.self).split(separator: "\n").map(String.init)
  }

  /// The calls so far of one entry.
  package func calls(_ name: String) -> [String] { log.filter { $0.hasPrefix("{\"call\":\"\(name)\",") } }

  private func symbol<F>(_ name: String, as type: F.Type) -> F? {
    dlsym(library, name).map { unsafeBitCast($0, to: type) }
  }

  /// An image that the fake driver loads; it has all kernels.
  package static let cubin: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 57)
}

extension FakeCUDA {
  private static let built = Result { () throws(SDError) in try build() }

  /// The folder with libcuda.so.1 and libnvrtc.so.13 for `SD_CUDA_LIB_DIR`; built when a source is newer.
  package static func folder() throws(SDError) -> String { try built.get() }

  private static func build() throws(SDError) -> String {
    let folder = "\(repository)/.build/fake-cuda"
    let (sources, headers) = ("\(repository)/Tests/FakeCUDA", "\(repository)/Sources/CCUDA")
    let libraries = ["libcuda.so.1", "libnvrtc.so.13"].map { "\(folder)/\($0)" }
    let newest = [sources, "\(sources)/emulated", "\(headers)/include", "\(headers)/kernels"].flatMap { folder in
      entries(of: folder).compactMap { modified("\(folder)/\($0)") }
    }.max()
    let oldest = libraries.map { modified($0) ?? .distantPast }.min()
    if let newest, let oldest, newest < oldest { return folder }

    // Built aside and renamed: other processes may build it, too, or have it loaded.
    let aside = try makeFolderOfProcess()
    let emulated = entries(of: "\(sources)/emulated").filter { $0.hasSuffix(".cpp") }.map { "emulated/\($0)" }
    let own = entries(of: sources).filter { $0.hasSuffix(".c") || $0.hasSuffix(".cpp") }
    let files = emulated + own.filter { $0 != "nvrtc.c" }
    for name in files + ["nvrtc.c"] {
      // C++ as in a kernel: no library of its own.
      let language =
        name.hasSuffix(".c")
        ? ["-std=gnu2x"]
        : ["-std=c++17", "-nostdinc++", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"]
      // Kernels report to the emulator, which has the handlers.
      let checks =
        name.hasPrefix("emulated/")
        ? [
          "-fsanitize=alignment,array-bounds,signed-integer-overflow,integer-divide-by-zero,shift",
          "-fsanitize-minimal-runtime", "-fno-sanitize-recover=all", "-fstrict-flex-arrays=3",
        ] : []
      let places = ["-I", "\(headers)/include", "-I", "\(headers)/kernels"]
      let output = ["-c", "\(sources)/\(name)", "-o", object(name, aside)]
      try compile(language + checks + places + ["-O2", "-g", "-fPIC"] + output)
    }
    // Without a soname: a copy that a test has loaded must not be found by name.
    for (library, names) in zip(libraries, [files, ["nvrtc.c"]]) {
      let new = "\(aside)/lib.so"
      try compile(["-shared", "-o", new] + names.map { object($0, aside) } + ["-lm", "-lpthread"])
      try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      let beside = "\(library).\(getpid())"
      guard (try? copyTree(new, beside)) != nil, rename(beside, library) == 0 else {
        throw SDError(.resources, "cannot write \(library)")
      }
    }
    return folder
  }

  private static func object(_ name: String, _ folder: String) -> String {
    "\(folder)/\(name.split(separator: "/").joined(separator: "-")).o"
  }

  /// Runs the toolchain's clang.
  package static func compile(_ arguments: [String]) throws(SDError) {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["clang"] + arguments
    guard (try? process.run()) != nil else { throw SDError(.resources, "cannot run clang") }
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw SDError(.resources, "clang \(arguments.joined(separator: " ")) fails")
    }
  }

  private static func modified(_ path: String) -> Date? {
    (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
  }
}
