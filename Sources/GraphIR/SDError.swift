/// The one error type of the project: what happened, where, and what to do about it.
///
/// `message` is a whole sentence that names the file, tensor or operation, what was required and what
/// was received. `code` says to which family it belongs; the command-line tools exit with it.
public struct SDError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The families of errors; the raw value is the exit code of the tools.
  public enum Code: Int32, Sendable, CaseIterable {
    /// The call itself is wrong: an option, a value out of range.
    case usage = 2
    /// An input file is damaged, or says something that no valid file says.
    case invalid = 3
    /// A valid input that this build, machine or model cannot use.
    case incompatible = 4
    /// Memory, disk or permission is missing.
    case resources = 5
    /// A compute device failed.
    case device = 6
    /// A result is not a number.
    case numerics = 7
    /// Stopped from outside before it was done; by SIGINT the tools exit with this code.
    case cancelled = 130
  }

  /// The family, and with it the exit code.
  public var code: Code
  /// What happened and where: required and received.
  public var message: String
  /// What the reader can do about it; printed behind the message.
  public var hint: String?

  /// Makes an error of a family from its sentence.
  public init(_ code: Code, _ message: String, hint: String? = nil) {
    self.code = code
    self.message = message
    self.hint = hint
  }

  /// The message, followed by the hint on a line of its own.
  public var description: String {
    hint.map { "\(message)\n  \($0)" } ?? message
  }
}
