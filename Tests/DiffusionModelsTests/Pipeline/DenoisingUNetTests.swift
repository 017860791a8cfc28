import GraphIR
import TestSupport
import Testing

@testable import DiffusionModels

struct DenoisingUNetTests {
  /// Without guidance the prompt's prediction counts, whichever graph computes it.
  @Test func unguided() throws {
    let model = try MicroModel.sd15.compiled(.init(sizes: [Golden.size], batch: 2))
    let count = 9 * 7 * model.info.latentChannels
    let samples = (0..<2).map { Tensor.random([count], seed: $0).values }
    let context = model.info.tokens * model.info.contextWidth
    let (prompt, negative) = (Tensor.random([context], seed: 2).values, Tensor.random([context], seed: 3).values)
    func predict(isGuided: Bool, guidance: Float) throws -> [[Float]] {
      let unet = try DenoisingUNet(model, model.info.denoisingKey(Golden.size, isGuided: isGuided))
      #expect(unet.isGuided == isGuided)
      try unet.setPrompt(prompt, negative: negative)
      unet.setSchedule([981, 481])
      return try unet.predict(samples, at: 1, guidance: guidance)
    }
    let alone = try predict(isGuided: false, guidance: 1)
    let guided = try predict(isGuided: true, guidance: 1)
    #expect(alone.map(\.count) == [count, count])
    for (a, b) in zip(alone, guided) { #expect(nmse(a, b) <= 1e-10) }
    #expect(try predict(isGuided: true, guidance: 3) != guided)
  }

  /// A plan of an earlier version, which has one graph for both, is still drawn with.
  @Test func earlierPlans() throws {
    var info = try MicroModel.sd15.compiled().info
    #expect(info.denoisingKey(Golden.size, isGuided: false).entry == "unguided")
    info.graphs.removeAll { $0.key.entry == "unguided" }
    for isGuided in [false, true] {
      #expect(info.denoisingKey(Golden.size, isGuided: isGuided).entry == "guided")
    }
  }
}
