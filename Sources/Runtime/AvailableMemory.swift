import Glibc
package import GraphIR

/// How much memory this process can still take.
package enum AvailableMemory {
  /// Bytes: the smaller of what the system and the control group have left; nil when neither says.
  package static var bytes: Int? {
    if let forced = Debug.availableMemory { return forced }
    let system = SystemFile.text("/proc/meminfo")?.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
      .flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) }.map { $0 << 10 }
    var group: Int?
    if let limit = number("/sys/fs/cgroup/memory.max"), let used = number("/sys/fs/cgroup/memory.current") {
      group = max(0, limit - used)
    }
    return [system, group].compactMap(\.self).min()
  }

  /// Refuses work that needs more than there is.
  ///
  /// - Throws: `SDError` (resources) with the numbers.
  package static func check(_ needs: [(what: String, bytes: Int)]) throws(SDError) {
    if let available = bytes { try check(needs, available: available) }
  }

  /// Refuses work that needs more than is available, be it on a GPU.
  ///
  /// - Throws: `SDError` (resources, or device for a GPU) with the numbers.
  static func check(
    _ needs: [(what: String, bytes: Int)], available: Int, on device: String? = nil
  ) throws(SDError) {
    let total = needs.reduce(0) { $0 + $1.bytes }
    guard total > available else { return }
    let parts = needs.map { "\($0.what) \(size($0.bytes))" }.joined(separator: ", ")
    throw SDError(
      device == nil ? .resources : .device,
      "needs \(size(total)) of memory\(device.map { " on \($0)" } ?? "") (\(parts)); \(size(available)) are available",
      hint: "Compile for a smaller --size or --batch, or with --precision bf16.")
  }

  /// `3.2 GiB`, or `310.5 MiB` below one GiB.
  private static func size(_ bytes: Int) -> String {
    let (unit, name) = bytes >= 1 << 30 ? (1 << 30, "GiB") : (1 << 20, "MiB")
    let tenths = (Double(bytes) / Double(unit) * 10).rounded()
    return "\(tenths / 10) \(name)"
  }

  private static func number(_ path: String) -> Int? {
    SystemFile.text(path).flatMap { Int($0.split(separator: "\n").first ?? "") }
  }
}

/// What this process has taken.
package enum ProcessMemory {
  /// The largest resident set so far, in bytes.
  package static var peakBytes: Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Int(usage.ru_maxrss) << 10
  }

  /// Counts the peak from now on, where the system lets a process do that.
  package static func resetPeak() {
    let descriptor = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    // A refusal leaves the peak of the whole run, which is still an upper bound.
    _ = write(descriptor, "5", 1)
  }
}
