import DiffusionModels
import Foundation
import GraphIR
import GraphRuntime

/// Another program that does the same work, as a child process that is told when to run.
///
/// It prints `{"ready": true, "seconds": …}`, those of its first run, when it is warm, `{"seconds": …}` for every line
/// that it reads, and `{"peak_rss": …}` at the end of its input: `Tools/reference/peers.py --serve`.
final class Peer {
  /// What it is called.
  let name: String
  private let process = Process()
  private let input = Pipe()
  private var output: Stream
  private var errors: Stream
  /// Seconds that it may be silent.
  private static let patience = 3_600.0

  /// Starts a command, which is read as a shell reads it, with more arguments.
  ///
  /// - Throws: `SDError` (device) when there is no shell.
  init(_ name: String, command: String, _ arguments: [String]) throws(SDError) {
    self.name = name
    // Writing to a peer that has died is an error to report, not a reason to die as well.
    signal(SIGPIPE, SIG_IGN)
    let (output, errors) = (Pipe(), Pipe())
    self.output = Stream(output)
    self.errors = Stream(errors)
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", "exec \(command) \"$@\"", "sh"] + arguments
    (process.standardInput, process.standardOutput, process.standardError) = (input, output, errors)
    do {
      try process.run()
    } catch {
      throw SDError(.device, "it cannot be started: \(error.localizedDescription)")
    }
  }

  deinit {
    try? input.fileHandleForWriting.close()
    kill()
  }

  /// Waits until it is warm; returns the seconds that its first run took, 0 if it does not say.
  ///
  /// - Throws: `SDError` (device) with the reason when it will never be.
  @discardableResult
  func waitUntilReady() throws(SDError) -> Double {
    let reply = try reply()
    guard reply.ready == true else { throw SDError(.device, "it does not say that it is ready") }
    return reply.seconds ?? 0
  }

  /// Lets it run once; returns the seconds that it took.
  ///
  /// - Throws: `SDError` (device) with the reason when it did not.
  func run() throws(SDError) -> Double {
    guard write(input.fileHandleForWriting.fileDescriptor, "\n", 1) == 1 else { throw death() }
    guard let seconds = try reply().seconds, seconds.isFinite, seconds >= 0 else {
      throw SDError(.device, "it does not say how long a run took")
    }
    return seconds
  }

  /// Ends it; returns the most memory that it had, in bytes.
  ///
  /// - Throws: `SDError` (device) with the reason when it does not say so.
  func finish() throws(SDError) -> Int {
    try? input.fileHandleForWriting.close()
    guard let bytes = try reply().peakRSS else { throw SDError(.device, "it does not say how much memory it took") }
    return bytes
  }

  private struct Reply: Decodable {
    var ready: Bool?
    var seconds: Double?
    var peakRSS: Int?

    enum CodingKeys: String, CodingKey {
      case ready, seconds
      case peakRSS = "peak_rss"
    }
  }

  private func reply() throws(SDError) -> Reply {
    let line = try line()
    do {
      return try JSONDecoder().decode(Reply.self, from: Data(line.utf8))
    } catch {
      throw SDError(.device, "it answers '\(line.prefix(80))', which is not one of the JSON objects of a peer")
    }
  }

  private func line() throws(SDError) -> String {
    let end = Profile.now() + Peer.patience
    while Profile.now() < end {
      if let line = output.takeLine() { return line }
      // Looked at five times a second, because a signal only sets a flag.
      if let stop = Interruption.error { throw stop }
      receive(milliseconds: 200)
      if output.isClosed, output.bytes.isEmpty { throw death() }
    }
    throw SDError(.device, "it says nothing for \(Int(Peer.patience)) s")
  }

  /// Takes what it has written, if it writes something in that time.
  private func receive(milliseconds: Int32) {
    var polled = [output, errors].map {
      pollfd(fd: $0.isClosed ? -1 : $0.descriptor, events: Int16(POLLIN), revents: 0)
    }
    guard poll(&polled, 2, milliseconds) > 0 else { return }
    if polled[0].revents != 0 { output.receive() }
    if polled[1].revents != 0 { errors.receive() }
  }

  /// Why it has closed its output: how it ended, and its last words.
  private func death() -> SDError {
    let end = Profile.now() + 5
    // Once known it is kept: between the system and Foundation there is a moment in which neither knows.
    var ending = ending
    while ending == nil || !errors.isClosed, Profile.now() < end {
      receive(milliseconds: 20)
      ending = ending ?? self.ending
    }
    let lines = String(decoding: errors.bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
    let words = lines.last { !$0.allSatisfy(\.isWhitespace) }.map { ": \($0.prefix(200))" } ?? ""
    return SDError(.device, "it \(ending ?? "closed its output")\(words)")
  }

  /// How it ended; nil while it runs.
  ///
  /// The system is asked, because Foundation hears of it only when a socket is closed, which any other process that was
  /// started at the same moment holds open as well.
  private var ending: String? {
    var information = siginfo_t()
    let state = waitid(P_PID, id_t(process.processIdentifier), &information, WEXITED | WNOWAIT | WNOHANG)
    if state == 0 {
      let child = information._sifields._sigchld
      if child.si_pid == 0 { return nil }
      return words(of: child.si_status, signal: information.si_code != CLD_EXITED)
    }
    // Foundation has heard of it and taken what the system knew.
    if process.isRunning { return nil }
    return words(of: process.terminationStatus, signal: process.terminationReason == .uncaughtSignal)
  }

  private func words(of status: Int32, signal: Bool) -> String {
    signal ? "was killed by signal \(status)" : "ended with code \(status)"
  }

  private func kill() {
    if process.isRunning { _ = Foundation.kill(process.processIdentifier, SIGKILL) }
  }

  /// One end of a pipe and what came out of it.
  private struct Stream {
    private let pipe: Pipe
    private(set) var bytes: [UInt8] = []
    private(set) var isClosed = false

    private static let limit = 1 << 16

    init(_ pipe: Pipe) { self.pipe = pipe }

    var descriptor: Int32 { pipe.fileHandleForReading.fileDescriptor }

    mutating func receive() {
      var buffer = [UInt8](repeating: 0, count: 1 << 12)
      let count = read(descriptor, &buffer, buffer.count)
      if count > 0 { bytes += buffer[..<count] } else if count == 0 || errno != EINTR { isClosed = true }
      // Of a text without end only the end is kept.
      if bytes.count > 2 * Stream.limit { bytes.removeFirst(bytes.count - Stream.limit) }
    }

    /// The next whole line; what is left when nothing more will come, and what is too long for a line, count as one.
    mutating func takeLine() -> String? {
      let newline = UInt8(ascii: "\n")
      guard let end = bytes.firstIndex(of: newline) ?? rest else { return nil }
      let line = String(decoding: bytes[..<end], as: UTF8.self)
      bytes.removeFirst(Swift.min(end + 1, bytes.count))
      return line
    }

    private var rest: Int? { (isClosed && !bytes.isEmpty) || bytes.count > Stream.limit ? bytes.count : nil }
  }
}
