import CKernels

/// How many processors this process can use.
package enum AvailableProcessors {
  /// Those that it may run on, but no more than its control group has time for, as in a container: threads beyond that would
  /// only wait for each other.
  package static let count = min(Int(ck_processors()), quota(SystemFile.text("/sys/fs/cgroup/cpu.max")) ?? .max)

  /// Processors, rounded up, that a `cpu.max` allows: time and period in microseconds, or `max` and a period. nil is no limit.
  static func quota(_ text: String?) -> Int? {
    let numbers = (text ?? "").split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
    guard numbers.count == 2, numbers[0] > 0, numbers[1] > 0 else { return nil }
    return (numbers[0] - 1) / numbers[1] + 1
  }
}
