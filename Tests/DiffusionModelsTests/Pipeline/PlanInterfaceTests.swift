import GraphIR
import GraphRuntime
import TestSupport
import Testing

@testable import DiffusionModels

/// A plan whose header and graphs do not agree is refused before anything is written to or read from its graphs.
struct PlanInterfaceTests {
  private let key = GraphKey(component: .textEncoder, entry: "general")

  private func check(
    _ model: CompiledModel, _ change: (inout PlanInfo) -> Void
  ) throws(SDError) {
    var info = model.info
    change(&info)
    for key in Set(model.info.graphs.map(\.key)) { try PlanInterface.check(model.programs(key), key, info) }
  }

  @Test func agreement() throws {
    let model = try CompiledModel(plan: MicroModel.sd15.plan())
    try check(model) { _ in }
    for change: (inout PlanInfo) -> Void in [
      { $0.scheduleRows /= 2 }, { $0.vaeFactor *= 2 }, { $0.batch = 3 }, { $0.tokens = 76 }, { $0.contextWidth += 1 },
      { $0.latentChannels = 5 },
    ] {
      #expect(throws: SDError.self) { try check(model, change) }
    }
  }

  /// Inputs and outputs are bound by name: one name must not mean two tensors.
  @Test func oneNameForTwoTensors() throws {
    let model = try CompiledModel(plan: MicroModel.sd15.plan())
    let builder = GraphBuilder(name: "text_encoder")
    let ids = try builder.input("input_ids", TensorType(.i32, [1, model.info.tokens]))
    let states = try builder.constant([model.info.vocabulary, model.info.contextWidth], values(model)).gather(ids)
    try builder.output("last_hidden_state", states)
    try builder.output("input_ids", states.silu())
    let program = try lower(builder.graph, with: CPUDevice().library)
    expectError(
      .invalid,
      "the graph of text_encoder general writes 'input_ids' f32[1, 77, \(model.info.contextWidth)], "
        + "which its header does not say"
    ) { try PlanInterface.check([.step: program], key, model.info) }
  }

  private func values(_ model: CompiledModel) -> [Float] {
    [Float](repeating: 0, count: model.info.vocabulary * model.info.contextWidth)
  }
}
