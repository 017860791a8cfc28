import DiffusionModels
import GraphIR
import TestSupport
import Testing

struct VAETests {
  private let vae: VAEConfiguration

  init() throws { vae = try ModelDescription(.sd15).vae }

  @Test func parameters() throws {
    let decoder = try declareVAEDecoder(vae, batch: 1, height: 64, width: 64)
    let encoder = try declareVAEEncoder(vae, batch: 1, height: 512, width: 512)
    let names = (decoder.parameters + encoder.parameters).map(\.parameter.name)
    #expect(names.count == 248)
    #expect(Set(names).count == names.count)
    #expect(decoder.parameterElements + encoder.parameterElements == 83_653_863)
    #expect(decoder.parameterShape("post_quant_conv.weight") == [4, 4, 1, 1])
    #expect(decoder.parameterShape("decoder.mid_block.attentions.0.to_out.0.weight") == [512, 512])
    #expect(encoder.parameterShape("encoder.conv_out.weight") == [8, 512, 3, 3])
  }

  @Test func shapes() throws {
    let decoder = try declareVAEDecoder(vae, batch: 2, height: 9, width: 7)
    #expect(decoder.outputShape("decoded") == [2, 72, 56, 3])
    let encoder = try declareVAEEncoder(vae, batch: 2, height: 79, width: 56)
    #expect(encoder.outputShape("mean") == [2, 9, 7, 4])
    #expect(encoder.outputShape("logvar") == [2, 9, 7, 4])
  }

  @Test func oneAttentionOfOneHead() throws {
    let graph = try declareVAEDecoder(vae, batch: 1, height: 8, width: 8)
    let softmax = graph.nodes.filter { $0.op is Softmax }
    #expect(softmax.map(\.types) == [[TensorType(.f32, [1, 1, 64, 64])]])
    #expect(softmax.map(\.location) == ["vae_decoder.decoder.mid_block.attentions.0"])
  }

  @Test func pictureSmallerThanALatent() throws {
    let error = failure { try declareVAEEncoder(vae, batch: 1, height: 7, width: 64) }
    #expect(error?.code == .invalid)
    #expect(error?.message.hasSuffix("at 'vae_encoder.encoder.down_blocks.2.downsamplers.0.conv'") == true)
    #expect(throws: SDError(.usage, "vae_decoder: height must be at least 1, it is 0")) {
      try declareVAEDecoder(vae, batch: 1, height: 0, width: 8)
    }
  }
}
