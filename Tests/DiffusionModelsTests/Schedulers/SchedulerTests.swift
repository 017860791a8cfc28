import GraphIR
import Testing

@testable import DiffusionModels

@Suite struct SchedulerTests {
  /// Stable Diffusion 1.5's file.
  private let configuration = try? SchedulerFixture.configuration("sd15")

  private func scheduler(
    _ name: SchedulerName, _ steps: Int, _ change: (inout SchedulerConfiguration) -> Void = { _ in }
  ) throws -> Scheduler {
    var configuration = try #require(configuration)
    change(&configuration)
    return try Scheduler(name, configuration: configuration, steps: steps)
  }

  private func error(
    _ name: SchedulerName, _ steps: Int, _ change: (inout SchedulerConfiguration) -> Void = { _ in }
  ) -> SDError? {
    #expect(throws: SDError.self) { try scheduler(name, steps, change) }
  }

  @Test func knownTimesteps() throws {
    #expect(try scheduler(.pndm, 3).timesteps == [667, 334, 334, 1])
    #expect(try scheduler(.pndm, 1).timesteps == [1])
    #expect(try scheduler(.ddim, 10).timesteps == [901, 801, 701, 601, 501, 401, 301, 201, 101, 1])
    #expect(try scheduler(.euler, 10).timesteps == [999, 888, 777, 666, 555, 444, 333, 222, 111, 0])
    #expect(try scheduler(.heun, 2).timesteps == [999, 0, 0])
    #expect(try scheduler(.dpmSolver, 10).timesteps == [999, 899, 799, 699, 599, 500, 400, 300, 200, 100])
    #expect(try scheduler(.dpmSolverKarras, 10).timesteps == [999, 916, 815, 687, 523, 327, 146, 41, 7, 0])
    #expect(try scheduler(.lcm, 4).timesteps == [999, 759, 499, 259])
    #expect(
      try scheduler(.pndm, 4) { $0.skipPRKSteps = false }.timesteps
        == [751, 626, 626, 501, 501, 376, 376, 251, 251, 126, 126, 1, 1])
  }

  /// Here numpy.arange makes a number too many, and the reference a timestep of -1.
  @Test(arguments: [61, 103, 121, 457])
  func trailingSpacingHasAsManyTimestepsAsSteps(steps: Int) throws {
    let timesteps = try scheduler(.ddim, steps) { $0.timestepSpacing = .trailing }.timesteps
    #expect(timesteps.count == steps)
    #expect(timesteps.first == 999)
    #expect(timesteps.allSatisfy { $0 >= 0 })
  }

  @Test func initialNoise() throws {
    #expect(try scheduler(.pndm, 20).initNoiseSigma == 1)
    #expect(abs(try scheduler(.lms, 20).initNoiseSigma - 14.614647) < 1e-5)
    let leading = try scheduler(.euler, 10) { $0.timestepSpacing = .leading }
    #expect(abs(leading.initNoiseSigma - 8.450066) < 1e-5)
  }

  @Test func modelInputHasUnitVariance() throws {
    let euler = try scheduler(.euler, 5)
    let sigma = euler.initNoiseSigma
    let input = euler.scaleModelInput([sigma, -2 * sigma], at: 0)
    #expect(abs(input[0] - sigma / (sigma * sigma + 1).squareRoot()) < 1e-6)
    #expect(input[1] == -2 * input[0])
    #expect(try scheduler(.ddim, 5).scaleModelInput([3], at: 0) == [3])
  }

  @Test func rowsAreAsShortAsTheirFormulas() throws {
    let euler = try scheduler(.euler, 5).rows
    #expect(euler.allSatisfy { $0.assignments.count == 1 && $0.assignments[0].form.terms.count == 2 })
    // LMS keeps one derivative a call and reads up to four.
    let lms = try scheduler(.lms, 6).rows
    #expect(lms.map { $0.assignments.count } == [2, 2, 2, 2, 2, 2])
    #expect(lms.map { $0.assignments[1].form.terms.count } == [2, 3, 4, 5, 5, 5])
    // To σ = 0 the answer is the predicted clean sample itself.
    let last = try #require(try scheduler(.dpmSolver, 20).rows.last?.assignments.last)
    #expect(last.form == .slot(1))
  }

  @Test func configurationNamesItsScheduler() throws {
    for (className, name) in [
      ("PNDMScheduler", SchedulerName.pndm), ("DDIMScheduler", .ddim), ("LMSDiscreteScheduler", .lms),
      ("EulerDiscreteScheduler", .euler), ("EulerAncestralDiscreteScheduler", .eulerAncestral),
      ("HeunDiscreteScheduler", .heun), ("DPMSolverMultistepScheduler", .dpmSolver),
      ("UniPCMultistepScheduler", .unipc), ("LCMScheduler", .lcm),
    ] {
      let scheduler = try Scheduler(configuration: SchedulerConfiguration(className: className), steps: 10)
      #expect(scheduler.name == name)
    }
    var karras = SchedulerConfiguration(className: "DPMSolverMultistepScheduler")
    karras.useKarrasSigmas = true
    #expect(try SchedulerName(of: karras) == .dpmSolverKarras)
    let error = #expect(throws: SDError.self) {
      try Scheduler(configuration: SchedulerConfiguration(className: "DDPMScheduler"), steps: 10)
    }
    #expect(error?.code == .incompatible)
    #expect(
      error?.description == """
        the model's scheduler is of the class "DDPMScheduler", which is not supported; supported: PNDMScheduler, \
        DDIMScheduler, LMSDiscreteScheduler, EulerDiscreteScheduler, EulerAncestralDiscreteScheduler, \
        HeunDiscreteScheduler, DPMSolverMultistepScheduler, UniPCMultistepScheduler, LCMScheduler
          ask for another scheduler by name: pndm ddim lms euler euler-a heun dpm++2m dpm++2m-karras unipc lcm
        """)
  }

  @Test func unknownNames() {
    #expect(throws: Never.self) { try SchedulerName("dpm++2m-karras") }
    let error = #expect(throws: SDError.self) { try SchedulerName("eular") }
    #expect(
      error
        == SDError(
          .usage,
          "there is no scheduler \"eular\"; known: pndm ddim lms euler euler-a heun dpm++2m dpm++2m-karras unipc lcm",
          hint: "did you mean euler?"))
    #expect(throws: SDError.self) { try SchedulerName("turbo") }
    #expect((#expect(throws: SDError.self) { try SchedulerName("turbo") })?.hint == nil)
  }

  @Test func numbersOfSteps() {
    for steps in [0, -3, 1001, .max, .min] {
      #expect(
        error(.euler, steps) == SDError(.usage, "scheduler euler takes 1 ... 1000 steps, not \(steps)"))
    }
    #expect(error(.lcm, 51) == SDError(.usage, "scheduler lcm takes 1 ... 50 steps, not 51"))
    #expect(
      error(.pndm, 3) { $0.skipPRKSteps = nil }
        == SDError(.usage, "scheduler pndm takes 4 ... 1000 steps, not 3"))
    #expect(
      error(.ddim, 1000)
        == SDError(
          .usage, "so many steps put one at timestep 1000, behind the last one of training, 999",
          hint: "take fewer steps: timestep_spacing leading adds steps_offset to every timestep"))
  }

  @Test func unsupportedOptions() {
    #expect(
      error(.pndm, 10) { $0.predictionType = .sample }
        == SDError(
          .incompatible,
          "scheduler pndm is not defined for prediction_type sample, only for epsilon and v_prediction"))
    #expect(error(.eulerAncestral, 10) { $0.predictionType = .sample }?.code == .incompatible)
    #expect(
      error(.dpmSolver, 10) { $0.algorithmType = .dpmSolver }
        == SDError(
          .incompatible,
          "scheduler dpm++2m: algorithm_type dpmsolver is not supported; supported: dpmsolver++, sde-dpmsolver++"
        ))
    #expect(
      error(.unipc, 10) { $0.predictX0 = false }
        == SDError(.incompatible, "scheduler unipc: predict_x0 false is not supported"))
    #expect(
      error(.unipc, 10) { $0.useFlowSigmas = true }
        == SDError(
          .incompatible,
          "scheduler unipc: use_flow_sigmas is for flow-matching models, which are not supported"))
    #expect(
      error(.dpmSolverKarras, 10) { $0.useBetaSigmas = true }
        == SDError(
          .invalid,
          "scheduler configuration: use_karras_sigmas and use_beta_sigmas are both true; at most one may be"))
    #expect(
      error(.lcm, 10) {
        $0.numTrainTimesteps = 30
        $0.originalInferenceSteps = nil
      }
        == SDError(
          .invalid,
          "scheduler lcm: original_inference_steps is 50; it must be at most num_train_timesteps, 30"))
  }

  @Test func coefficientsThatAreNotFinite() {
    #expect(
      error(.ddim, 10) {
        $0.rescaleBetasZeroSNR = true
        $0.timestepSpacing = .trailing
      }
        == SDError(
          .invalid,
          "scheduler ddim: the configuration leads to a coefficient that is not finite at timestep 999.0",
          hint: "take fewer steps; zero SNR needs a model that predicts velocity"))
    #expect(
      error(.euler, 10) {
        $0.trainedBetas = [Double](repeating: 0, count: 1000)
        $0.predictionType = .sample
      }?.code == .invalid)
    #expect(
      error(.dpmSolverKarras, 10) { $0.trainedBetas = [Double](repeating: 1, count: 1000) }?.code == .invalid)
    #expect(error(.dpmSolver, 1000) { $0.timestepSpacing = .leading }?.code == .invalid)
  }

  /// The extremes of what a configuration may say either give a scheduler or an error, never a trap.
  @Test(arguments: SchedulerName.allCases)
  func extremeConfigurations(name: SchedulerName) {
    var configurations: [SchedulerConfiguration] = []
    for spacing in SchedulerConfiguration.TimestepSpacing.allCases {
      for train in [1, 2, 7, 60] {
        for spread in 0..<5 {
          var configuration = SchedulerConfiguration(className: "")
          configuration.timestepSpacing = spacing
          configuration.numTrainTimesteps = train
          configuration.useKarrasSigmas = spread == 1
          configuration.useExponentialSigmas = spread == 2
          configuration.useBetaSigmas = spread == 3
          configuration.useLuLambdas = spread == 4
          configuration.stepsOffset = spread
          configuration.lambdaMinClipped = spread == 4 ? 50 : nil
          configuration.originalInferenceSteps = 1
          configurations.append(configuration)
        }
      }
    }
    for configuration in configurations {
      for steps in [1, 2, 5, 60] {
        guard let scheduler = try? Scheduler(name, configuration: configuration, steps: steps) else {
          continue
        }
        #expect(!scheduler.timesteps.isEmpty)
        _ = SchedulerFixture.run(scheduler)
      }
    }
  }
}
