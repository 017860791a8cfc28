import Glibc
package import GraphIR

/// The environment variables of the project, all read here. The README has the table.
package enum Debug {
  /// `SD_DEBUG`: 1 device and plan, 2 time of every graph that runs, 3 passes, 4 the kernel of every operation. Each level
  /// includes the ones below; 0 without it.
  package static let level: Int = variable("SD_DEBUG").flatMap { Int($0) } ?? 0
  /// `SD_CHECK_NAN=1`: every kernel's results are looked at, and the first that is not a number is named.
  package static let checksNaN = variable("SD_CHECK_NAN") == "1"
  /// `SD_VERIFY=1`: the digests of all weights are checked when a plan is opened.
  package static let verifiesWeights = variable("SD_VERIFY") == "1"
  /// `SD_MEMORY`: bytes to take for the memory that is available, instead of asking the system.
  package static let availableMemory: Int? = variable("SD_MEMORY").flatMap { Int($0) }

  /// `SD_CUDA_LIB_DIR`: a folder to look for libcuda and libnvrtc in before all others.
  package static let cudaFolder = variable("SD_CUDA_LIB_DIR")
  /// `VIRTUAL_ENV`: the active Python environment, whose packages may bring libnvrtc.
  package static let virtualEnvironment = variable("VIRTUAL_ENV")
  /// `SD_CACHE_DIR`: the folder of what may be made again at any time; without it `swift-diffusion-graph` in
  /// `XDG_CACHE_HOME` or `~/.cache`. Nil where there is no home, either.
  package static let cacheFolder: String? = {
    if let folder = variable("SD_CACHE_DIR") { return folder }
    // The XDG specification has relative paths ignored.
    let caches = variable("XDG_CACHE_HOME").flatMap { $0.hasPrefix("/") ? $0 : nil }
    return (caches ?? variable("HOME").map { $0 + "/.cache" }).map { $0 + "/swift-diffusion-graph" }
  }()

  /// Refuses values of the variables that would be ignored.
  ///
  /// - Throws: `SDError` (usage) that names the variable.
  package static func check() throws(SDError) {
    let known = [
      ("SD_DEBUG", "0, 1, 2, 3 or 4", (0...4).map(String.init)), ("SD_CHECK_NAN", "0 or 1", ["0", "1"]),
      ("SD_VERIFY", "0 or 1", ["0", "1"]),
    ]
    for (name, words, values) in known {
      if let value = variable(name), !values.contains(value) { throw refusal(name, value, "must be \(words)") }
    }
    if let value = variable("SD_MEMORY"), availableMemory ?? -1 < 0 {
      throw refusal("SD_MEMORY", value, "must be a number of bytes")
    }
    _ = try cpu()
  }

  private static func refusal(_ name: String, _ value: String, _ rule: String) -> SDError {
    SDError(.usage, "\(name) is '\(value)', it \(rule)")
  }

  /// The processor level that `SD_CPU` forces, or the best there is.
  ///
  /// - Throws: `SDError` (usage) for a level that is unknown or that this processor does not have.
  package static func cpu() throws(SDError) -> CPU {
    guard let name = variable("SD_CPU") else { return .best }
    guard let level = CPU.Level(rawValue: name) else {
      let known = CPU.Level.allCases.map(\.rawValue).joined(separator: ", ")
      throw refusal("SD_CPU", name, "must be one of \(known)")
    }
    return try CPU(level)
  }

  /// Writes a line to standard error when `SD_DEBUG` is at least `level`.
  package static func log(_ level: Int, _ text: @autoclosure () -> String) {
    if self.level >= level { StandardError.print(text()) }
  }

  private static func variable(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }
}

/// Standard error, where everything goes that is not a result.
package enum StandardError {
  /// Writes a line.
  package static func print(_ line: String) { write(line + "\n") }

  /// Writes text as it is.
  package static func write(_ text: String) {
    var text = text
    text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      while let start = rest.baseAddress, rest.count > 0 {
        let count = Glibc.write(STDERR_FILENO, start, rest.count)
        if count <= 0 { return }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
    }
  }

  /// Whether it is a terminal.
  package static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }
}
