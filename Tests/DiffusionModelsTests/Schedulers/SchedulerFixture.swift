import Foundation
import TestSupport
import Testing

@testable import DiffusionModels

/// Reference runs made by Tools/reference/schedulers.py.
enum SchedulerFixture {
  /// A run of a scheduler on the toy model.
  struct Case: Decodable {
    let configuration: String
    let prediction: String
    let steps: Int
    let rounding: Double
    let `init`: Double
    let timesteps: [Double]
    let sample: [Double]
  }

  static func decoded<Content: Decodable>(_ name: String, as type: Content.Type) throws -> Content {
    let data = try Data(contentsOf: URL(filePath: fixture("schedulers/\(name).json")))
    return try JSONDecoder().decode(type, from: data)
  }

  static func cases(of name: SchedulerName) throws -> [Case] { try decoded(name.rawValue, as: [Case].self) }

  /// The configurations of the fixtures as parsed values, by name.
  static let configurations = Result {
    try decoded("configurations", as: [String: [String: FixtureValue]].self)
      .mapValues { $0.compactMapValues(\.value) }
  }

  static func configuration(_ name: String, prediction: String? = nil) throws -> SchedulerConfiguration {
    var values = try #require(try configurations.get()[name]).compactMapValues { $0 }
    if let prediction { values["prediction_type"] = .string(prediction) }
    guard case .string(let className)? = values["_class_name"] else { throw CocoaError(.coderInvalidValue) }
    return try SchedulerConfiguration(className: className, values: values)
  }

  /// The toy model: tanh(W x + 0.001 t) with W[i][j] = 0.1 sin(1 + 7 i + 3 j).
  static func model(_ input: [Float], timestep: Double) -> [Float] {
    input.indices.map { i in
      let sum = input.indices.reduce(0.0) { $0 + 0.1 * sin(Double(1 + 7 * i + 3 * $1)) * Double(input[$1]) }
      return Float(tanh(sum + 0.001 * timestep))
    }
  }

  /// A whole run with PyTorch's noise of seed 32.
  static func run(_ scheduler: Scheduler) -> [Float] {
    var scheduler = scheduler
    var generator = TorchGenerator(seed: 32)
    var sample = generator.randn(16).map { $0 * scheduler.initNoiseSigma }
    for (index, timestep) in scheduler.timesteps.enumerated() {
      let output = model(scheduler.scaleModelInput(sample, at: index), timestep: timestep)
      sample = scheduler.step(output, at: index, sample: sample) { generator.randn($0) }
    }
    return sample
  }
}

/// A value of a configuration as the fixtures have it; null is none.
private struct FixtureValue: Decodable {
  let value: SchedulerConfiguration.Value?

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    value =
      if container.decodeNil() {
        nil
      } else if let value = try? container.decode(Bool.self) {
        .bool(value)
      } else if let value = try? container.decode(Double.self) {
        .number(value)
      } else if let value = try? container.decode([Double].self) {
        .numbers(value)
      } else if let value = try? container.decode([String].self) {
        .strings(value)
      } else {
        .string(try container.decode(String.self))
      }
  }
}

/// ‖a−b‖²/‖b‖².
func nmse(_ a: [Float], _ b: [Double]) -> Double {
  let difference = zip(a, b).reduce(0) { $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1) }
  return difference / b.reduce(0) { $0 + $1 * $1 }
}
