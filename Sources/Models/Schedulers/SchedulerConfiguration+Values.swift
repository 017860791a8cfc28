public import GraphIR

extension SchedulerConfiguration {
  /// A value of `scheduler_config.json`; nulls are left out.
  public enum Value: Sendable, Hashable {
    /// `true` or `false`.
    case bool(Bool)
    /// Any number, whole or not.
    case number(Double)
    /// Text.
    case string(String)
    /// An array of numbers.
    case numbers([Double])
    /// An array of texts.
    case strings([String])
  }

  /// A configuration from the file's keys and values. Unknown keys are ignored, as are those that
  /// `_use_default_values` lists.
  ///
  /// - Throws: `invalid` with the key, its value and what is allowed.
  public init(className: String, values: [String: Value]) throws(SDError) {
    self.init(className: className)
    var reader = Reader(values: values)
    if case .strings(let names)? = values["_use_default_values"] {
      names.forEach { reader.values[$0] = nil }
    }
    numTrainTimesteps = try reader.integer("num_train_timesteps", in: 1...1_000_000)
    betaStart = try reader.number("beta_start", in: 0...1)
    betaEnd = try reader.number("beta_end", in: 0...1)
    betaSchedule = try reader.choice("beta_schedule")
    trainedBetas = try reader.numbers("trained_betas", in: 0...1)
    rescaleBetasZeroSNR = try reader.bool("rescale_betas_zero_snr")
    predictionType = try reader.choice("prediction_type")

    timestepSpacing = try reader.choice("timestep_spacing")
    stepsOffset = try reader.integer("steps_offset", in: 0...1_000_000)
    timestepType = try reader.choice("timestep_type")
    originalInferenceSteps = try reader.integer("original_inference_steps", in: 1...trainTimesteps)
    timestepScaling = try reader.number("timestep_scaling", in: 1e-6...1e6)

    useKarrasSigmas = try reader.bool("use_karras_sigmas")
    useExponentialSigmas = try reader.bool("use_exponential_sigmas")
    useBetaSigmas = try reader.bool("use_beta_sigmas")
    useLuLambdas = try reader.bool("use_lu_lambdas")
    useFlowSigmas = try reader.bool("use_flow_sigmas")
    sigmaMin = try reader.number("sigma_min", in: 1e-6...1e6)
    sigmaMax = try reader.number("sigma_max", in: 1e-6...1e6)
    lambdaMinClipped = try reader.number("lambda_min_clipped", in: -.infinity...100)
    finalSigmasType = try reader.choice("final_sigmas_type")
    interpolationType = try reader.choice("interpolation_type")

    skipPRKSteps = try reader.bool("skip_prk_steps")
    setAlphaToOne = try reader.bool("set_alpha_to_one")
    solverOrder = try reader.integer("solver_order", in: 1...3)
    solverType = try reader.choice("solver_type")
    algorithmType = try reader.choice("algorithm_type")
    lowerOrderFinal = try reader.bool("lower_order_final")
    eulerAtFinal = try reader.bool("euler_at_final")
    predictX0 = try reader.bool("predict_x0")
    disableCorrector = try reader.numbers("disable_corrector", in: 0...1_000_000)?.map { Int($0) }

    clipSample = try reader.bool("clip_sample")
    clipSampleRange = try reader.number("clip_sample_range", in: 0...1e6)
    thresholding = try reader.bool("thresholding")
    dynamicThresholdingRatio = try reader.number("dynamic_thresholding_ratio", in: 0...1)
    sampleMaxValue = try reader.number("sample_max_value", in: 1e-6...1e6)

    if let trainedBetas, trainedBetas.count != trainTimesteps {
      throw SDError(
        .invalid,
        "scheduler configuration: trained_betas has \(trainedBetas.count) values; "
          + "num_train_timesteps is \(trainTimesteps)")
    }
  }
}

/// Typed access to the values, with errors that name the key.
private struct Reader {
  var values: [String: SchedulerConfiguration.Value]

  func bool(_ key: String) throws(SDError) -> Bool? {
    switch values[key] {
    case nil: return nil
    case .bool(let value)?: return value
    case let other?: throw unexpected(key, other, "true or false")
    }
  }

  func number(_ key: String, in range: ClosedRange<Double>) throws(SDError) -> Double? {
    switch values[key] {
    case nil: return nil
    case .number(let value)? where range.contains(value): return value
    case let other?: throw unexpected(key, other, "a number in \(text(range))")
    }
  }

  func integer(_ key: String, in range: ClosedRange<Int>) throws(SDError) -> Int? {
    guard let value = values[key] else { return nil }
    if case .number(let number) = value, let integer = Int(exactly: number), range.contains(integer) {
      return integer
    }
    throw unexpected(key, value, "a whole number in \(range.lowerBound) ... \(range.upperBound)")
  }

  /// An empty JSON array arrives as either kind of array.
  func numbers(_ key: String, in range: ClosedRange<Double>) throws(SDError) -> [Double]? {
    let expected = "an array of numbers in \(text(range))"
    switch values[key] {
    case nil: return nil
    case .strings(let strings)? where strings.isEmpty: return []
    case .numbers(let numbers)?:
      if let bad = numbers.first(where: { !range.contains($0) }) {
        throw unexpected(key, .numbers([bad]), expected)
      }
      return numbers
    case let other?: throw unexpected(key, other, expected)
    }
  }

  func choice<Choice: RawRepresentable<String> & CaseIterable>(_ key: String) throws(SDError) -> Choice? {
    let known = "one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))"
    switch values[key] {
    case nil: return nil
    case .string(let text)?:
      if let choice = Choice(rawValue: text) { return choice }
      throw unexpected(key, .string(text), known)
    case let other?: throw unexpected(key, other, known)
    }
  }

  /// Whole numbers without a point.
  private func text(_ number: Double) -> String { Int(exactly: number).map(String.init) ?? "\(number)" }

  private func text(_ range: ClosedRange<Double>) -> String {
    "\(text(range.lowerBound)) ... \(text(range.upperBound))"
  }

  private func unexpected(
    _ key: String, _ value: SchedulerConfiguration.Value, _ expected: String
  ) -> SDError {
    let text =
      switch value {
      case .bool(let value): "\(value)"
      case .number(let value): self.text(value)
      case .string(let value): "\"\(value)\""
      case .numbers(let values): "an array with \(values.first.map(self.text) ?? "nothing")"
      case .strings: "an array of strings"
      }
    return SDError(.invalid, "scheduler configuration: \(key) is \(text); it must be \(expected)")
  }
}
