internal import CKernels
package import GraphIR

/// SIGINT, SIGTERM and SIGHUP as a flag that long work looks at. For the command-line tools; the library itself
/// installs no handler.
package enum Interruption {
  /// From now on the first of these signals only sets `signal`; the second removes the temporary files of all
  /// `AtomicFile`s and ends the process with 128 + its number. SIGHUP stays ignored where it is (nohup).
  package static func `catch`() { ck_catch_signals() }

  /// The number of the signal that arrived, nil if none did.
  package static var signal: Int32? {
    let number = ck_interrupted()
    return number == 0 ? nil : number
  }
}

extension Interruption {
  /// What long work throws when a signal has arrived or its task was cancelled.
  package static var error: SDError? {
    if let signal { return SDError(.cancelled, "stopped by signal \(signal)") }
    return Task.isCancelled ? SDError(.cancelled, "the task was cancelled") : nil
  }
}
