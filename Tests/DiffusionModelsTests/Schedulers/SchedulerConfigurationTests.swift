import GraphIR
import Testing

@testable import DiffusionModels

@Suite struct SchedulerConfigurationTests {
  private typealias Value = SchedulerConfiguration.Value

  @Test func onlyWhatTheFileSetsIsSet() throws {
    let configuration = try SchedulerFixture.configuration("sd15")
    #expect(configuration.className == "PNDMScheduler")
    #expect(configuration.betaStart == 0.00085)
    #expect(configuration.betaSchedule == .scaledLinear)
    #expect(configuration.skipPRKSteps == true)
    #expect(configuration.clipSample == false)
    #expect(configuration.stepsOffset == 1)
    #expect(configuration.timestepSpacing == nil)
    #expect(configuration.predictionType == nil)
    #expect(configuration.trainedBetas == nil)
  }

  /// The defaults are those of the scheduler that runs, not of the class that the file was written for.
  @Test func unsetValuesAreDefaultedByTheScheduler() throws {
    let configuration = try SchedulerFixture.configuration("sd15")
    #expect(try Scheduler(.ddim, configuration: configuration, steps: 2).timesteps == [501, 1])
    #expect(try Scheduler(.euler, configuration: configuration, steps: 2).timesteps == [999, 0])
    let explicit = try SchedulerFixture.configuration("sdxl")
    #expect(try Scheduler(.euler, configuration: explicit, steps: 2).timesteps == [501, 1])
  }

  @Test func valuesListedAsDefaultsCountAsUnset() throws {
    let values: [String: Value] = [
      "timestep_spacing": .string("leading"), "steps_offset": .number(1),
      "_use_default_values": .strings(["timestep_spacing"]),
    ]
    let configuration = try SchedulerConfiguration(className: "EulerDiscreteScheduler", values: values)
    #expect(configuration.timestepSpacing == nil)
    #expect(configuration.stepsOffset == 1)
  }

  @Test func unknownKeysAreIgnored() throws {
    let configuration = try SchedulerConfiguration(
      className: "X", values: ["_diffusers_version": .string("0.6.0"), "invert_sigmas": .bool(false)])
    #expect(configuration == SchedulerConfiguration(className: "X"))
  }

  @Test func emptyArrays() throws {
    let configuration = try SchedulerConfiguration(
      className: "X", values: ["disable_corrector": .strings([])])
    #expect(configuration.disableCorrector == [])
  }

  @Test func allFieldsAreRead() throws {
    let configuration = try SchedulerConfiguration(
      className: "X",
      values: [
        "lambda_min_clipped": .number(-.infinity), "solver_type": .string("logrho"),
        "algorithm_type": .string("sde-dpmsolver++"), "final_sigmas_type": .string("sigma_min"),
        "interpolation_type": .string("log_linear"), "timestep_type": .string("continuous"),
        "prediction_type": .string("v_prediction"), "disable_corrector": .numbers([0, 2]),
        "trained_betas": .numbers([0.1, 0.2]), "num_train_timesteps": .number(2),
      ])
    #expect(configuration.lambdaMinClipped == -.infinity)
    #expect(configuration.solverType == .logrho)
    #expect(configuration.algorithmType == .sdeDPMSolverPP)
    #expect(configuration.finalSigmasType == .sigmaMin)
    #expect(configuration.interpolationType == .logLinear)
    #expect(configuration.timestepType == .continuous)
    #expect(configuration.predictionType == .velocity)
    #expect(configuration.disableCorrector == [0, 2])
    #expect(configuration.trainedBetas == [0.1, 0.2])
  }

  @Test(
    arguments: [
      (
        "beta_schedule", .string("sigmoid"),
        "beta_schedule is \"sigmoid\"; it must be one of linear, scaled_linear, squaredcos_cap_v2"
      ),
      (
        "prediction_type", .string("flow_prediction"),
        "prediction_type is \"flow_prediction\"; it must be one of epsilon, v_prediction, sample"
      ),
      (
        "timestep_spacing", .number(3),
        "timestep_spacing is 3; it must be one of linspace, leading, trailing"
      ),
      (
        "num_train_timesteps", .number(0),
        "num_train_timesteps is 0; it must be a whole number in 1 ... 1000000"
      ),
      (
        "num_train_timesteps", .number(1e300),
        "num_train_timesteps is 1e+300; it must be a whole number in 1 ... 1000000"
      ),
      (
        "num_train_timesteps", .number(10.5),
        "num_train_timesteps is 10.5; it must be a whole number in 1 ... 1000000"
      ),
      (
        "num_train_timesteps", .string("1000"),
        "num_train_timesteps is \"1000\"; it must be a whole number in 1 ... 1000000"
      ),
      ("beta_start", .number(.nan), "beta_start is nan; it must be a number in 0 ... 1"),
      ("beta_end", .number(1.5), "beta_end is 1.5; it must be a number in 0 ... 1"),
      ("beta_end", .bool(true), "beta_end is true; it must be a number in 0 ... 1"),
      ("clip_sample", .number(1), "clip_sample is 1; it must be true or false"),
      ("solver_order", .number(4), "solver_order is 4; it must be a whole number in 1 ... 3"),
      (
        "trained_betas", .numbers([0.1, 2, 3]),
        "trained_betas is an array with 2; it must be an array of numbers in 0 ... 1"
      ),
      (
        "trained_betas", .strings(["a"]),
        "trained_betas is an array of strings; it must be an array of numbers in 0 ... 1"
      ),
      ("steps_offset", .number(-1), "steps_offset is -1; it must be a whole number in 0 ... 1000000"),
      (
        "original_inference_steps", .number(1001),
        "original_inference_steps is 1001; it must be a whole number in 1 ... 1000"
      ),
    ] as [(String, SchedulerConfiguration.Value, String)])
  func invalidValues(key: String, value: SchedulerConfiguration.Value, message: String) {
    let error = #expect(throws: SDError.self) {
      try SchedulerConfiguration(className: "PNDMScheduler", values: [key: value])
    }
    #expect(error == SDError(.invalid, "scheduler configuration: \(message)"))
  }

  @Test func trainedBetasMustCoverTraining() {
    let error = #expect(throws: SDError.self) {
      try SchedulerConfiguration(className: "PNDMScheduler", values: ["trained_betas": .numbers([0.1, 0.2])])
    }
    #expect(
      error
        == SDError(
          .invalid,
          "scheduler configuration: trained_betas has 2 values; num_train_timesteps is 1000"))
  }
}
