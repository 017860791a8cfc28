import TestSupport
import Testing

/// Command lines that make no sense: what is wrong, what would be right, exit code 2, and nothing is written.
struct UsageTests {
  private static let steps = "scheduler pndm takes 1 ... 1000 steps, not"
  private static let size = "a size is HEIGHTxWIDTH in pixels, such as 512x512; got"
  private static let seed = "a seed must be in 0 ... 18446744073709551615, it is"

  @Test(arguments: [
    (["--steps", "0"], "\(steps) 0"),
    (["--steps", "-3"], "\(steps) -3"),
    (["--steps", "1001"], "\(steps) 1001"),
    (
      ["--scheduler", "eulr"],
      """
      there is no scheduler "eulr"; known: pndm ddim lms euler euler-a heun dpm++2m dpm++2m-karras unipc lcm
        did you mean euler?
      """
    ),
    (["--guidance-scale", "nan"], "the guidance scale must be a number, it is nan"),
    (["--guidance-scale", "-inf"], "the guidance scale must be a number, it is -inf"),
    (["--seed", "-1"], "\(seed) '-1'"),
    (["--seed", "18446744073709551616"], "\(seed) '18446744073709551616'"),
    (["--seed", "0x10"], "\(seed) '0x10'"),
    (
      ["--seed", "18446744073709551615", "--num-images", "2"],
      "seed 18446744073709551615 is too large for 2 pictures"
    ),
    (["--size", "banana"], "\(size) 'banana'"),
    (["--size", "7x8"], "height and width must be in 8 ... 16384 pixels, they are 7 and 8"),
    (
      ["--size", "80x56"],
      """
      'PLAN' was not compiled for 80x56; it has 72x56
        Compile it with --size 80x56 as well; sizes share their weights.
      """
    ),
    (["--num-images", "0"], "the number of pictures must be in 1 ... 10000, it is 0"),
    (["--preview-every", "0"], "previews must be at least 1 step apart, not 0"),
    (["--threads", "0"], "threads must be in 1 ... 4096, they are 0"),
    (
      ["--device", "gpu"],
      """
      unknown device 'gpu'
        Did you mean 'cpu'? The devices are auto, cpu, cuda, cuda:1 ..., reference.
      """
    ),
    (
      ["--component", "unett"],
      """
      unknown component 'unett'
        Did you mean 'unet'? The components are text_encoder, unet, vae_decoder, vae_encoder.
      """
    ),
    (["--component", "unet"], "--component needs --inputs and --outputs"),
  ])
  func run(arguments: [String], message: String) throws {
    try withTemporaryFolder { folder in
      let plan = try MicroModel.sd15.plan()
      try expectRefusal(
        "sd-run", [plan, "--prompt", "x", "-o", "\(folder)/x.png"] + arguments, 2,
        message.replacing("PLAN", with: plan))
      #expect(entries(of: folder) == [])
    }
  }

  @Test func nothingToDo() throws {
    try expectRefusal(
      "sd-run", [MicroModel.sd15.plan()], 2,
      """
      --prompt is missing
        Or --inspect, or --component. See sd-run --help.
      """)
  }

  @Test(arguments: [
    (
      ["MODEL", "--size", "73x56"],
      "height and width must be multiples of 8, they are 73 and 56\n  The nearest size is 72x56."
    ),
    (["MODEL", "--precision", "int8"], "unknown precision 'int8'\n  It must be auto, fp32, bf16 or fp16."),
    (
      ["MODEL", "--target", "tpu"],
      "unknown target 'tpu'\n  The targets are cpu, cuda, and cuda:sm_90 for one family of GPUs."
    ),
    (
      ["MODEL", "--target", "cuda:sm_75"],
      "unknown family of GPUs 'sm_75' in the target 'cuda:sm_75'\n  The families are sm_80, sm_86, sm_89, sm_90, sm_100, sm_120."
    ),
    (
      ["MODEL", "--target", "cuda:sm_91"],
      "unknown family of GPUs 'sm_91' in the target 'cuda:sm_91'\n  The families are sm_80, sm_86, sm_89, sm_90, sm_100, sm_120."
    ),
    (["MODEL", "--batch", "0"], "the batch must be in 1 ... 64, it is 0"),
    (["MODEL", "--stats=xml"], "--stats prints text or json, not 'xml'"),
    (["MODEL", "--rewrite-limit=-1"], "the rewrite limit must be at least 0, it is -1"),
    (["MODEL", "--random-weights", "-3"], "\(seed) '-3'"),
    (
      ["MODEL", "--components", "unet,vae"],
      "unknown component 'vae'\n  The components are text_encoder, unet, vae_decoder, vae_encoder."
    ),
    (
      ["MODEL", "--disable-pass", "fuse-atention"],
      """
      there is no pass 'fuse-atention'
        Did you mean 'fuse-attention'? The passes are simplify, fold-constants, fuse-attention, merge-projections, \
      sink-row, fuse-group-norm-silu, fuse-conv, fuse-geglu, split-concat, phase-conv, fold-norm-affine, share-prefix, fuse-normalize, choose-precision, fuse-feed-forward, fuse-statistics, hoist, derive-weights.
      """
    ),
    ([], "name either a MODEL folder or an --arch"),
    (["MODEL", "--arch", "sd15"], "name either a MODEL folder or an --arch"),
    (["--arch", "sd15"], "--arch has no weights: it needs --random-weights SEED"),
    (["--arch", "sd16", "--random-weights", "1"], "architecture \"sd16\" is not supported, known are sd15, sd21"),
  ])
  func compile(arguments: [String], message: String) throws {
    try withTemporaryFolder { folder in
      let arguments = arguments.map { $0 == "MODEL" ? MicroModel.sd15.folder : $0 }
      try expectRefusal("sd-compile", arguments + ["-o", "\(folder)/x.sdplan"], 2, message)
      #expect(entries(of: folder) == [])
    }
  }

  @Test(arguments: [
    (["--runs", "0"], "runs must be in 1 ... 10000, they are 0"),
    (["--threads", "-1"], "Missing value for '--threads <threads>'"),
    (
      ["--component", "vae"],
      "unknown component 'vae'\n  The components are text_encoder, unet, vae_decoder, vae_encoder."
    ),
  ])
  func bench(arguments: [String], message: String) throws {
    let outcome = try ToolProcess("sd-bench", [MicroModel.sd15.plan()] + arguments).wait()
    #expect(outcome.status == 2)
    #expect(outcome.errors.hasPrefix("sd-bench: \(message)\n"), "\(outcome.errors)")
  }

  @Test(arguments: [
    (["x", "--peers", "true"], "--peers needs --compare"),
    (["--stress", "0"], "--stress takes 1 ... 86400 seconds, not 0"),
    (["--stress", "86401"], "--stress takes 1 ... 86400 seconds, not 86401"),
    (["x", "--stress", "1"], "--stress takes no plan, it got 'x'"),
    (["--stress", "1", "--threads", "0"], "threads must be in 1 ... 1024 with --stress, they are 0"),
  ])
  func benchWithoutPlan(arguments: [String], message: String) throws {
    try expectRefusal("sd-bench", arguments, 2, message)
  }

  /// What the argument parser itself refuses also exits with 2, not with its own 64.
  @Test(arguments: ["sd-compile", "sd-run", "sd-bench"]) func unknownOptions(tool: String) throws {
    let outcome = try ToolProcess.run(tool, "x", "-o", "y", "--bogus")
    #expect(outcome.status == 2)
    #expect(outcome.errors.hasPrefix("\(tool): Unknown option"), "\(outcome.errors)")
    let none = try ToolProcess.run(tool)
    #expect(none.status == 2)
    #expect(none.errors.hasPrefix("\(tool): Missing expected argument '"), "\(none.errors)")
    #expect(none.errors.hasSuffix("\n  See '\(tool) --help' for more information.\n"), "\(none.errors)")
  }

  @Test func environment() throws {
    try expectRefusal(
      "sd-run", [MicroModel.sd15.plan(), "--inspect"], 2,
      "SD_CPU is 'fast', it must be one of generic, avx2, avx512, amx",
      environment: ["SD_CPU": "fast"])
    for (name, value, rule) in [
      ("SD_DEBUG", "on", "0, 1, 2, 3 or 4"), ("SD_CHECK_NAN", "yes", "0 or 1"), ("SD_VERIFY", "2", "0 or 1"),
      ("SD_MEMORY", "2GiB", "a number of bytes"), ("SD_MEMORY", "-1", "a number of bytes"),
    ] {
      for tool in ["sd-run", "sd-bench"] {
        try expectRefusal(
          tool, [MicroModel.sd15.plan()], 2, "\(name) is '\(value)', it must be \(rule)", environment: [name: value])
      }
    }
  }

  /// However long a name is, a message is at most 3,000 characters.
  @Test func longMessages() throws {
    let outcome = try ToolProcess.run("sd-run", "/" + String(repeating: "x", count: 5_000), "--inspect")
    #expect(outcome.status == 3)
    #expect((1...3_000).contains(outcome.errors.count))
    #expect(outcome.errors.hasPrefix("sd-run: /xxx"))
  }
}
