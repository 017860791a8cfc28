/// The settings of a scheduler as `scheduler_config.json` gives them.
///
/// A property is nil when the file did not set it. Each scheduler then takes its own default, so that a
/// configuration written for one class carries over to another the way it does in diffusers: only what
/// was set travels, and what another class does not know is left aside. Names are diffusers' in camel case.
public struct SchedulerConfiguration: Sendable, Hashable {
  /// What the betas are between their ends.
  public enum BetaSchedule: String, CaseIterable, Sendable {
    /// Equal steps.
    case linear
    /// Equal steps of the square root.
    case scaledLinear = "scaled_linear"
    /// From a squared cosine of the cumulative product (Nichol and Dhariwal, 2021).
    case squaredCosine = "squaredcos_cap_v2"
  }

  /// What the model's output means.
  public enum PredictionType: String, CaseIterable, Sendable {
    /// The noise in the sample.
    case epsilon
    /// Velocity: √ᾱ·noise − √(1−ᾱ)·clean sample (Salimans and Ho, 2022).
    case velocity = "v_prediction"
    /// The clean sample.
    case sample
  }

  /// How a run's timesteps are laid over those of training (Lin et al., 2023, table 2).
  public enum TimestepSpacing: String, CaseIterable, Sendable {
    /// Both ends of training included.
    case linspace
    /// Multiples of a whole stride from 0 on, plus `stepsOffset`.
    case leading
    /// Back from the last timestep in equal strides.
    case trailing
  }

  /// The σ that the last step leads to.
  public enum FinalSigmas: String, CaseIterable, Sendable {
    /// No noise.
    case zero
    /// The least σ of training.
    case sigmaMin = "sigma_min"
  }

  /// How σ is read between the timesteps of training.
  public enum Interpolation: String, CaseIterable, Sendable {
    /// Linearly in σ at the run's timesteps.
    case linear
    /// Equal steps of log σ over the whole range, whatever the timesteps.
    case logLinear = "log_linear"
  }

  /// Variants of the multistep solvers; each takes those of its own kind and its default for others.
  public enum SolverType: String, CaseIterable, Sendable {
    /// DPM-Solver++, second order by the midpoint rule.
    case midpoint
    /// DPM-Solver++, second order by Heun's rule.
    case heun
    /// UniPC with B(h) = h.
    case bh1
    /// UniPC with B(h) = eʰ − 1.
    case bh2
    /// DEIS only.
    case logrho
  }

  /// Which differential equation DPM-Solver follows.
  public enum Algorithm: String, CaseIterable, Sendable {
    /// The ordinary one, in terms of the predicted clean sample.
    case dpmSolverPP = "dpmsolver++"
    /// The stochastic one, in terms of the predicted clean sample.
    case sdeDPMSolverPP = "sde-dpmsolver++"
    /// The ordinary one, in terms of the predicted noise.
    case dpmSolver = "dpmsolver"
    /// The stochastic one, in terms of the predicted noise.
    case sdeDPMSolver = "sde-dpmsolver"
    /// Written by DEIS; DPM-Solver reads it as `dpmsolver++`.
    case deis
  }

  /// What the model is given as time.
  public enum TimestepType: String, CaseIterable, Sendable {
    /// The training timestep.
    case discrete
    /// ¼·log σ (Euler with velocity prediction only).
    case continuous
  }

  /// The class that the configuration was written for, e.g. `PNDMScheduler`.
  public var className: String

  // MARK: The noise of training

  /// Number of training timesteps; 1000 unless set.
  public var numTrainTimesteps: Int?
  /// Variance added at the first training timestep.
  public var betaStart: Double?
  /// Variance added at the last training timestep.
  public var betaEnd: Double?
  /// What lies between the two.
  public var betaSchedule: BetaSchedule?
  /// All betas by value, instead of the three above.
  public var trainedBetas: [Double]?
  /// Whether the last training timestep is pure noise.
  public var rescaleBetasZeroSNR: Bool?
  /// What the model's output means; epsilon unless set.
  public var predictionType: PredictionType?

  // MARK: The timesteps of a run

  /// How the run's timesteps are laid over those of training.
  public var timestepSpacing: TimestepSpacing?
  /// Added to every timestep of leading spacing; 0 unless set.
  public var stepsOffset: Int?
  /// What the model is given as time (Euler).
  public var timestepType: TimestepType?
  /// Number of steps that a consistency model was distilled on; 50 unless set.
  public var originalInferenceSteps: Int?
  /// Factor on the timestep in the boundary condition of a consistency model; 10 unless set.
  public var timestepScaling: Double?

  // MARK: The σ of a run

  /// Whether σ is spread by Karras's rule.
  public var useKarrasSigmas: Bool?
  /// Whether σ is spread in equal steps of its logarithm.
  public var useExponentialSigmas: Bool?
  /// Whether σ is spread by quantiles of a Beta distribution.
  public var useBetaSigmas: Bool?
  /// Whether σ is spread in equal steps of λ (DPM-Solver).
  public var useLuLambdas: Bool?
  /// Whether the model is one of flow matching, which is not supported.
  public var useFlowSigmas: Bool?
  /// The lowest σ of the spreads above, instead of that of training.
  public var sigmaMin: Double?
  /// The highest σ of the spreads above, instead of that of training.
  public var sigmaMax: Double?
  /// Timesteps with a lower λ are left out (DPM-Solver).
  public var lambdaMinClipped: Double?
  /// The σ that the last step leads to; zero unless set.
  public var finalSigmasType: FinalSigmas?
  /// How σ is read between training timesteps (Euler); linear unless set.
  public var interpolationType: Interpolation?

  // MARK: The solver

  /// Whether PNDM starts without Runge–Kutta steps; false unless set.
  public var skipPRKSteps: Bool?
  /// Whether the last step leads to the clean sample or to training timestep 0 (PNDM, DDIM).
  public var setAlphaToOne: Bool?
  /// Order of DPM-Solver and UniPC, 1 ... 3; 2 unless set.
  public var solverOrder: Int?
  /// Variant of DPM-Solver and UniPC.
  public var solverType: SolverType?
  /// The equation that DPM-Solver follows; dpmsolver++ unless set.
  public var algorithmType: Algorithm?
  /// Whether the order goes down at the end (DPM-Solver below 15 steps, UniPC); true unless set.
  public var lowerOrderFinal: Bool?
  /// Whether the last step of DPM-Solver is of order 1 in any case; false unless set.
  public var eulerAtFinal: Bool?
  /// Whether UniPC works on clean samples; true unless set, and false is not supported.
  public var predictX0: Bool?
  /// Steps that UniPC does not correct.
  public var disableCorrector: [Int]?

  // MARK: Limits of the predicted clean sample

  /// Whether the predicted clean sample is clipped (DDIM unless set; Heun, LCM).
  public var clipSample: Bool?
  /// Magnitude that it is clipped at; 1 unless set.
  public var clipSampleRange: Double?
  /// Whether the predicted clean sample is limited by dynamic thresholding.
  public var thresholding: Bool?
  /// The quantile of the magnitudes that limits it; 0.995 unless set.
  public var dynamicThresholdingRatio: Double?
  /// The highest limit; 1 unless set.
  public var sampleMaxValue: Double?

  /// A configuration for a class that sets nothing.
  public init(className: String) {
    self.className = className
  }

  /// Length of the training schedule, 1000 unless set.
  public var trainTimesteps: Int { numTrainTimesteps ?? 1000 }
}
