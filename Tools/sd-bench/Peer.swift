import Foundation
import GraphIR

/// Another program that computes the same, behind a pipe: it says that it is ready, and answers each line with the
/// seconds of a run (`Tools/reference/peers.py --serve`).
final class Peer {
  /// What it is called in tables.
  let name: String
  private let process = Process()
  private let (input, output) = (Pipe(), Pipe())
  private var rest: [UInt8] = []

  private struct Answer: Decodable {
    var ready: Bool?
    var seconds: Double?
  }

  /// Starts `command name component precision --size … --threads … --serve` through the shell and waits until it is
  /// ready.
  ///
  /// - Throws: `SDError` (incompatible) when it cannot be started or ends before it is ready.
  init(_ name: String, command: String, arguments: [String]) throws(SDError) {
    self.name = name
    let words = ([name] + arguments + ["--serve"]).joined(separator: " ")
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", "exec \(command) \(words)"]
    process.standardInput = input
    process.standardOutput = output
    // What frameworks say while they load is no part of a table.
    process.standardError = FileHandle.nullDevice
    do { try process.run() } catch { throw SDError(.incompatible, "\(name) cannot be started: \(error)") }
    guard try answer().ready == true else { throw SDError(.incompatible, "\(name) did not say that it is ready") }
  }

  /// Seconds of one run.
  ///
  /// - Throws: `SDError` (incompatible) when the program has ended or says something else.
  func run() throws(SDError) -> Double {
    do { try input.fileHandleForWriting.write(contentsOf: Data([0x0A])) } catch {
      throw SDError(.incompatible, "\(name) has ended")
    }
    guard let seconds = try answer().seconds, seconds > 0, seconds.isFinite else {
      throw SDError(.incompatible, "\(name) did not say how long it took")
    }
    return seconds
  }

  /// Ends the program, whose memory the next one may need.
  deinit {
    try? input.fileHandleForWriting.close()
    process.terminate()
    process.waitUntilExit()
  }

  private func answer() throws(SDError) -> Answer {
    while true {
      if let end = rest.firstIndex(of: 0x0A) {
        let line = Data(rest[..<end])
        rest.removeSubrange(...end)
        guard let answer = try? JSONDecoder().decode(Answer.self, from: line) else {
          throw SDError(.incompatible, "\(name) answers '\(String(decoding: line.prefix(80), as: UTF8.self))'")
        }
        return answer
      }
      let more = output.fileHandleForReading.availableData
      guard !more.isEmpty else { throw SDError(.incompatible, "\(name) has ended without an answer") }
      rest += more
    }
  }
}
