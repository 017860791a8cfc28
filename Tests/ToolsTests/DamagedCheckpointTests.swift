import GraphIR
import TestSupport
import Testing

/// What `sd-compile` says of a checkpoint that is not whole, and that it writes nothing then.
struct DamagedCheckpointTests {
  private static let invalid: Int32 = 3
  private static let incompatible: Int32 = 4

  /// Damages a copy of a checkpoint and expects a refusal; `MODEL` in the message stands for its folder.
  private func refuse(
    _ status: Int32, _ message: String, sourceLocation: SourceLocation = #_sourceLocation,
    damage: (Checkpoint) throws -> Void
  ) throws {
    try withTemporaryFolder { folder in
      let checkpoint = try Checkpoint(in: folder)
      try damage(checkpoint)
      try expectRefusal(
        "sd-compile", [checkpoint.folder, "-o", "\(folder)/x.sdplan"], status,
        message.replacing("MODEL", with: checkpoint.folder), sourceLocation: sourceLocation)
      #expect(entries(of: folder) == ["model"], sourceLocation: sourceLocation)
    }
  }

  @Test func missingFiles() throws {
    try expectRefusal(
      "sd-compile", ["/nowhere/model", "-o", "/tmp/x.sdplan"], Self.invalid,
      "/nowhere/model/model_index.json: the file does not exist")
    for file in ["model_index.json", "unet/config.json", "scheduler/scheduler_config.json", "tokenizer/merges.txt"] {
      try refuse(Self.invalid, "MODEL/\(file): the file does not exist") { removeTree("\($0.folder)/\(file)") }
    }
    try refuse(
      Self.invalid,
      """
      MODEL/vae: no weights there: neither diffusion_pytorch_model.safetensors nor \
      diffusion_pytorch_model.safetensors.index.json
        Only safetensors files are read. --random-weights 0 compiles without weights.
      """
    ) { removeTree($0.weights("vae")) }
  }

  @Test func foreignWeights() throws {
    try refuse(
      Self.invalid, "MODEL/unet/diffusion_pytorch_model.safetensors: 0 bytes are no safetensors file, it has at least 8"
    ) {
      put([], $0.weights("unet"))
    }
    try refuse(
      Self.invalid,
      """
      MODEL/unet/diffusion_pytorch_model.safetensors: not a safetensors file: the header would take 2336927755350992246 \
      bytes of at most 100000000
        It is a Git LFS pointer, not the file itself: run `git lfs pull`.
      """
    ) {
      put("version https://git-lfs.github.com/spec/v1\n".utf8, $0.weights("unet"))
    }
    try refuse(
      Self.invalid,
      """
      MODEL/unet/diffusion_pytorch_model.safetensors: not a safetensors file: the header would take 33586711579472 \
      bytes of at most 100000000
        It is a zip archive, perhaps a PyTorch checkpoint: convert it to safetensors.
      """
    ) {
      put([0x50, 0x4B, 3, 4, 0x8C, 0x1E, 0, 0, 0], $0.weights("unet"))
    }
  }

  @Test func truncatedWeights() throws {
    try refuse(
      Self.invalid,
      """
      MODEL/vae/diffusion_pytorch_model.safetensors: tensor "quant_conv.weight" ends at byte 106494 of the data, the file holds 106493
        The copy or download is incomplete.
      """
    ) {
      let bytes = get($0.weights("vae")) ?? []
      put(bytes.dropLast(), $0.weights("vae"))
    }
    try refuse(
      Self.invalid,
      """
      MODEL/vae/diffusion_pytorch_model.safetensors: the header takes 18416 bytes, only 992 are there
        The copy or download is incomplete.
      """
    ) {
      let bytes = get($0.weights("vae")) ?? []
      put(bytes.prefix(1_000), $0.weights("vae"))
    }
  }

  @Test func damagedHeaders() throws {
    let path = "MODEL/text_encoder/model.safetensors"
    try refuse(
      Self.invalid,
      "\(path): tensor \"text_model.embeddings.position_embedding.weight\" takes 2464 bytes (F16 [77, 16]), its "
        + "data_offsets are [2, 2464]"
    ) {
      $0.editHeader("text_encoder") { $0.replacing("[0,2464]", with: "[2,2464]").utf8 }
    }
    try refuse(
      Self.invalid,
      "\(path): tensor \"text_model.embeddings.token_embedding.weight\" overlaps the tensor before it: it begins at "
        + "byte 2462 of the data, that ends at 2464"
    ) {
      $0.editHeader("text_encoder") { $0.replacing("[2464,20960]", with: "[2462,20958]").utf8 }
    }
    try refuse(Self.invalid, "\(path): tensor \"text_model.final_layer_norm.bias\" appears twice") {
      $0.editHeader("text_encoder") {
        $0.replacing("text_model.final_layer_norm.weight", with: "text_model.final_layer_norm.bias").utf8
      }
    }
    try refuse(Self.invalid, "\(path): byte offset 11: not UTF-8") {
      $0.editHeader("text_encoder") { Array($0.utf8.prefix(3)) + [0xFF, 0xFE] + Array($0.utf8.dropFirst(5)) }
    }
    try refuse(
      Self.invalid,
      "\(path): tensor \"text_model.embeddings.position_embedding.weight\" has an unknown dtype: \"F17\""
    ) {
      $0.editHeader("text_encoder") { $0.replacing("\"F16\"", with: "\"F17\"").utf8 }
    }
    try refuse(Self.invalid, "\(path): 1 bytes behind the last tensor belong to none") {
      put((get($0.weights("text_encoder")) ?? []) + [0], $0.weights("text_encoder"))
    }
  }

  @Test func otherTensors() throws {
    let path = "MODEL/unet/diffusion_pytorch_model.safetensors: the tensors are not those of the model:"
    try refuse(
      Self.incompatible,
      """
      \(path) 1 missing, 1 extra, 0 of another shape or type
        missing "conv_out.bias" (nearest: "conv_out.bais")
        extra "conv_out.bais" (nearest: "conv_out.bias")
      """
    ) {
      try $0.edit("unet") {
        $0["conv_out.bais"] = $0["conv_out.bias"]
        $0["conv_out.bias"] = nil
      }
    }
    try refuse(
      Self.incompatible,
      """
      \(path) 0 missing, 0 extra, 1 of another shape or type
        wrong "conv_in.bias": it is F32 [7], required [8]
      """
    ) {
      try $0.edit("unet") { $0["conv_in.bias"] = Tensor([7], [Float](repeating: 0, count: 7)) }
    }
    try refuse(
      Self.incompatible,
      """
      MODEL/text_encoder/model.safetensors: the tensors are not those of the model: 0 missing, 0 extra, 1 of another \
      shape or type
        wrong "text_model.final_layer_norm.bias": it is I32 [8], required F32, F16 or BF16 [16]
      """
    ) {
      $0.editHeader("text_encoder") {
        $0.replacing(#/"text_model.final_layer_norm.bias":{"dtype":"F16","shape":\[16\]/#) { _ in
          "\"text_model.final_layer_norm.bias\":{\"dtype\":\"I32\",\"shape\":[8]"
        }.utf8
      }
    }
    // The half of the autoencoder that is not compiled may miss or bring what it likes.
    try withTemporaryFolder { folder in
      let checkpoint = try Checkpoint(in: folder)
      try checkpoint.edit("vae") { tensors in tensors = tensors.filter { !$0.key.hasPrefix("encoder.") } }
      let outcome = try ToolProcess.run(
        "sd-compile", checkpoint.folder, "-o", "\(folder)/x", "--components", "vae_decoder", "--quiet")
      #expect(outcome.status == 0)
    }
  }

  /// Many differences: ten of each kind are named.
  @Test func manyOtherTensors() throws {
    try withTemporaryFolder { folder in
      let checkpoint = try Checkpoint(in: folder)
      try checkpoint.edit("text_encoder") { tensors in
        tensors = Dictionary(
          uniqueKeysWithValues: tensors.map { ($0.key.replacing("layers", with: "layer"), $0.value) })
      }
      let outcome = try ToolProcess.run("sd-compile", checkpoint.folder, "-o", "\(folder)/x")
      let lines = outcome.errors.split(separator: "\n")
      #expect(outcome.status == Self.incompatible)
      #expect(lines.first?.hasSuffix(": 32 missing, 32 extra, 0 of another shape or type") == true)
      #expect(lines.count { $0.hasPrefix("  missing ") } == 10)
      #expect(lines.count { $0.hasPrefix("  extra ") } == 10)
      #expect(lines.last == "  and 44 more")
      #expect(outcome.errors.utf8.count <= 3_000)
    }
  }

  @Test func damagedConfigurations() throws {
    try refuse(Self.invalid, "MODEL/vae/config.json: byte offset 18: expected '\"', found the end") {
      put("{\"act_fn\": \"silu\",".utf8, "\($0.folder)/vae/config.json")
    }
    try refuse(
      Self.incompatible,
      "MODEL/unet/config.json: \"down_block_types\" names \"ResnetDownsampleBlock2D\", supported are "
        + "\"CrossAttnDownBlock2D\", \"DownBlock2D\""
    ) {
      try $0.replace("unet/config.json", "\"DownBlock2D\"", "\"ResnetDownsampleBlock2D\"")
    }
    try refuse(
      Self.invalid,
      "MODEL/unet/config.json: \"layers_per_block\" must be an integer or an array of 4 integers, it is \"two\""
    ) {
      try $0.replace("unet/config.json", "\"layers_per_block\": 2", "\"layers_per_block\": \"two\"")
    }
    try refuse(
      Self.invalid,
      "MODEL/scheduler/scheduler_config.json: scheduler configuration: beta_schedule is \"quadratic\"; it must be one "
        + "of linear, scaled_linear, squaredcos_cap_v2"
    ) {
      try $0.replace("scheduler/scheduler_config.json", "\"scaled_linear\"", "\"quadratic\"")
    }
    try refuse(
      Self.incompatible,
      "MODEL/model_index.json: \"_class_name\" is \"FluxPipeline\", supported is \"StableDiffusionPipeline\" or "
        + "\"StableDiffusionImg2ImgPipeline\" or \"StableDiffusionInpaintPipeline\""
    ) {
      try $0.replace("model_index.json", "\"StableDiffusionPipeline\"", "\"FluxPipeline\"")
    }
  }

  @Test func vocabularies() throws {
    try refuse(
      Self.invalid,
      """
      the tokenizer gives "<|endoftext|>" the id 578, the text encoder's embedding has 578 rows
        the tokenizer and the text encoder belong to different models
      """
    ) {
      try $0.replace("tokenizer/vocab.json", "\"<|endoftext|>\": 577", "\"<|endoftext|>\": 578")
    }
    try refuse(Self.invalid, "MODEL/tokenizer/vocab.json: byte offset 1: expected '\"', found byte 255") {
      put([0x7B, 0xFF], "\($0.folder)/tokenizer/vocab.json")
    }
    try refuse(
      Self.invalid,
      "MODEL/tokenizer/merges.txt: line 34 is \"r e e\", a merge rule is two tokens separated by a space"
    ) {
      try $0.replace("tokenizer/merges.txt", "r e", "r e e")
    }
  }
}
