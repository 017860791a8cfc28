import GraphIR
import TestSupport
import Testing

/// What `sd-run` says of a plan that is damaged, newer or no plan at all.
struct DamagedPlanTests {
  /// `PLAN` in the message stands for the file's path.
  private func refuse(
    _ bytes: some Sequence<UInt8>, _ message: String, status: Int32 = 3,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try withTemporaryFolder { folder in
      let plan = "\(folder)/x.sdplan"
      put(bytes, plan)
      for arguments in [["--inspect"], ["--prompt", "x", "-o", "\(folder)/x.png", "--no-mmap"]] {
        try expectRefusal(
          "sd-run", [plan] + arguments, status, message.replacing("PLAN", with: plan), sourceLocation: sourceLocation)
      }
      try expectRefusal(
        "sd-bench", [plan], status, message.replacing("PLAN", with: plan), sourceLocation: sourceLocation)
      #expect(entries(of: folder) == ["x.sdplan"], sourceLocation: sourceLocation)
    }
  }

  private func plan() throws -> [UInt8] { try #require(get(MicroModel.sd15.plan()) as [UInt8]?) }

  @Test func missing() throws {
    try expectRefusal("sd-run", ["/nowhere.sdplan", "--inspect"], 3, "/nowhere.sdplan: the file does not exist")
    try expectRefusal("sd-run", ["/tmp", "--inspect"], 3, "/tmp: a file is required, this is a folder")
    try expectRefusal(
      "sd-run", ["/dev/zero", "--inspect"], 3, "/dev/zero: a file is required, this is a device, pipe or socket")
  }

  @Test func truncated() throws {
    let plan = try plan()
    let incomplete = "the copy or download is incomplete."
    try refuse([], "cannot load 'PLAN': the file is empty")
    try refuse(plan.prefix(5), "cannot load 'PLAN': the file has 5 bytes: \(incomplete)")
    try refuse(plan.prefix(127), "cannot load 'PLAN': the file has 127 bytes: \(incomplete)")
    for count in [128, 4096, plan.count - 1] {
      try refuse(
        plan.prefix(count),
        "cannot load 'PLAN': the file has \(count) bytes but should have \(plan.count): \(incomplete)")
    }
  }

  @Test func flippedBits() throws {
    var plan = try plan()
    plan[24] ^= 1
    try refuse(plan, "cannot load 'PLAN': its header is damaged (checksum differs). Copy it again, or recompile.")
    plan[24] ^= 1
    plan[200] ^= 0x80
    try refuse(plan, "cannot load 'PLAN': its section table is damaged (digest differs). Copy it again, or recompile.")
    plan[200] ^= 0x80
    plan[plan.count - 1] ^= 4
    try refuse(plan, "cannot load 'PLAN': section 'FALL' is damaged (digest differs). Copy it again, or recompile.")
  }

  /// Weights are checked on demand: reading gigabytes at every start would cost seconds.
  @Test func damagedWeights() throws {
    try withTemporaryFolder { folder in
      var bytes = try plan()
      bytes[4096 + 64] ^= 4
      let plan = "\(folder)/x.sdplan"
      put(bytes, plan)
      let outcome = try ToolProcess.run("sd-run", plan, "--inspect", environment: ["SD_VERIFY": "1"])
      #expect(outcome.status == 3)
      #expect(
        outcome.errors.wholeMatch(
          of:
            #/sd-run: cannot load '.*/x.sdplan': weight 'text_encoder/.*' is damaged \(digest differs\). Copy it again, or recompile.\n/#
        )
          != nil, "\(outcome.errors)")
      #expect(try ToolProcess.run("sd-run", plan, "--inspect").status == 0)
    }
  }

  @Test(arguments: [
    ("\u{89}PNG\r\n\u{1A}\n", " (it seems to be a PNG picture)"),
    ("PK\u{3}\u{4}\u{14}\u{0}", " (it seems to be a zip: a .ckpt or .pt checkpoint, or an archive)"),
    ("GGUF\u{3}\u{0}\u{0}\u{0}", " (it seems to be a GGUF model)"),
    ("<!DOCTYPE html><html>", " (it seems to be a web page: the download went wrong)"),
    (
      "version https://git-lfs.github.com/spec/v1",
      " (it seems to be a Git LFS pointer: fetch the real file with git lfs pull)"
    ),
    ("{\"_class_name\": \"StableDiffusionPipeline\"}", " (it seems to be JSON)"),
    ("hello", ""),
  ])
  func foreign(start: String, guess: String) throws {
    let bytes = start.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
    try refuse(bytes, "cannot load 'PLAN': not a plan\(guess). sd-compile makes plans.")
  }

  @Test func otherFilesOfTheModel() throws {
    let weights = try #require(get("\(MicroModel.sd15.folder)/vae/diffusion_pytorch_model.safetensors") as [UInt8]?)
    try refuse(
      weights,
      "cannot load 'PLAN': not a plan (it seems to be safetensors weights: give sd-compile the model's folder). "
        + "sd-compile makes plans.")
    try refuse(
      try plan().flatMap { $0 == 0x0D ? [] : [$0] },
      "cannot load 'PLAN': the file was changed in transfer (line endings converted). Copy it again in binary mode.")
  }
}
