package import GraphIR
import GraphRuntime

/// The files that the pictures of a run go to: `out.png`, or `out-0.png`, `out-1.png` ... when there are several.
package struct PictureFiles: Sendable {
  private let path: String
  private let count: Int

  /// Files named after `path`.
  package init(_ path: String, count: Int) { (self.path, self.count) = (path, count) }

  /// The file of picture `index`.
  package subscript(index: Int) -> String { count == 1 ? path : inserted("-\(index)") }

  /// All files that may be written, previews among them if there are any.
  package func all(previews: Bool) -> [String] {
    (0..<max(1, min(count, StableDiffusion.Request.maximumCount))).flatMap {
      previews ? [self[$0], preview($0)] : [self[$0]]
    }
  }

  private func preview(_ index: Int) -> String { inserted((count == 1 ? "" : "-\(index)") + ".preview") }

  /// Refuses the name of another kind of picture and a folder that is missing or cannot be written, before anything is
  /// computed.
  ///
  /// - Throws: `SDError` (usage, resources).
  package func checkWritable() throws(SDError) {
    let others = [".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".jxl"]
    if others.contains(where: path.lowercased().hasSuffix) {
      throw SDError(
        .usage, "pictures are PNG files, '\(path)' is the name of another kind", hint: "Let it end in .png.")
    }
    for index in 0..<max(1, min(count, 16)) { try AtomicFile.checkWritable(self[index]) }
  }

  /// Writes a picture with its parameters.
  ///
  /// - Throws: `SDError` (resources) when it cannot be written.
  package func write(
    _ picture: StableDiffusion.Picture, _ index: Int, request: StableDiffusion.Request, scheduler: SchedulerName,
    _ model: CompiledModel
  ) throws(SDError) {
    let parameters = GenerationParameters(
      prompt: request.prompt, negativePrompt: request.negativePrompt, steps: request.steps, scheduler: scheduler,
      guidanceScale: request.guidanceScale, seed: picture.seed,
      width: picture.image.width, height: picture.image.height, modelHash: model.shortID, version: PlanInfo.version)
    let text = PNGText(keyword: GenerationParameters.keyword, text: parameters.infotext)
    try store(picture.image.png(texts: [text]), in: self[index])
  }

  /// Writes a preview beside the picture: `out.preview.png`.
  ///
  /// - Throws: `SDError` (resources) when it cannot be written.
  package func writePreview(_ image: Image, _ index: Int) throws(SDError) {
    try store(image.png(), in: preview(index))
  }

  private func store(_ bytes: [UInt8], in path: String) throws(SDError) {
    var file = try AtomicFile(path)
    try file.append(bytes)
    try file.commit()
  }

  /// The path with text before its extension.
  private func inserted(_ text: String) -> String {
    let name = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
    guard let dot = path[name...].lastIndex(of: "."), dot > name else { return path + text }
    return path[..<dot] + text + path[dot...]
  }
}
