import Glibc
internal import GraphIR

extension Scheduler {
  /// DPM-Solver++, multistep, of order 1 to 3 (Lu et al., 2022, algorithm 2), and its stochastic form.
  static func dpmSolver(_ configuration: SchedulerConfiguration, steps: Int) throws(SDError) -> Scheduler {
    let name: SchedulerName = configuration.useKarrasSigmas == true ? .dpmSolverKarras : .dpmSolver
    let prediction = try configuration.prediction(of: name)
    let algorithm = configuration.algorithmType ?? .dpmSolverPP
    guard [.dpmSolverPP, .sdeDPMSolverPP, .deis].contains(algorithm) else {
      throw SDError(
        .incompatible,
        "scheduler \(name.rawValue): algorithm_type \(algorithm.rawValue) is not supported; "
          + "supported: dpmsolver++, sde-dpmsolver++")
    }
    try configuration.refuseFlow(name)
    let stochastic = algorithm == .sdeDPMSolverPP
    let order = configuration.solverOrder ?? 2
    let schedule = try configuration.dpmSchedule(steps: steps)
    let levels = schedule.sigmas.map { NoiseLevel(relativeSigma: $0) }

    let count = schedule.timesteps.count
    let short = count < 15 && configuration.lowerOrderFinal ?? true
    let endsInOrder1 =
      short || configuration.eulerAtFinal ?? false || configuration.finalSigmasType ?? .zero == .zero
    var predictions: [LinearForm] = []  // newest first
    let rows = schedule.timesteps.enumerated().map { index, timestep in
      var row = ScheduleRow(timestep: timestep, drawsNoise: stochastic)
      let newest = row.keep(
        prediction.clean(at: levels[index]), inSlot: index % order, limit: configuration.threshold)
      predictions = [newest] + predictions.prefix(order - 1)
      let left = count - index
      let allowed = left == 1 && endsInOrder1 ? 1 : left == 2 && short ? 2 : order
      let used = min(allowed, predictions.count)
      let step = DPMStep(
        from: levels[index], to: levels[index + 1],
        earlier: (1..<max(used, 1)).map { levels[index - $0] }, stochastic: stochastic,
        heun: configuration.solverType == .heun)
      row.finish(with: step.next(Array(predictions.prefix(used))))
      return row
    }
    return try Scheduler(name, rows)
  }
}

/// One step of the solver from one noise level to the next.
private struct DPMStep {
  let from: NoiseLevel
  let to: NoiseLevel
  /// Levels of the predictions before that of `from`, newest first.
  let earlier: [NoiseLevel]
  let stochastic: Bool
  let heun: Bool

  /// The next sample from the predictions of the clean sample, newest first; as many as the order.
  func next(_ predictions: [LinearForm]) -> LinearForm {
    let h = to.lambda - from.lambda
    // The stochastic solver takes twice the way in λ, half of it undone by noise.
    let way = stochastic ? 2 * h : h
    let ratio = to.sigma / from.sigma * (stochastic ? exp(-h) : 1)
    let gain = -to.alpha * expm1(-way)
    var next = ratio * .sample + gain * predictions[0]
    if stochastic { next = next + to.sigma * (-expm1(-way)).squareRoot() * .noise }
    guard predictions.count > 1 else { return next }

    // Finite differences over λ in units of h; first and second derivative of the prediction.
    let h0 = from.lambda - earlier[0].lambda
    var slope = (h / h0) * (predictions[0] - predictions[1])
    let curvature: LinearForm
    if predictions.count > 2 {
      let h1 = earlier[0].lambda - earlier[1].lambda
      let before = (h / h1) * (predictions[1] - predictions[2])
      curvature = (h / (h0 + h1)) * (slope - before)
      slope = slope + (h0 / h) * curvature
    } else {
      curvature = .zero
      guard heun else { return next + (gain / 2) * slope }
    }
    let second = to.alpha * (expm1(-way) / way + 1)
    // The sign of the half differs in the reference's stochastic form.
    let third = -to.alpha * ((expm1(-way) + way) / (way * way) + (stochastic ? 0.5 : -0.5))
    return next + second * slope + third * curvature
  }
}

extension SchedulerConfiguration {
  /// σ and timesteps of a run of DPM-Solver.
  fileprivate func dpmSchedule(steps: Int) throws(SDError) -> SigmaSchedule {
    let noise = NoiseSchedule(self, zeroSNR: .floored)
    // λ below the limit, which some cosine schedules need, drops the noisiest timesteps.
    let limit = lambdaMinClipped ?? -.infinity
    let end = noise.alphasCumprod.count { NoiseLevel(alphaCumprod: $0).lambda >= limit }
    return SigmaSchedule(
      wholeTimesteps: timestepsAboveZero(steps, spacing: .linspace, end: max(end, 1)), noise, self,
      steps: steps, spacing: try SigmaSpacing(self) ?? (useLuLambdas == true ? .lu : nil),
      roundsKarras: betaSchedule != .squaredCosine)
  }

  /// - Throws: `incompatible` for a configuration of a flow-matching model.
  func refuseFlow(_ name: SchedulerName) throws(SDError) {
    guard useFlowSigmas != true else {
      throw SDError(
        .incompatible,
        "scheduler \(name.rawValue): use_flow_sigmas is for flow-matching models, which are "
          + "not supported")
    }
  }
}
