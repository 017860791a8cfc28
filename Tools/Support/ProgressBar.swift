import DiffusionModels
import GraphRuntime

/// How far long work is: a bar with rate and time left on a terminal, drawn up to twenty times a second, plain lines
/// elsewhere.
public final class ProgressBar: @unchecked Sendable {
  private let title: String
  private let isQuiet: Bool
  private var start = Profile.now()
  private var lastLine = -1.0, lastBar = -1.0

  /// A bar for work of that name; a quiet one prints nothing.
  public init(_ title: String, isQuiet: Bool = false) {
    (self.title, self.isQuiet) = (title, isQuiet)
  }

  /// Shows that `done` of `total` units are done; nothing before the first, when there is no rate. The clock starts with
  /// the bar, and again at 0.
  public func update(_ done: Int, of total: Int, unit: String) {
    if done == 0 { start = Profile.now() }
    guard !isQuiet, done > 0, total > 0 else { return }
    let seconds = max(1e-9, Profile.now() - start)
    let rate = Double(done) / seconds
    let left = Double(total - done) / rate
    let numbers =
      "\(done)/\(total) \(unit), \(rate >= 1 ? "\(decimal(rate, 2)) \(unit)/s" : "\(decimal(1 / max(rate, 1e-9), 2)) s/\(unit)")"
    if StandardError.isTerminal {
      guard done == total || Profile.now() - lastBar >= 0.05 else { return }
      lastBar = Profile.now()
      let width = 30
      let filled = width * done / total
      let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
      let end = done == total ? "\n" : ""
      StandardError.write("\r\u{1B}[K\(title) [\(bar)] \(numbers), \(time(left)) left\(end)")
    } else if Double(done) / Double(total) - lastLine >= 0.1 || done == total {
      lastLine = Double(done) / Double(total)
      StandardError.print("\(title): \(numbers), \(time(left)) left")
    }
  }

  private func time(_ seconds: Double) -> String {
    let whole = Int(seconds.rounded())
    return "\(whole / 60):\(whole % 60 < 10 ? "0" : "")\(whole % 60)"
  }
}
