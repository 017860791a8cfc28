internal import GraphIR

extension Scheduler {
  /// Linear multistep of order 4 for d sample/dσ: the polynomial through the last derivatives is integrated
  /// over the step.
  static func lms(_ configuration: SchedulerConfiguration, steps: Int) throws(SDError) -> Scheduler {
    let prediction = try configuration.prediction(of: .lms)
    var configuration = configuration
    if configuration.useKarrasSigmas == true {
      // Here Karras's spread always takes the range of the timesteps.
      (configuration.sigmaMin, configuration.sigmaMax) = (nil, nil)
    }
    let schedule = try SigmaSchedule(
      overTimesteps: NoiseSchedule(configuration, zeroSNR: .ignored), configuration, steps: steps)
    let sigmas = schedule.sigmas
    var derivatives: [LinearForm] = []  // newest first
    let rows = schedule.timesteps.enumerated().map { index, timestep in
      let sigma = sigmas[index]
      var row = ScheduleRow(timestep: timestep, inputScale: 1 / (sigma * sigma + 1).squareRoot())
      let newest = row.keep(prediction.derivative(atSigma: sigma), inSlot: index % 4)
      derivatives = [newest] + derivatives.prefix(3)
      let nodes = derivatives.indices.map { sigmas[index - $0] }
      let weights = lagrangeIntegrals(nodes, from: sigma, to: sigmas[index + 1])
      row.finish(with: zip(weights, derivatives).reduce(.sample) { $0 + $1.0 * $1.1 })
      return row
    }
    return try Scheduler(.lms, rows, initNoiseSigma: schedule.initNoiseSigma(configuration))
  }
}

/// ∫ of each Lagrange basis polynomial over up to four nodes. Gauss's rule of two points is exact to degree 3.
private func lagrangeIntegrals(_ nodes: [Double], from begin: Double, to end: Double) -> [Double] {
  let (middle, half) = ((begin + end) / 2, (end - begin) / 2)
  let points = [middle - half / 3.0.squareRoot(), middle + half / 3.0.squareRoot()]
  return nodes.indices.map { chosen in
    let values = points.map { point in
      nodes.indices.filter { $0 != chosen }.reduce(1.0) {
        $0 * (point - nodes[$1]) / (nodes[chosen] - nodes[$1])
      }
    }
    return half * (values[0] + values[1])
  }
}
