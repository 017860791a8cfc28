import DiffusionModels
import GraphIR

/// What is printed for one plan.
struct Report: Encodable {
  /// One program on one component.
  struct Row: Encodable {
    var name: String
    /// The instruction set, or the peer.
    var program: String
    var median: Double
    var min: Double
    var max: Double
    var tflops: Double
    var peakFraction: Double
    /// Bytes that the kernels read and write; none are known of a peer.
    var bytes: Int?
    /// The best level's median divided by this program's.
    var ratio: Double?

    init(_ name: String, _ program: String, seconds: [Double], flops: Int, bytes: Int?, peak: Double) {
      (self.name, self.program, self.bytes) = (name, program, bytes)
      let sorted = seconds.sorted()
      let middle = sorted.count / 2
      median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
      (min, max) = (sorted[0], sorted[sorted.count - 1])
      tflops = Double(flops) / Swift.max(median, 1e-9) / 1e12
      peakFraction = tflops * 1e12 / Swift.max(peak, 1)
    }

    enum CodingKeys: String, CodingKey {
      case name, program, tflops, bytes, ratio
      case median = "median_s"
      case min = "min_s"
      case max = "max_s"
      case peakFraction = "peak_fraction"
    }
  }

  var plan: String
  var precision: String
  /// The best level that was timed.
  var cpu: String
  var components: [Row] = []
  /// Peers that could not be timed, and why.
  var missing: [String] = []
  var calibratedTFLOPS = 0.0
  var peakRSS = 0

  enum CodingKeys: String, CodingKey {
    case plan, precision, cpu, components, missing
    case calibratedTFLOPS = "calibrated_tflops"
    case peakRSS = "peak_rss_bytes"
  }

  var text: String {
    let titles = ["median s", "min s", "max s", "TFLOP/s", "% of peak", "MiB moved", "best/this"]
    var lines = [
      "\(plan), \(precision)", pad("component", 13) + pad("program", 10) + titles.map { left($0, 10) }.joined(),
    ]
    for row in components {
      let numbers = [
        decimal(row.median, 4), decimal(row.min, 4), decimal(row.max, 4), decimal(row.tflops, 3),
        decimal(100 * row.peakFraction, 1), row.bytes.map(mebi) ?? "", row.ratio.map { decimal($0, 2) } ?? "",
      ]
      lines.append(pad(row.name, 13) + pad(row.program, 10) + numbers.map { left($0, 10) }.joined())
    }
    lines += missing
    lines.append("peak \(decimal(calibratedTFLOPS, 3)) TFLOP/s measured, memory \(mebi(peakRSS)) MiB")
    return lines.joined(separator: "\n")
  }

  private func mebi(_ bytes: Int) -> String { decimal(Double(bytes) / 1_048_576, 0) }
  private func left(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: Swift.max(0, width - text.count)) + text
  }
  private func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: Swift.max(0, width - text.count))
  }
}
