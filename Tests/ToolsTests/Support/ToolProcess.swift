import Foundation
import TestSupport

/// A tool of this package as a process of its own: found beside the test bundle, started, waited for.
final class ToolProcess {
  /// How a process ended and what it wrote.
  struct Outcome {
    /// The exit code; 128 + the number of the signal that killed it.
    let status: Int32
    let output: String
    let errors: String
  }

  private let id: pid_t
  private let folder: String

  /// Starts a tool.
  ///
  /// - Parameters:
  ///   - environment: added to that of this process.
  ///   - shell: a command line that runs before the tool in the same process: limits, traps.
  init(
    _ name: String, _ arguments: [String], environment: [String: String] = [:], shell: String? = nil
  ) throws {
    let tool = try Self.path(of: name)
    let command = shell.map { ["/bin/sh", "-c", "\($0); exec \"$0\" \"$@\"", tool] } ?? [tool]
    folder = try makeFolderOfProcess()
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, "\(folder)/output", O_WRONLY | O_CREAT, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, "\(folder)/errors", O_WRONLY | O_CREAT, 0o600)
    // Threads of the test runner block signals; a child would inherit that.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

    let variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("SD_") }
      .merging(environment) { $1 }.map { "\($0.key)=\($0.value)" }
    var pid: pid_t = 0
    let code = Self.withCStrings(command + arguments) { argv in
      Self.withCStrings(variables) { posix_spawn(&pid, command[0], &actions, &attributes, argv, $0) }
    }
    guard code == 0 else { throw CocoaError(.executableLoad, userInfo: ["errno": code]) }
    id = pid
  }

  /// Runs a tool to its end.
  static func run(
    _ name: String, _ arguments: String..., environment: [String: String] = [:], shell: String? = nil
  ) throws -> Outcome {
    try ToolProcess(name, arguments, environment: environment, shell: shell).wait()
  }

  /// What it has written to standard error so far.
  var errors: String { String(decoding: get("\(folder)/errors") ?? [], as: UTF8.self) }

  /// Sends a signal.
  func signal(_ number: Int32) { kill(id, number) }

  /// Waits until it ends; kills it after that many seconds.
  func wait(seconds: Double = 120) -> Outcome {
    let deadline = ContinuousClock.now + .seconds(seconds)
    var status: Int32 = 0
    while waitpid(id, &status, WNOHANG) == 0 {
      if ContinuousClock.now > deadline { kill(id, SIGKILL) }
      usleep(2_000)
    }
    let text = { [folder] (name: String) in String(decoding: get("\(folder)/\(name)") ?? [], as: UTF8.self) }
    let ended = status & 0x7F
    return Outcome(
      status: ended == 0 ? status >> 8 & 0xFF : 128 + ended, output: text("output"), errors: text("errors"))
  }

  /// Where a tool is: beside the test bundle.
  static func path(of name: String) throws -> String {
    let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return URL(filePath: tests).deletingLastPathComponent().appending(path: name).path
  }

  private static func withCStrings<R>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R
  ) -> R {
    var pointers = strings.map { strdup($0) } + [nil]
    defer { pointers.forEach { free($0) } }
    return pointers.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { preconditionFailure("an array of one or more has an address") }
      return body(base)
    }
  }
}
