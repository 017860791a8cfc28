import CCUDA
package import GraphIR

/// CUDA C++ to compile.
package struct CUDASource: Sendable {
  /// What messages call it: `conv.cu`.
  package var name: String
  /// The text.
  package var text: String
  /// What `#include "name"` finds; there are no others, not even CUDA's own.
  package var headers: [(name: String, text: String)]
  /// `sm_90a`.
  package var architecture: String

  /// A source.
  package init(name: String, text: String, headers: [(name: String, text: String)] = [], architecture: String) {
    (self.name, self.text, self.headers, self.architecture) = (name, text, headers, architecture)
  }

  /// The compiler's options. A cubin of one architecture and no PTX: PTX asks for a driver as new as the compiler.
  package var options: [String] {
    ["--gpu-architecture=\(architecture)", "--std=c++17", "--device-as-default-execution-space"]
  }

  /// SHA-256 of everything that a cubin is made from, but for the compiler.
  package func digest() throws(SDError) -> Digest {
    let hasher = SHA256()
    for text in [name, self.text] + headers.flatMap({ [$0.name, $0.text] }) + options {
      // With lengths: "ab", "c" is not "a", "bc".
      let bytes = Array("\(text.utf8.count):\(text)".utf8)
      bytes.withUnsafeBytes { hasher.update($0) }
    }
    return try hasher.finish()
  }
}

/// NVIDIA's run-time compiler: libnvrtc, found at run time.
package enum NVRTC {
  private struct Library: @unchecked Sendable {
    let api: sd_nvrtc
    let version: String
  }

  private static let library = Result { () throws(SDError) in
    let table = UnsafeMutablePointer<sd_nvrtc>.allocate(capacity: 1)
    defer { table.deallocate() }
    let newest = (try? CUDADriver.shared.get()).map { $0.version / 1000 } ?? .max
    let state = CUDALibraryState {
      sd_cuda_load_nvrtc(table, Debug.cudaFolder, Debug.virtualEnvironment, Int32(clamping: newest), $0, $1)
    }
    if let state { throw SDError.noNVRTC(state) }
    var (major, minor): (Int32, Int32) = (0, 0)
    let status = table.pointee.nvrtcVersion(&major, &minor)
    try check(table.pointee, status, "ask libnvrtc for its version")
    return Library(api: table.pointee, version: "\(major).\(minor)")
  }

  /// `13.0`.
  ///
  /// - Throws: `SDError` (device) when there is no libnvrtc.
  package static func version() throws(SDError) -> String { try library.get().version }

  /// Compiles a source to a cubin, in tenths of a second.
  ///
  /// - Throws: `SDError` (device) with the beginning of the compiler's log.
  package static func compile(_ source: CUDASource) throws(SDError) -> [UInt8] {
    let (library, action) = (try library.get(), "compile '\(source.name)' for \(source.architecture)")
    let api = library.api
    var program: nvrtcProgram?
    let created = withCStrings(source.headers.map(\.text)) { texts in
      withCStrings(source.headers.map(\.name)) { names in
        api.nvrtcCreateProgram(&program, source.text, source.name, Int32(source.headers.count), texts, names)
      }
    }
    try check(api, created, action)
    defer { _ = api.nvrtcDestroyProgram(&program) }
    let options = source.options
    let status = withCStrings(options) { api.nvrtcCompileProgram(program, Int32(options.count), $0) }
    if status != 0 {
      let reason = api.nvrtcGetErrorString(status).map { String(cString: $0) } ?? "error \(status)"
      let log = beginning(of: log(api, program))
      throw SDError(
        .device, "cannot \(action): libnvrtc \(library.version) says \(reason)\(log.isEmpty ? "" : ":\n\(log)")")
    }
    var size = 0
    try check(api, api.nvrtcGetCUBINSize(program, &size), action)
    var cubin = [CChar](repeating: 0, count: size)
    try check(api, api.nvrtcGetCUBIN(program, &cubin), action)
    return cubin.map { UInt8(bitPattern: $0) }
  }

  private static func check(_ api: sd_nvrtc, _ status: Int32, _ action: String) throws(SDError) {
    if status == 0 { return }
    let reason = api.nvrtcGetErrorString(status).map { String(cString: $0) } ?? "error \(status)"
    throw SDError(.device, "cannot \(action): \(reason)")
  }

  private static func log(_ api: sd_nvrtc, _ program: nvrtcProgram?) -> String {
    var size = 0
    guard api.nvrtcGetProgramLogSize(program, &size) == 0, size > 1 else { return "" }
    var log = [CChar](repeating: 0, count: size)
    guard api.nvrtcGetProgramLog(program, &log) == 0 else { return "" }
    return String(decoding: log.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The first lines, at most 2,000 characters: one mistake can be reported a thousand times.
  package static func beginning(of log: String) -> String {
    let limit = 2_000
    let text = String(log.drop { $0.isNewline })
    guard text.count > limit else { return String(text.reversed().drop { $0.isNewline }.reversed()) }
    let start = text.prefix(limit - 4)
    return "\(start.lastIndex { $0.isNewline }.map { start[..<$0] } ?? start)\n..."
  }

  private static func withCStrings<R>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafePointer<CChar>?>?) -> R
  ) -> R {
    let bytes = strings.map { $0.utf8CString }
    var pointers: [UnsafePointer<CChar>?] = []
    func descend(_ index: Int) -> R {
      if index == bytes.count { return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress) } }
      return bytes[index].withUnsafeBufferPointer {
        pointers.append($0.baseAddress)
        return descend(index + 1)
      }
    }
    return descend(0)
  }
}
