import Glibc
import GraphIR

/// What every step of every run cost; collected only when somebody asks.
package final class Profile {
  /// One run of one step.
  package struct Event: Sendable {
    /// The graph.
    package let graph: String
    /// The step's kernel.
    package let kernel: String
    /// Where the model declared it.
    package let location: String
    /// Microseconds since the profile was made.
    package let start: Double
    /// Microseconds.
    package let duration: Double
    /// Floating-point operations.
    package let flops: Int
    /// Bytes that it must move at least.
    package let bytes: Int
  }

  /// All events in order of time.
  package private(set) var events: [Event] = []
  private let origin = Profile.now()

  /// An empty profile.
  package init() {}

  /// Runs one step and notes what it cost.
  package func measure(_ program: Program, step index: Int, _ body: () -> Void) {
    let start = Profile.now()
    body()
    add(program, step: index, seconds: Profile.now() - start)
  }

  /// Notes a step that took so long and has just ended.
  func add(_ program: Program, step index: Int, seconds: Double) {
    let step = program.steps[index]
    events.append(
      Event(
        graph: program.graph.name, kernel: step.kernel.name, location: step.location,
        start: (Profile.now() - seconds - origin) * 1e6, duration: seconds * 1e6, flops: step.flops,
        bytes: step.bytes))
  }

  /// Seconds on the monotonic clock.
  package static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
