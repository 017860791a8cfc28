import GraphIR
import GraphRuntime

/// How the tensors of a checkpoint differ from those of a model.
struct WeightMismatch {
  /// Parameters of the model without a tensor.
  var missing: [String] = []
  /// Tensors without a parameter.
  var extra: [String] = []
  /// Tensors with type and shape, as they are and as they must be.
  var wrong: [(name: String, is: String, required: String)] = []

  /// The error that says so, with ten of each kind or as many as fit into 2,800 characters; nil if nothing differs.
  func error(in path: String) -> SDError? {
    if missing.isEmpty && extra.isEmpty && wrong.isEmpty { return nil }
    func nearby(_ name: String, in known: [String]) -> String {
      WeightNames.nearest(to: name, in: known).map { " (nearest: \(JSON.quoted($0)))" } ?? ""
    }
    let kinds = [
      missing.prefix(10).map { "missing \(JSON.quoted($0))\(nearby($0, in: extra))" },
      extra.prefix(10).map { "extra \(JSON.quoted($0))\(nearby($0, in: missing))" },
      wrong.prefix(10).map { "wrong \(JSON.quoted($0.name)): it is \($0.is), required \($0.required)" },
    ]
    var message = ""
    for limit in stride(from: 10, through: 1, by: -1) {
      let lines = kinds.flatMap { $0.prefix(limit) }
      let more = missing.count + extra.count + wrong.count - lines.count
      message = """
        \(path): the tensors are not those of the model: \(missing.count) missing, \(extra.count) extra, \
        \(wrong.count) of another shape or type
          \((lines + (more > 0 ? ["and \(more) more"] : [])).joined(separator: "\n  "))
        """
      if message.count <= 2_800 { break }
    }
    return SDError(.incompatible, message)
  }
}
