import Foundation
import GraphIR
import TestSupport
import Testing

@testable import sd_bench

/// Peers that are short shell scripts: what they say, and what becomes of those that say something else.
struct PeerTests {
  /// Runs `body` with a peer that is this script.
  private func withPeer(_ script: String, _ body: (Peer) throws -> Void) throws {
    try withTemporaryFolder { folder in
      put(script.utf8, "\(folder)/it's a peer.sh")
      try body(Peer("fake", command: "/bin/sh \"\(folder)/it's a peer.sh\"", ["unet", "--threads", "2"]))
    }
  }

  private func expectFailure(_ script: String, _ sentence: String, sourceLocation: SourceLocation = #_sourceLocation)
    throws
  {
    try withPeer(script) { peer in
      expectError(.device, sentence, sourceLocation: sourceLocation) {
        try peer.waitUntilReady()
        for _ in 0..<2 { _ = try peer.run() }
      }
    }
  }

  @Test func conversation() throws {
    try withPeer(
      """
      echo '{"ready": true}'
      n=0
      while read line; do n=$((n + 1)); echo "{\\"seconds\\": 0.$n}"; done
      echo "{\\"peak_rss\\": 4096, \\"more\\": \\"$*\\"}"
      """
    ) { peer in
      try peer.waitUntilReady()
      #expect(try peer.run() == 0.1)
      #expect(try peer.run() == 0.2)
      #expect(try peer.finish() == 4096)
    }
  }

  @Test func arguments() throws {
    try expectFailure("echo \"$*\" >&2; exit 4", "it ended with code 4: unet --threads 2")
  }

  @Test func deathAtTheStart() throws {
    try expectFailure(
      "echo Traceback >&2; echo \"ModuleNotFoundError: No module named 'torch'\" >&2; echo >&2; exit 1",
      "it ended with code 1: ModuleNotFoundError: No module named 'torch'")
    try expectFailure("exit 3", "it ended with code 3")
  }

  @Test func deathInTheMiddle() throws {
    try expectFailure("echo '{\"ready\": true}'; read line; kill -9 $$", "it was killed by signal 9")
    // A whole run, and gone before it is told of the next.
    try expectFailure(
      "echo '{\"ready\": true}'; read line; echo '{\"seconds\": 1}'; echo enough >&2", "it ended with code 0: enough")
  }

  @Test func nonsense() throws {
    try expectFailure("echo hello; read line", "it answers 'hello', which is not one of the JSON objects of a peer")
    try expectFailure(
      "printf '{\"ready\": '", "it answers '{\"ready\": ', which is not one of the JSON objects of a peer")
    try expectFailure("echo '{\"ready\": false}'; read line", "it does not say that it is ready")
    try expectFailure("echo '{\"ready\": true}'; read l; echo '{}'; read l", "it does not say how long a run took")
    try expectFailure(
      "echo '{\"ready\": true}'; read l; echo '{\"seconds\": -1}'; read l", "it does not say how long a run took")
  }

  @Test func outputWithoutEnd() throws {
    try withPeer("yes x | tr -d '\\n'") { peer in
      let words = String(repeating: "x", count: 80)
      expectError(.device, "it answers '\(words)', which is not one of the JSON objects of a peer") {
        try peer.waitUntilReady()
      }
    }
  }

  @Test func missingCommand() throws {
    let peer = try Peer("fake", command: "/no/such/command", [])
    do {
      try peer.waitUntilReady()
      Issue.record("a command that does not exist is ready")
    } catch {
      #expect(error.message.hasPrefix("it ended with code 127: "), "\(error.message)")
      #expect(error.message.hasSuffix("/no/such/command: not found"), "\(error.message)")
    }
  }

  /// A peer that is not needed any more does not stay.
  @Test func abandoned() throws {
    try withTemporaryFolder { folder in
      put("echo $$ > \(folder)/id; echo '{\"ready\": true}'; exec sleep 600".utf8, "\(folder)/peer.sh")
      try Peer("fake", command: "/bin/sh \(folder)/peer.sh", []).waitUntilReady()
      let text = String(decoding: get("\(folder)/id") ?? [], as: UTF8.self)
      let id = try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
      let deadline = ContinuousClock.now + .seconds(10)
      while kill(id, 0) == 0, ContinuousClock.now < deadline { usleep(10_000) }
      #expect(kill(id, 0) != 0)
    }
  }
}
