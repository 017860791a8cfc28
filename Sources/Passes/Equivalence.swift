package import GraphIR

/// Compares what two graphs compute, on random inputs and parameters, through the interpreter.
package struct Equivalence: Sendable {
  /// The largest normalized mean squared error of an output.
  package var tolerance: Double

  /// A comparison with a limit.
  package init(tolerance: Double) { self.tolerance = tolerance }

  /// - Throws: `SDError(.numerics)` that names the pass and the first output that differs.
  package func check(_ before: Graph, _ after: Graph, pass: String) throws(SDError) {
    var inputs: [String: Tensor] = [:]
    for (_, input) in before.inputs + after.inputs {
      inputs[input.name] = Equivalence.random(input.name, input.type, scale: 1)
    }
    let expected = try Interpreter().run(before, inputs: inputs, parameters: Equivalence.random)
    let computed = try Interpreter().run(after, inputs: inputs, parameters: Equivalence.random)
    for output in before.outputs {
      guard let a = computed[output.name], let b = expected[output.name], a.type == b.type else {
        throw SDError(.numerics, "pass '\(pass)' lost output '\(output.name)' of graph '\(before.name)'")
      }
      let error = Equivalence.nmse(a.values, b.values)
      guard error <= tolerance else {
        throw SDError(
          .numerics,
          "pass '\(pass)' changed output '\(output.name)' of graph '\(before.name)': NMSE \(error), allowed \(tolerance)",
          hint: "Find the rewrite with --rewrite-limit, or leave the pass out with --disable-pass \(pass).")
      }
    }
  }

  /// ‖a − b‖² / ‖b‖²; infinite when one of them is not finite or only b is zero.
  package static func nmse(_ a: [Float], _ b: [Float]) -> Double {
    var (error, norm) = (0.0, 0.0)
    for (x, y) in zip(a, b) {
      error += (Double(x) - Double(y)) * (Double(x) - Double(y))
      norm += Double(y) * Double(y)
    }
    guard error.isFinite, norm.isFinite else { return .infinity }
    return error == 0 ? 0 : error / norm
  }

  /// Values of a parameter, small enough that sums over its rows stay near 1.
  package static func random(_ parameter: Parameter) -> Tensor {
    let fan = parameter.type.shape.dropFirst().reduce(1, *)
    return random(parameter.name, parameter.type, scale: (3 / Float(max(fan, 1))).squareRoot())
  }

  /// Uniform values in ±scale that depend on the name alone; zeros for integers, which may be indices.
  package static func random(_ name: String, _ type: TensorType, scale: Float) -> Tensor {
    var generator = SplitMix64(name: name)
    let values = (0..<type.count).map { _ in type.dtype.isFloat ? (2 * generator.unit() - 1) * scale : 0 }
    return Tensor(type.with(.f32), values).cast(to: type.dtype)
  }
}
