import DiffusionModels
import GraphIR
import GraphPasses
import ToolSupport

/// The measurements of a plan, as a table for people and as lines of JSON for programs.
struct Report {
  var plan: String
  var info: PlanInfo
  var threads: Int
  /// Whether the peak is this processor's, measured, and not a GPU's.
  var isPeakMeasured = true
  /// For every component a row of the best instruction set, then the others, then the peers.
  var rows: [[Measurement]]

  /// One table.
  var text: String {
    var lines = [
      "\(plan): \(info.model), \(info.precision.rawValue), \(threads) thread\(threads == 1 ? "" : "s")",
      Report.line("component", "by", ["median s", "min s", "max s", "TFLOP/s", "% of peak", "GB", "MiB", "ours/its"]),
    ]
    for rows in rows {
      for (index, row) in rows.enumerated() {
        lines.append(Report.line(index == 0 ? row.component.rawValue : "", row))
      }
    }
    let best = rows.compactMap(\.first)
    let peak = best.map(\.peakFLOPS).max() ?? 0
    let origin = isPeakMeasured ? "measured" : "by the data sheet"
    let text = peak > 0 ? "peak \(decimal(peak / 1e12, 3)) TFLOP/s \(origin)" : "no peak is known"
    lines.append("\(text), memory \(Report.mebi(best.compactMap(\.memory).max() ?? 0)) MiB")
    return lines.joined(separator: "\n")
  }

  /// A line for each instruction set; that of the best one has the peers.
  func json() throws(SDError) -> [String] {
    var lines: [String] = []
    for name in rows.first?.filter({ $0.bytes != nil }).map(\.name) ?? [] {
      let own = rows.flatMap { $0.filter { $0.name == name } }
      let peers = lines.isEmpty ? rows.flatMap { $0.filter { $0.bytes == nil } } : []
      lines.append(
        try Line(
          plan: plan, model: info.model, precision: info.precision.rawValue, threads: threads, cpu: name,
          components: own.map(Line.Row.init), peers: peers.isEmpty ? nil : peers.map(Line.Row.init),
          calibratedTFLOPS: (own.map(\.peakFLOPS).max() ?? 0) / 1e12,
          peakRSS: rows.compactMap { $0.first?.memory }.max() ?? 0
        ).json())
    }
    return lines
  }

  private static func line(_ component: String, _ row: Measurement) -> String {
    if let failure = row.failure { return "\(left(component, 13))\(left(row.name, 9))  not measured: \(failure)" }
    return line(
      component, row.name,
      [
        decimal(row.timings.median, 5), decimal(row.timings.min, 5), decimal(row.timings.max, 5),
        decimal(row.flopsPerSecond / 1e12, 3), decimal(100 * row.peakFraction, 1),
        row.bytes.map { decimal(Double($0) / 1e9, 3) } ?? "", row.memory.map(mebi) ?? "",
        row.ratio.map { decimal($0, 2) } ?? "",
      ])
  }

  private static func line(_ component: String, _ name: String, _ cells: [String]) -> String {
    let text = left(component, 13) + left(name, 9) + cells.map { right($0, 10) }.joined()
    return String(text.reversed().drop { $0 == " " }.reversed())
  }

  private static func mebi(_ bytes: Int) -> String { decimal(Double(bytes) / 1_048_576, 0) }

  private static func left(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  private static func right(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}

/// What a program reads.
private struct Line: Encodable {
  struct Row: Encodable {
    var name: String
    var peer: String?
    var median: Double?
    var min: Double?
    var max: Double?
    var tflops: Double?
    var peakFraction: Double?
    var bytes: Int?
    var peakRSS: Int?
    var ratio: Double?
    var failure: String?

    init(_ row: Measurement) {
      name = row.component.rawValue
      peer = row.bytes == nil ? row.name : nil
      (bytes, peakRSS, ratio, failure) = (row.bytes, row.memory, row.ratio, row.failure)
      guard failure == nil else { return }
      (median, min, max) = (row.timings.median, row.timings.min, row.timings.max)
      (tflops, peakFraction) = (row.flopsPerSecond / 1e12, row.peakFraction)
    }

    enum CodingKeys: String, CodingKey {
      case name, peer, tflops, bytes, ratio, failure
      case median = "median_s"
      case min = "min_s"
      case max = "max_s"
      case peakFraction = "peak_fraction"
      case peakRSS = "peak_rss_bytes"
    }
  }

  var plan: String
  var model: String
  var precision: String
  var threads: Int
  var cpu: String
  var components: [Row]
  var peers: [Row]?
  var calibratedTFLOPS: Double
  var peakRSS: Int

  enum CodingKeys: String, CodingKey {
    case plan, model, precision, threads, cpu, components, peers
    case calibratedTFLOPS = "calibrated_tflops"
    case peakRSS = "peak_rss_bytes"
  }
}
