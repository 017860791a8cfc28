import Testing

@testable import DiffusionModels

/// Whole runs against diffusers on a toy model; see Tools/reference/schedulers.py.
@Suite struct SchedulerParityTests {
  /// Runs in the fixture of each scheduler.
  private static let counts: [SchedulerName: Int] = [
    .pndm: 62, .ddim: 111, .lms: 124, .euler: 136, .eulerAncestral: 67, .heun: 130, .dpmSolver: 173,
    .dpmSolverKarras: 138, .unipc: 155, .lcm: 117,
  ]

  /// The reference ran in Float64 with coefficients of Float32. The limit is 2e-12, 4e-11 from σ = 4096 on
  /// where those coefficients count, or eight times what Float32 samples cost the reference itself.
  @Test(arguments: SchedulerName.allCases)
  func runsMatchTheReference(name: SchedulerName) throws {
    let runs = try SchedulerFixture.cases(of: name)
    #expect(runs.count == Self.counts[name])
    for run in runs {
      let label = "\(name.rawValue), \(run.configuration), \(run.prediction), \(run.steps) steps"
      let configuration = try SchedulerFixture.configuration(run.configuration, prediction: run.prediction)
      let scheduler = try Scheduler(name, configuration: configuration, steps: run.steps)
      #expect(abs(Double(scheduler.initNoiseSigma) - run.`init`) <= 2e-7 * run.`init`, "\(label)")
      #expect(scheduler.timesteps.count == run.timesteps.count, "\(label)")
      for (ours, theirs) in zip(scheduler.timesteps, run.timesteps) {
        #expect(abs(ours - theirs) <= 1e-6 * max(theirs, 1), "\(label)")
      }
      let limit = max(run.configuration == "zero-snr" ? 4e-11 : 2e-12, 8 * run.rounding)
      #expect(nmse(SchedulerFixture.run(scheduler), run.sample) <= limit, "\(label)")
    }
  }

  @Test func indexZeroBeginsANewRun() throws {
    let configuration = try SchedulerFixture.configuration("sd15")
    for name in SchedulerName.allCases {
      var scheduler = try Scheduler(name, configuration: configuration, steps: 6)
      let fresh = SchedulerFixture.run(scheduler)
      for index in scheduler.timesteps.indices {
        let sample = [Float](repeating: Float(index), count: 16)
        _ = scheduler.step(sample, at: index, sample: sample) { [Float](repeating: 9, count: $0) }
      }
      #expect(SchedulerFixture.run(scheduler) == fresh, "\(name.rawValue)")
    }
  }

  @Test func noiseIsDrawnWhenTheReferenceDraws() throws {
    var sde = try SchedulerFixture.configuration("sd15")
    sde.algorithmType = .sdeDPMSolverPP
    let plain = try SchedulerFixture.configuration("sd15")
    for name in SchedulerName.allCases {
      let drawn = try Scheduler(name, configuration: plain, steps: 4).rows.map(\.drawsNoise)
      switch name {
      case .eulerAncestral: #expect(drawn == [true, true, true, true])
      case .lcm: #expect(drawn == [true, true, true, false])
      default: #expect(!drawn.contains(true), "\(name.rawValue)")
      }
    }
    #expect(
      try Scheduler(.dpmSolver, configuration: sde, steps: 2).rows.map(\.drawsNoise) == [true, true])
  }

  @Test func anErrorOfTheNoiseIsPassedOn() throws {
    struct Empty: Error {}
    var scheduler = try Scheduler(
      .eulerAncestral, configuration: SchedulerFixture.configuration("sd15"), steps: 2)
    #expect(throws: Empty.self) {
      try scheduler.step([1], at: 0, sample: [1]) { (_: Int) throws(Empty) -> [Float] in throw Empty() }
    }
  }
}
