import DiffusionModels
import GraphIR
import GraphRuntime
import Testing

struct CLIPTextEncoderTests {
  @Test(arguments: [(Architecture.sd15, 196, 123_060_480), (.sd21, 372, 340_387_840)])
  func parameters(architecture: Architecture, tensors: Int, elements: Int) throws {
    let graph = try declareTextEncoder(ModelDescription(architecture).textEncoder, batch: 1)
    let names = graph.parameters.map(\.parameter.name)
    #expect(names.count == tensors)
    #expect(Set(names).count == names.count)
    #expect(names.allSatisfy { $0.hasPrefix("text_model.") })
    #expect(graph.parameterElements == elements)
    let locations = graph.parameters.map { graph[$0.id].location }
    #expect(locations.allSatisfy { $0.hasPrefix("text_encoder.text_model.") })
  }

  @Test func activationFollowsConfiguration() throws {
    let sd15 = try declareTextEncoder(ModelDescription(.sd15).textEncoder, batch: 2)
    let sd21 = try declareTextEncoder(ModelDescription(.sd21).textEncoder, batch: 2)
    #expect(sd15.outputShape("last_hidden_state") == [2, 77, 768])
    #expect(sd15.opCounts()["sd.quick_gelu"] == 12)
    #expect(sd15.opCounts()["sd.softmax"] == 12)
    #expect(sd15.opCounts()["sd.causal_mask"] == 1)
    #expect(sd21.outputShape("last_hidden_state") == [2, 77, 1024])
    #expect(sd21.opCounts()["sd.gelu"] == 23)
  }

  @Test func laterTokensAreHidden() throws {
    let members: JSON = [
      "vocab_size": 9, "max_position_embeddings": 5, "hidden_size": 6, "intermediate_size": 8,
      "num_hidden_layers": 2, "num_attention_heads": 2,
    ]
    let configuration = try TextEncoderConfiguration(
      JSON.Config(members, file: "text_encoder/config.json"))
    let graph = try declareTextEncoder(configuration, batch: 1, tokens: 4)
    func run(_ ids: [Float]) throws -> [Float] {
      try Interpreter().run(
        graph, inputs: ["input_ids": Tensor(TensorType(.i32, [1, 4]), ids)], parameters: Graph.weights
      )["last_hidden_state"]?.values ?? []
    }
    let (a, b) = (try run([1, 2, 3, 4]), try run([1, 2, 8, 4]))
    #expect(a.prefix(12) == b.prefix(12))
    #expect(a.suffix(6) != b.suffix(6))
    #expect(throws: SDError(.usage, "text_encoder: 6 tokens, the model has 5 positions")) {
      try declareTextEncoder(configuration, batch: 1, tokens: 6)
    }
  }
}
