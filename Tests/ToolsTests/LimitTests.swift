import GraphIR
import TestSupport
import Testing

/// Too little memory, and results that are not numbers.
struct LimitTests {
  /// All that a run needs at the same time is added up and compared before anything is read.
  @Test(arguments: ["--quiet", "--no-mmap"]) func memory(option: String) throws {
    try withTemporaryFolder { folder in
      let outcome = try ToolProcess.run(
        "sd-run", MicroModel.sd15.plan(), "--prompt", "x", "-o", "\(folder)/x.png", option,
        environment: ["SD_MEMORY": "1000000"])
      #expect(outcome.status == 5)
      let message =
        #/sd-run: needs (\d+\.\d) MiB of memory \(weights (\d+\.\d) MiB, arena (\d+\.\d) MiB, scratch (\d+\.\d) MiB\); 1\.0 MiB are available\n  Compile for a smaller --size or --batch, or with --precision bf16\.\n/#
      let numbers = try #require(try message.wholeMatch(in: outcome.errors)).output
      let parts = [numbers.2, numbers.3, numbers.4].compactMap { Double($0) }
      #expect(abs((Double(numbers.1) ?? 0) - parts.reduce(0, +)) < 0.2)
      #expect(parts[0] >= 1.5 && parts[1] >= 0.3)
      #expect(entries(of: folder) == [])
    }
  }

  /// Weights that are not numbers, and ones that overflow.
  @Test(arguments: [("fp32", Float.nan), ("fp32", .infinity), ("fp16", 1e6), ("bf16", .infinity)])
  func notANumber(precision: String, weight: Float) throws {
    try withTemporaryFolder { folder in
      let checkpoint = try Checkpoint(in: folder)
      try checkpoint.edit("unet") { $0["conv_in.weight"]?.values[0] = weight }
      let plan = "\(folder)/x.sdplan"
      let compiled = try ToolProcess.run(
        "sd-compile", checkpoint.folder, "-o", plan, "--precision", precision, "--size", "72x56", "--quiet")
      #expect(compiled.status == 0)
      let advice = precision == "fp16" ? " float16 overflows above 65504: compile with --precision bf16." : ""
      try expectRefusal(
        "sd-run", [plan, "--prompt", "x", "--quiet", "-o", "\(folder)/x.png"], 7,
        """
        the latents hold values that are not finite after step 1
          SD_CHECK_NAN=1 names the first operation that makes them.\(advice)
        """)
      let named = try ToolProcess.run(
        "sd-run", plan, "--prompt", "x", "--quiet", "-o", "\(folder)/x.png", environment: ["SD_CHECK_NAN": "1"])
      #expect(named.status == 7)
      #expect(
        named.errors.hasPrefix("sd-run: 'unet': the first result that is not a number is that of 'unet.conv_in' ("),
        "\(named.errors)")
      #expect(entries(of: folder) == ["model", "x.sdplan"])
    }
  }

  @Test func pictureThatIsNotANumber() throws {
    try withTemporaryFolder { folder in
      let checkpoint = try Checkpoint(in: folder)
      try checkpoint.edit("vae") { $0["decoder.conv_out.bias"]?.values[2] = .nan }
      let plan = "\(folder)/x.sdplan"
      _ = try ToolProcess.run(
        "sd-compile", checkpoint.folder, "-o", plan, "--precision", "fp32", "--size", "72x56", "--quiet")
      try expectRefusal(
        "sd-run", [plan, "--prompt", "x", "--steps", "4", "--quiet", "-o", "\(folder)/x.png"], 7,
        """
        the decoded picture holds values that are not finite
          SD_CHECK_NAN=1 names the first operation that makes them.
        """)
      #expect(entries(of: folder) == ["model", "x.sdplan"])
    }
  }
}
