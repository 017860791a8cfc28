import GraphIR
package import GraphRuntime

/// Where the time of a run went: Chrome's trace format, and a table of kernels by time lost.
package struct Trace: Sendable {
  private let events: [Profile.Event]
  private let peakFlops: Double
  /// Bytes per second that one may hope to move.
  private let bandwidth: Double

  package init(_ profile: Profile, peakFlops: Double, bandwidth: Double) {
    (events, self.peakFlops, self.bandwidth) = (profile.events, peakFlops, bandwidth)
  }

  /// Chrome trace JSON; Perfetto and chrome://tracing open it.
  package var json: String {
    var lines = events.map { event in
      let arguments = "{\"location\":\(JSON.quoted(event.location)),\"flops\":\(event.flops),\"bytes\":\(event.bytes)}"
      return
        "{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"name\":\(JSON.quoted(event.kernel)),\"cat\":\(JSON.quoted(event.graph)),"
        + "\"ts\":\(decimal(event.start, 3)),\"dur\":\(decimal(event.duration, 3)),\"args\":\(arguments)}"
    }
    lines.insert("{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"sd-run\"}}", at: 0)
    return "{\"traceEvents\":[\n\(lines.joined(separator: ",\n"))\n]}\n"
  }

  /// One line a kind of kernel and graph, the one that loses most time first. Time lost is time beyond the roofline: the longer of
  /// FLOPs at the measured peak and bytes at the bandwidth.
  package var table: String {
    var rows: [String: (calls: Int, time: Double, floor: Double, flops: Int)] = [:]
    for event in events {
      let floor = max(Double(event.flops) / peakFlops, Double(event.bytes) / bandwidth) * 1e6
      var row = rows["\(event.graph) \(event.kernel)"] ?? (0, 0, 0, 0)
      row = (row.calls + 1, row.time + event.duration, row.floor + min(floor, event.duration), row.flops + event.flops)
      rows["\(event.graph) \(event.kernel)"] = row
    }
    let total = events.reduce(0) { $0 + $1.duration }
    var lines = ["   ms total   ms lost   % time   GFLOP/s   calls  graph and kernel"]
    for (name, row) in rows.sorted(by: { $0.value.time - $0.value.floor > $1.value.time - $1.value.floor }) {
      let columns = [
        padded(decimal(row.time / 1e3, 1), 11), padded(decimal((row.time - row.floor) / 1e3, 1), 10),
        padded(decimal(100 * row.time / max(total, 1e-9), 1), 9),
        padded(decimal(Double(row.flops) / max(row.time, 1e-9) / 1e3, 1), 10), padded("\(row.calls)", 8),
      ]
      lines.append(columns.joined() + "  " + name)
    }
    lines.append(
      "roofline: \(decimal(peakFlops / 1e9, 0)) GFLOP/s, \(decimal(bandwidth / 1e9, 0)) GB/s")
    return lines.joined(separator: "\n")
  }

  private func padded(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}

extension CompiledModel {
  /// Where the time went, when the model was opened to be profiled.
  package var trace: Trace? {
    get throws(SDError) {
      guard let profile else { return nil }
      return Trace(profile, peakFlops: try peakFLOPS(), bandwidth: try device.bandwidth())
    }
  }
}
