import Glibc
internal import GraphIR

extension Scheduler {
  /// UniPC, multistep, of order 1 to 3 (Zhao et al., 2023): each model output first corrects the step that led to
  /// it, then predicts the next.
  static func unipc(_ configuration: SchedulerConfiguration, steps: Int) throws(SDError) -> Scheduler {
    let prediction = try configuration.prediction(of: .unipc)
    guard configuration.predictX0 ?? true else {
      throw SDError(.incompatible, "scheduler unipc: predict_x0 false is not supported")
    }
    try configuration.refuseFlow(.unipc)
    let order = configuration.solverOrder ?? 2
    let schedule = SigmaSchedule(
      wholeTimesteps: configuration.timestepsAboveZero(steps, spacing: .linspace),
      NoiseSchedule(configuration, zeroSNR: .floored), configuration, steps: steps,
      spacing: try SigmaSpacing(configuration), roundsKarras: true)
    let levels = schedule.sigmas.map { NoiseLevel(relativeSigma: $0) }
    let bh1 = configuration.solverType == .bh1
    let uncorrected = Set(configuration.disableCorrector ?? [])
    let corrected = order + 1

    var predictions: [LinearForm] = []  // newest first
    var used = 0
    let count = schedule.timesteps.count
    let rows = schedule.timesteps.enumerated().map { index, timestep in
      var row = ScheduleRow(timestep: timestep)
      let newest = row.keep(
        prediction.clean(at: levels[index]), inSlot: index % (order + 1), limit: configuration.threshold)
      var sample = LinearForm.sample
      if index > 0, !uncorrected.contains(index - 1) {
        let step = UniPCStep(levels, to: index, order: used, bh1: bh1)
        sample = step.corrected(.slot(corrected), predictions, newest)
      }
      sample = row.keep(sample, inSlot: corrected)

      predictions = [newest] + predictions.prefix(order - 1)
      used = min(predictions.count, configuration.lowerOrderFinal ?? true ? count - index : order)
      let step = UniPCStep(levels, to: index + 1, order: used, bh1: bh1)
      row.finish(with: step.predicted(sample, predictions))
      return row
    }
    return try Scheduler(.unipc, rows)
  }
}

/// The step to one noise level from the one before it, of an order (section 3 of the paper, B(h) form).
private struct UniPCStep {
  private let ratio: Double
  private let alpha: Double
  private let h: Double
  private let order: Int
  /// B(−h), which the differences are scaled with.
  private let scale: Double
  /// Where the earlier predictions lie: (λᵢ − λ₀)/h, newest first.
  private let nodes: [Double]

  init(_ levels: [NoiseLevel], to index: Int, order: Int, bh1: Bool) {
    let (from, to) = (levels[index - 1], levels[index])
    ratio = to.sigma / from.sigma
    alpha = to.alpha
    h = to.lambda - from.lambda
    self.order = order
    scale = bh1 ? -h : expm1(-h)
    nodes = (1..<max(order, 1)).map { [h] in (levels[index - 1 - $0].lambda - from.lambda) / h }
  }

  /// The sample at the step's end, from that at its begin and the predictions up to there, newest first.
  func predicted(_ sample: LinearForm, _ predictions: [LinearForm]) -> LinearForm {
    let weights = order == 1 ? [] : order == 2 ? [0.5] : weights(nodes)
    return base(sample, predictions[0]) - differences(predictions, nodes, weights)
  }

  /// The same with the prediction at the step's end known as well.
  func corrected(_ sample: LinearForm, _ predictions: [LinearForm], _ newest: LinearForm) -> LinearForm {
    let weights = order == 1 ? [0.5] : weights(nodes + [1])
    let known = predictions.prefix(order) + [newest]
    return base(sample, predictions[0]) - differences(Array(known), nodes + [1], weights)
  }

  private func base(_ sample: LinearForm, _ prediction: LinearForm) -> LinearForm {
    ratio * sample - alpha * expm1(-h) * prediction
  }

  private func differences(
    _ predictions: [LinearForm], _ nodes: [Double], _ weights: [Double]
  ) -> LinearForm {
    zip(nodes, weights).enumerated().reduce(.zero) { sum, item in
      let (node, weight) = item.element
      return sum + (alpha * scale * weight / node) * (predictions[item.offset + 1] - predictions[0])
    }
  }

  /// The weights ρ with Σ ρ·nodeⁱ⁻¹ = i!·φᵢ₊₁(−h)/B, one equation a node.
  private func weights(_ nodes: [Double]) -> [Double] {
    var phi = expm1(-h) / -h - 1
    var factorial = 1.0
    var rows: [[Double]] = []
    for i in nodes.indices {
      rows.append(nodes.map { pow($0, Double(i)) } + [phi * factorial / scale])
      factorial *= Double(i + 2)
      phi = phi / -h - 1 / factorial
    }
    return solved(rows)
  }
}

/// Solves a small linear system given as rows with the right side last, by Gauss–Jordan elimination with
/// pivoting. A singular one gives numbers that are not finite.
private func solved(_ system: [[Double]]) -> [Double] {
  var rows = system
  for column in rows.indices {
    let pivot = rows.indices[column...].max { abs(rows[$0][column]) < abs(rows[$1][column]) } ?? column
    rows.swapAt(column, pivot)
    for row in rows.indices where row != column {
      let factor = rows[row][column] / rows[column][column]
      for k in rows[row].indices { rows[row][k] -= factor * rows[column][k] }
    }
  }
  return rows.indices.map { rows[$0][rows.count] / rows[$0][$0] }
}
