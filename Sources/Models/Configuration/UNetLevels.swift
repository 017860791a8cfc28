import GraphIR
import GraphRuntime

/// The per-level lists of `unet/config.json`, one entry a level from the finest to the coarsest.
struct UNetLevels {
  var channels: [Int]
  var resnets: [Int]
  var heads: [Int]
  var layers: [[Int]]
  var upLayers: [[Int]]
  var downHasTransformer: [Bool]
  var upHasTransformer: [Bool]
  var midBlock: UNetConfiguration.MidBlock

  init(_ file: JSON.Config, channels: [Int]) throws(SDError) {
    let count = channels.count
    self.channels = channels
    downHasTransformer = try file.choices(
      "down_block_types", count: count,
      default: ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
      ["CrossAttnDownBlock2D": true, "DownBlock2D": false])
    upHasTransformer = try file.choices(
      "up_block_types", count: count,
      default: ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
      ["CrossAttnUpBlock2D": true, "UpBlock2D": false])
    resnets = try file.sizes("layers_per_block", count: count, default: 2, in: 1...64)

    // diffusers' files call the number of heads attention_head_dim.
    let key = file.has("num_attention_heads") ? "num_attention_heads" : "attention_head_dim"
    heads = try file.sizes(key, count: count, default: 8)

    layers = try Self.layers("transformer_layers_per_block", file, resnets: resnets, default: 1)
    let reverse = "reverse_transformer_layers_per_block"
    let upResnets = resnets.reversed().map { $0 + 1 }
    if file.has(reverse) {
      upLayers = try Self.layers(reverse, file, resnets: upResnets)
    } else {
      let uniform = try layers.map { (layers: [Int]) throws(SDError) -> Int in
        guard let first = layers.first, layers.allSatisfy({ $0 == first }) else {
          throw file.invalid(reverse, "is missing, lists within \"transformer_layers_per_block\" need it")
        }
        return first
      }
      upLayers = zip(uniform.reversed(), upResnets).map { Array(repeating: $0, count: $1) }
    }

    let coarsest = UNetConfiguration.Transformer(heads: heads[count - 1], layers: [layers[count - 1][0]])
    midBlock =
      file.members["mid_block_type"] == .null
      ? .absent
      : try file.choice(
        "mid_block_type", default: "UNetMidBlock2DCrossAttn",
        ["UNetMidBlock2DCrossAttn": .transformer(coarsest), "UNetMidBlock2D": .resnet])

    for level in 0..<count where channels[level] % heads[level] != 0 && hasTransformer(level) {
      throw file.invalid(key, "has \(heads[level]) heads, which do not divide \(channels[level]) channels")
    }
  }

  private func hasTransformer(_ level: Int) -> Bool {
    let last = channels.count - 1
    if level == last, case .transformer = midBlock { return true }
    return downHasTransformer[level] || upHasTransformer[last - level]
  }

  /// For each residual block of each level: one integer for all, or an array with an integer or an array a level.
  private static func layers(
    _ key: String, _ file: JSON.Config, resnets: [Int], default value: Int? = nil
  ) throws(SDError) -> [[Int]] {
    guard let entries = file.members[key]?.array else {
      let all = try file.size(key, default: value, in: 0...64)
      return resnets.map { Array(repeating: all, count: $0) }
    }
    let form = "must have \(resnets.count) entries of 0 ... 64, integers or lists of one a residual block"
    guard entries.count == resnets.count else { throw file.invalid(key, form) }
    var layers: [[Int]] = []
    for (entry, count) in zip(entries, resnets) {
      let own = entry.int.map { Array(repeating: $0, count: count) } ?? entry.array?.compactMap(\.int) ?? []
      guard own.count == count, own.allSatisfy((0...64).contains) else { throw file.invalid(key, form) }
      layers.append(own)
    }
    return layers
  }

  var downBlocks: [UNetConfiguration.Block] {
    channels.indices.map { level in
      .init(
        channels: channels[level], resnets: resnets[level],
        transformer: downHasTransformer[level] ? .init(heads: heads[level], layers: layers[level]) : nil)
    }
  }

  var upBlocks: [UNetConfiguration.Block] {
    channels.indices.map { index in
      let level = channels.count - 1 - index
      return .init(
        channels: channels[level], resnets: resnets[level] + 1,
        transformer: upHasTransformer[index] ? .init(heads: heads[level], layers: upLayers[index]) : nil)
    }
  }
}
