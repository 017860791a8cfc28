public import GraphIR

/// A part of a model that is compiled, and can be run, on its own.
public enum Component: String, CaseIterable, Sendable {
  /// From token ids to hidden states.
  case textEncoder = "text_encoder"
  /// Predicts the noise of a step.
  case unet
  /// From latents to pictures.
  case vaeDecoder = "vae_decoder"
  /// From pictures to latents.
  case vaeEncoder = "vae_encoder"

  /// Reads a list as `--components` takes it: `all`, or names separated by commas.
  ///
  /// - Throws: `SDError` (usage) for an unknown name.
  public static func list(_ text: String) throws(SDError) -> [Component] {
    if text == "all" { return allCases }
    var list: [Component] = []
    for name in text.split(separator: ",").map(String.init) {
      let component = try Component(name: name)
      if !list.contains(component) { list.append(component) }
    }
    guard !list.isEmpty else { throw SDError(.usage, "no component is named") }
    // In the order of the pipeline, so that the order of names does not change the plan.
    return allCases.filter(list.contains)
  }

  /// The component of a name.
  ///
  /// - Throws: `SDError` (usage) with a suggestion for an unknown name.
  public init(name: String) throws(SDError) {
    guard let component = Component(rawValue: name) else {
      let known = Component.allCases.map(\.rawValue)
      let meant = nearest(to: name, in: known).map { "Did you mean '\($0)'? " } ?? ""
      throw SDError(
        .usage, "unknown component '\(name)'", hint: "\(meant)The components are \(known.joined(separator: ", ")).")
    }
    self = component
  }

  /// The folder of a checkpoint in diffusers' layout that holds its weights.
  var folder: String {
    switch self {
    case .textEncoder, .unet: rawValue
    case .vaeDecoder, .vaeEncoder: "vae"
    }
  }

  /// Names under which its weights are published, without `.safetensors`.
  var weightFiles: [String] {
    switch self {
    case .textEncoder: ["model"]
    case .unet, .vaeDecoder, .vaeEncoder: ["diffusion_pytorch_model"]
    }
  }

  /// Tensors of the same files that belong to the other half of the autoencoder.
  var foreignPrefixes: [String] {
    switch self {
    case .textEncoder, .unet: []
    case .vaeDecoder: ["encoder.", "quant_conv."]
    case .vaeEncoder: ["decoder.", "post_quant_conv."]
    }
  }
}

/// A graph of a plan: which component, how it is called, for which picture size.
package struct GraphKey: Hashable, Sendable {
  /// The component.
  package var component: Component
  /// `general`, or `guided` and `unguided` for the U-Net of the pipeline.
  package var entry: String
  /// Height and width of the picture; nil where it does not matter.
  package var size: PictureSize?
}

/// Height and width of a picture in pixels.
public struct PictureSize: Hashable, Sendable, CustomStringConvertible {
  /// Rows.
  public var height: Int
  /// Columns.
  public var width: Int

  /// A size in pixels.
  public init(height: Int, width: Int) { (self.height, self.width) = (height, width) }

  /// Reads `512x768`: height by width.
  ///
  /// - Throws: `SDError` (usage) for anything else, or for sizes outside 8 … 16384.
  public init(_ text: String) throws(SDError) {
    let parts = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let height = parts[0], let width = parts[1] else {
      throw SDError(.usage, "a size is HEIGHTxWIDTH in pixels, such as 512x512; got '\(text)'")
    }
    guard (8...16384).contains(height), (8...16384).contains(width) else {
      throw SDError(.usage, "height and width must be in 8 ... 16384 pixels, they are \(height) and \(width)")
    }
    self.init(height: height, width: width)
  }

  /// Checks that the autoencoder can make it: both sides are multiples of its factor.
  ///
  /// - Throws: `SDError` (usage) with the nearest sizes that it can make.
  public func check(factor: Int) throws(SDError) {
    guard height % factor != 0 || width % factor != 0 else { return }
    let near = PictureSize(
      height: max(1, (height + factor / 2) / factor) * factor, width: max(1, (width + factor / 2) / factor) * factor)
    throw SDError(
      .usage, "height and width must be multiples of \(factor), they are \(height) and \(width)",
      hint: "The nearest size is \(near).")
  }

  /// `512x768`.
  public var description: String { "\(height)x\(width)" }
}
