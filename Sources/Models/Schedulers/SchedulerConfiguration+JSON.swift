package import GraphIR
package import GraphRuntime

extension SchedulerConfiguration {
  /// Reads `scheduler_config.json`.
  ///
  /// - Throws: `SDError` (invalid) for a missing class name or a value that is not allowed.
  package init(_ config: JSON.Config) throws(SDError) {
    var values: [String: Value] = [:]
    for (key, value) in config.members.members { values[key] = Value(value) }
    do {
      try self.init(className: config.string("_class_name"), values: values)
    } catch {
      throw SDError(error.code, "\(config.file): \(error.message)", hint: error.hint)
    }
  }
}

extension SchedulerConfiguration.Value {
  /// The value, nil for null and for what no scheduler reads.
  fileprivate init?(_ json: JSON) {
    if let value = json.bool {
      self = .bool(value)
    } else if let value = json.double {
      self = .number(value)
    } else if let value = json.string {
      self = .string(value)
    } else if let list = json.array {
      let numbers = list.compactMap(\.double)
      self = numbers.count == list.count && !list.isEmpty ? .numbers(numbers) : .strings(list.compactMap(\.string))
    } else {
      return nil
    }
  }
}
