public import GraphIR

/// The text encoder of a plan: token ids to hidden states, row by row.
public final class TextEncoder {
  private let session: GraphSession
  private let rows: Int
  private let vocabulary: Int

  init(_ model: CompiledModel) throws(SDError) {
    session = try GraphSession(model, GraphKey(component: .textEncoder, entry: "general"))
    rows = session.type(of: "input_ids")?.shape[0] ?? 1
    vocabulary = model.info.vocabulary
  }

  /// Hidden states `[B, tokens, D]` of ids `[B, tokens]`, any number of rows.
  ///
  /// - Throws: `SDError` (usage) for another number of tokens or an id outside the vocabulary.
  public func callAsFunction(_ ids: Tensor) throws(SDError) -> Tensor {
    guard let type = session.type(of: "input_ids"), ids.type.rank == 2, ids.shape[1] == type.shape[1] else {
      throw SDError(
        .usage, "input_ids must be [B, \(session.type(of: "input_ids")?.lastDimension ?? 77)], they are \(ids.type)")
    }
    for (index, id) in ids.values.enumerated() where !(id >= 0 && id < Float(vocabulary)) {
      throw SDError(
        .usage,
        "input_ids: id \(decimal(Double(id), 0)) at row \(index / ids.shape[1]), column \(index % ids.shape[1]) is outside the "
          + "vocabulary of \(vocabulary)")
    }
    return try session.runRows(["input_ids": ids], output: "last_hidden_state", rate: .step)
  }

  /// Hidden states `[1, tokens, D]` of one row of ids.
  ///
  /// - Throws: `SDError` as for a tensor of ids.
  public func callAsFunction(_ ids: [Int]) throws(SDError) -> Tensor {
    try self(Tensor(TensorType(.i64, [1, ids.count]), ids.map { Float($0) }))
  }
}

/// The U-Net of a plan and a picture size, for any rows; layouts as in PyTorch.
public final class UNetModel {
  private let session: GraphSession
  private var context: [Float] = []

  init(_ model: CompiledModel, _ size: PictureSize) throws(SDError) {
    session = try GraphSession(model, GraphKey(component: .unet, entry: "general", size: size))
  }

  /// The model's output `[B, C, h, w]`.
  ///
  /// - Parameters:
  ///   - sample: `[B, C, h, w]`.
  ///   - timestep: `[B]`, one a row.
  ///   - encoderHiddenStates: `[B, tokens, D]`.
  /// - Throws: `SDError` (usage) for other shapes.
  public func callAsFunction(
    sample: Tensor, timestep: Tensor, encoderHiddenStates: Tensor
  ) throws(SDError) -> Tensor {
    guard sample.type.rank == 4 else { throw SDError(.usage, "sample must be [B, C, h, w], it is \(sample.type)") }
    let inputs = ["sample": sample, "timestep": timestep, "encoder_hidden_states": encoderHiddenStates]
    return try session.runRows(inputs, output: "out", rate: .step).channelsFirst
  }
}

/// The decoder of a plan and a picture size.
public final class VAEDecoderModel {
  private let session: GraphSession

  init(_ model: CompiledModel, _ size: PictureSize) throws(SDError) {
    session = try GraphSession(model, GraphKey(component: .vaeDecoder, entry: "general", size: size))
  }

  /// Pictures `[B, 3, H, W]`, nominally in −1 … 1, of latents `[B, C, h, w]` already divided by the scaling factor.
  ///
  /// - Throws: `SDError` (usage) for other shapes.
  public func callAsFunction(_ latent: Tensor) throws(SDError) -> Tensor {
    guard latent.type.rank == 4 else { throw SDError(.usage, "latent must be [B, C, h, w], it is \(latent.type)") }
    return try session.runRows(["latent": latent], output: "decoded", rate: .step).channelsFirst
  }
}

/// The encoder of a plan and a picture size.
public final class VAEEncoderModel {
  private let session: GraphSession

  init(_ model: CompiledModel, _ size: PictureSize) throws(SDError) {
    session = try GraphSession(model, GraphKey(component: .vaeEncoder, entry: "general", size: size))
  }

  /// Mean and logarithm of the variance `[B, C, h, w]` of the latents of pictures `[B, 3, H, W]` in −1 … 1, unscaled;
  /// the logarithm is held in −30 … 20 as diffusers holds it.
  ///
  /// - Throws: `SDError` (usage) for other shapes.
  public func callAsFunction(_ image: Tensor) throws(SDError) -> (mean: Tensor, logvar: Tensor) {
    guard image.type.rank == 4 else { throw SDError(.usage, "image must be [B, 3, H, W], it is \(image.type)") }
    let outputs = try session.runRows(["image": image], outputs: ["mean", "logvar"], rate: .step)
    var logvar = outputs[1].channelsFirst
    logvar.values = logvar.values.map { $0.isNaN ? $0 : min(max($0, -30), 20) }
    return (outputs[0].channelsFirst, logvar)
  }
}

extension GraphSession {
  /// Runs any number of rows in chunks of the compiled batch; rows of the last chunk that are not there repeat the
  /// last one that is. Inputs of four dimensions are pictures or latents with their channels first, as in PyTorch.
  func runRows(_ inputs: [String: Tensor], output: String, rate: Rate) throws(SDError) -> Tensor {
    try runRows(inputs, outputs: [output], rate: rate)[0]
  }

  /// As `runRows(_:output:rate:)`, with several outputs.
  func runRows(_ inputs: [String: Tensor], outputs: [String], rate: Rate) throws(SDError) -> [Tensor] {
    let total = inputs.values.map { $0.shape.first ?? 0 }.max() ?? 0
    var chunk = 1
    var arranged: [String: Tensor] = [:]
    for (name, tensor) in inputs.sorted(by: { $0.key < $1.key }) {
      guard let type = type(of: name) else { continue }
      let row = type.rank == 4 ? [type.shape[3], type.shape[1], type.shape[2]] : Array(type.shape.dropFirst())
      guard Array(tensor.shape.dropFirst()) == row, tensor.shape.first == total, total > 0 else {
        let required = ([total > 0 ? "\(total)" : "B"] + row.map(String.init)).joined(separator: ", ")
        throw SDError(.usage, "'\(name)' must be [\(required)], it is \(tensor.type)")
      }
      arranged[name] = type.rank == 4 ? tensor.channelsLast : tensor
      chunk = type.shape[0]
    }
    var results = [[Float]](repeating: [], count: outputs.count)
    for start in stride(from: 0, to: total, by: chunk) {
      for (name, tensor) in arranged { try write(name, tensor.rows(start, chunk)) }
      for lower in Rate.allCases where lower <= rate { try run(lower) }
      for (index, name) in outputs.enumerated() {
        let values = try read(name)
        results[index] += values.prefix(values.count / chunk * min(chunk, total - start))
      }
    }
    return zip(outputs, results).map { name, values in
      Tensor([total] + (type(of: name)?.shape.dropFirst() ?? []), values)
    }
  }
}

extension Tensor {
  /// Rows `start ..< start + count` of the first dimension; behind the end the last row is repeated.
  func rows(_ start: Int, _ count: Int) -> [Float] {
    let width = shape.dropFirst().reduce(1, *)
    return (start..<start + count).flatMap { row in
      let first = min(row, shape[0] - 1) * width
      return values[first..<first + width]
    }
  }

  /// `[B, C, H, W]` as `[B, H, W, C]`.
  var channelsLast: Tensor { moved(outer: shape[0], rows: shape[1], columns: shape[2] * shape[3], [0, 2, 3, 1]) }

  /// `[B, H, W, C]` as `[B, C, H, W]`.
  var channelsFirst: Tensor { moved(outer: shape[0], rows: shape[1] * shape[2], columns: shape[3], [0, 3, 1, 2]) }

  private func moved(outer: Int, rows: Int, columns: Int, _ axes: [Int]) -> Tensor {
    var result = values
    for image in 0..<outer {
      let base = image * rows * columns
      for row in 0..<rows {
        for column in 0..<columns { result[base + column * rows + row] = values[base + row * columns + column] }
      }
    }
    return Tensor(type.with(shape: axes.map { shape[$0] }), result)
  }
}
