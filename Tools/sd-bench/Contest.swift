import DiffusionModels
import Foundation
import GraphIR
import GraphPasses
import GraphRuntime

/// What was measured of one program that computes a component.
struct Measurement {
  /// Instruction set or name of the peer.
  var name: String
  var component: Component
  var timings = Timings()
  var flops = 0
  /// Bytes that a run reads and writes; only our own are known.
  var bytes: Int?
  /// The calibrated peak of the same threads; 0 where none is known.
  var peakFLOPS = 0.0
  /// The most memory that the process had, in bytes; for instruction sets that of the best one, which is alone.
  var memory: Int?
  /// Our time divided by this one's.
  var ratio: Double?
  /// Why there are no timings.
  var failure: String?

  var flopsPerSecond: Double { Double(flops) / max(timings.median, 1e-9) }
  var peakFraction: Double { peakFLOPS > 0 ? flopsPerSecond / peakFLOPS : 0 }
}

/// Measures the components of a plan: on instruction sets of this processor and by peers, in turns, in one sitting.
struct Contest {
  var plan: String
  /// The instruction sets; the best comes first.
  var cpus: [CPU]
  /// Where the plan runs; the instruction set is of no consequence on a GPU.
  var device = DeviceName.cpu
  var threads: Int?
  var runs: Int
  /// The command that runs peers, if they are to take part.
  var peers: String?

  /// Who is seen to need so many seconds, and more than four times as long as the best, runs once; when all others are
  /// done, if its first run, to warm up, has shown it.
  private static let patience = 30.0
  /// Threads of a program that has just run spin for a while. The next one begins when they sleep.
  private static let pause = 0.5

  /// Measures one component; the first row is that of the best instruction set.
  ///
  /// - Throws: `SDError` when our own programs fail; a peer that fails is a row that says so.
  func measure(_ component: Component) throws(SDError) -> [Measurement] {
    var contestants: [Contestant] = []
    var models: [CompiledModel] = []
    ProcessMemory.resetPeak()
    for cpu in cpus {
      // Opened here, because pages of a plan count once for each time that it is mapped: the best is alone so far.
      let model = try open(cpu)
      models.append(model)
      let subject = try Benchmark(model).prepare(component)
      var measurement = Measurement(
        name: model.isOnCPU ? cpu.level.rawValue : model.deviceName, component: component)
      (measurement.flops, measurement.bytes) = (subject.flops, subject.bytes)
      measurement.peakFLOPS = try model.peakFLOPS()
      if contestants.isEmpty { measurement.memory = ProcessMemory.peakBytes }
      contestants.append(Contestant(measurement) { () throws(SDError) in try subject.run() })
    }
    let flops = contestants.first?.measurement.flops ?? 0
    if let model = models.first, let peers {
      for name in peerNames(component, model.info.precision(of: component)) {
        contestants.append(try peer(name, peers, component, flops, model))
      }
    }
    try takeTurns(contestants)
    for (contestant, model) in zip(contestants, models) {
      contestant.measurement.peakFLOPS = max(contestant.measurement.peakFLOPS, try model.peakFLOPS())
    }
    return try results(of: contestants)
  }

  /// The plan on an instruction set.
  func open(_ cpu: CPU) throws(SDError) -> CompiledModel {
    var options = CompiledModel.Options()
    (options.threads, options.cpu, options.device) = (threads, cpu, device)
    return try CompiledModel(plan: plan, options)
  }

  private func takeTurns(_ contestants: [Contestant]) throws(SDError) {
    var last = contestants.last
    func takeTurn(_ next: Contestant) throws(SDError) {
      guard next.measurement.failure == nil else { return }
      if let last, last !== next, last.isPeer || next.isPeer { Thread.sleep(forTimeInterval: Contest.pause) }
      try next.takeTurn()
      last = next
    }
    for _ in 0..<runs {
      for next in contestants where !isSlow(next, beside: contestants[0]) { try takeTurn(next) }
    }
    for next in contestants where next.measurement.timings.seconds.isEmpty { try takeTurn(next) }
  }

  private func isSlow(_ contestant: Contestant, beside best: Contestant) -> Bool {
    contestant.seconds > max(Contest.patience, 4 * best.seconds)
  }

  private func results(of contestants: [Contestant]) throws(SDError) -> [Measurement] {
    let best = contestants.first?.measurement
    var rows: [Measurement] = []
    for contestant in contestants {
      try contestant.finish()
      var row = contestant.measurement
      row.peakFLOPS = max(row.peakFLOPS, contestant.isPeer ? best?.peakFLOPS ?? 0 : 0)
      if let best, !rows.isEmpty, row.failure == nil { row.ratio = best.timings.median / max(row.timings.median, 1e-9) }
      rows.append(row)
    }
    return rows
  }

  /// The peers compute what is most of the work, and in their own precisions only.
  private func peerNames(_ component: Component, _ precision: Precision) -> [String] {
    guard [.unet, .vaeDecoder].contains(component) else { return [] }
    if device != .cpu { return ["torch"] }
    return precision == .fp16 ? [] : ["openvino", "torch", "sd.cpp"]
  }

  private func peer(
    _ name: String, _ command: String, _ component: Component, _ flops: Int, _ model: CompiledModel
  ) throws(SDError) -> Contestant {
    var measurement = Measurement(name: name, component: component, flops: flops)
    do throws(SDError) {
      let arguments = [
        name, component.rawValue, model.info.precision(of: component).rawValue, "--size",
        try model.chosen(nil).description,
        "--batch", "\(model.info.batch)", "--context", "\(model.info.contextWidth)", "--threads", "\(model.threads)",
        "--device", model.deviceName, "--serve",
      ]
      let peer = try Peer(name, command: command, arguments)
      let warmUp = try peer.waitUntilReady()
      return Contestant(measurement, peer: peer, warmUp: warmUp) { () throws(SDError) in try peer.run() }
    } catch {
      guard error.code != .cancelled else { throw error }
      measurement.failure = error.message
      return Contestant(measurement) { () throws(SDError) in throw error }
    }
  }
}

/// Who takes turns.
private final class Contestant {
  var measurement: Measurement
  private var peer: Peer?
  private let warmUp: Double
  private let run: () throws(SDError) -> Double

  init(
    _ measurement: Measurement, peer: Peer? = nil, warmUp: Double = 0, run: @escaping () throws(SDError) -> Double
  ) {
    (self.measurement, self.peer, self.warmUp, self.run) = (measurement, peer, warmUp, run)
  }

  var isPeer: Bool { peer != nil }

  /// How long it takes, as far as is known.
  var seconds: Double { measurement.timings.seconds.isEmpty ? warmUp : measurement.timings.median }

  func takeTurn() throws(SDError) {
    try surviving { () throws(SDError) in measurement.timings.seconds.append(try run()) }
  }

  func finish() throws(SDError) {
    guard let peer, measurement.failure == nil else { return }
    try surviving { () throws(SDError) in measurement.memory = try peer.finish() }
  }

  /// A peer's failure is noted; our own, and a signal, end the contest.
  private func surviving(_ work: () throws(SDError) -> Void) throws(SDError) {
    do {
      try work()
    } catch {
      guard isPeer, error.code != .cancelled else { throw error }
      measurement.failure = error.message
    }
  }
}
