public import GraphIR

/// What a picture was drawn with, in the text form of AUTOMATIC1111's web UI, which picture viewers read.
///
///     a red circle
///     Negative prompt: blurry
///     Steps: 20, Sampler: Euler a, CFG scale: 7.5, Seed: 1, Size: 512x512, Model hash: 0123456789, Version: 1
///
/// It stands in a PNG's text under the keyword "parameters". The form has limits: a line of the prompt that
/// starts with "Negative prompt:" ends the prompt, and space at the ends of lines is lost.
public struct GenerationParameters: Hashable, Sendable {
  /// The PNG keyword.
  public static let keyword = "parameters"

  /// What to draw.
  public var prompt: String
  /// What to avoid; empty for nothing.
  public var negativePrompt: String
  /// Steps of the scheduler.
  public var steps: Int
  /// The scheduler.
  public var scheduler: SchedulerName
  /// Weight of the prompt against the negative prompt.
  public var guidanceScale: Float
  /// Seed of the noise.
  public var seed: UInt64
  /// Pixels in a row.
  public var width: Int
  /// Rows.
  public var height: Int
  /// First ten hexadecimal digits of the plan's id.
  public var modelHash: String
  /// The program that drew the picture.
  public var version: String

  /// The parameters by name.
  public init(
    prompt: String, negativePrompt: String, steps: Int, scheduler: SchedulerName, guidanceScale: Float,
    seed: UInt64, width: Int, height: Int, modelHash: String, version: String
  ) {
    self.prompt = prompt
    self.negativePrompt = negativePrompt
    self.steps = steps
    self.scheduler = scheduler
    self.guidanceScale = guidanceScale
    self.seed = seed
    self.width = width
    self.height = height
    self.modelHash = modelHash
    self.version = version
  }

  /// The text.
  public var infotext: String {
    let scale = "\(guidanceScale)"
    let fields: KeyValuePairs = [
      "Steps": "\(steps)", "Sampler": scheduler.displayName,
      "CFG scale": scale.hasSuffix(".0") ? String(scale.dropLast(2)) : scale, "Seed": "\(seed)",
      "Size": "\(width)x\(height)", "Model hash": modelHash, "Version": version,
    ]
    let lines = [
      prompt.isEmpty ? nil : prompt, negativePrompt.isEmpty ? nil : "Negative prompt: \(negativePrompt)",
      fields.map { "\($0.key): \(InfotextFields.quoted($0.value))" }.joined(separator: ", "),
    ]
    return lines.compactMap(\.self).joined(separator: "\n")
  }

  /// Reads the text.
  ///
  /// - Throws: `.invalid` if a field is missing or not of its kind, `.incompatible` if the sampler is none of
  ///   `SchedulerName`.
  public init(infotext: String) throws(SDError) {
    var lines = infotext.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map {
      String($0).trimmed
    }
    let fields = InfotextFields(lines.popLast() ?? "")
    func value(_ key: String) throws(SDError) -> String {
      guard let value = fields[key] else {
        throw SDError(.invalid, "generation parameters without \"\(key)\"")
      }
      return value
    }
    func value<T: LosslessStringConvertible>(_ key: String) throws(SDError) -> T {
      let text: String = try value(key)
      guard let number = T(text) else {
        throw SDError(.invalid, "generation parameters: \"\(key)\" must be a number, but is \"\(text)\"")
      }
      return number
    }
    steps = try value("Steps")
    guidanceScale = try value("CFG scale")
    seed = try value("Seed")
    modelHash = fields["Model hash"] ?? ""
    version = fields["Version"] ?? ""
    let size: String = try value("Size")
    let sides = size.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard sides.count == 2, let width = sides[0], let height = sides[1] else {
      throw SDError(.invalid, "generation parameters: \"Size\" must be WIDTHxHEIGHT, but is \"\(size)\"")
    }
    (self.width, self.height) = (width, height)

    // Since version 1.9 the web UI has the noise schedule in a field of its own.
    let sampler: String = try value("Sampler")
    let name = fields["Schedule type"] == "Karras" ? "\(sampler) Karras" : sampler
    guard let scheduler = SchedulerName(displayName: name) else {
      throw SDError(.incompatible, "generation parameters: there is no scheduler for the sampler \"\(name)\"")
    }
    self.scheduler = scheduler

    let mark = "Negative prompt:"
    let split = lines.firstIndex { $0.hasPrefix(mark) } ?? lines.endIndex
    prompt = lines[..<split].joined(separator: "\n")
    negativePrompt = lines[split...].joined(separator: "\n").dropFirst(mark.count).trimmed
  }
}
