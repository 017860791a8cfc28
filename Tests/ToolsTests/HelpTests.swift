import TestSupport
import Testing

struct HelpTests {
  @Test(arguments: [
    (
      "sd-compile",
      [
        "<model>", "--arch", "-o, --output", "--size", "--batch", "--precision", "--target", "--components",
        "--random-weights", "--disable-pass", "--rewrite-limit", "--dump-dir", "--check-passes", "--stats", "--quiet",
        "--verbose", "--version", "-h, --help",
      ]
    ),
    (
      "sd-run",
      [
        "<plan>", "--prompt", "--negative-prompt", "--seed", "--steps", "--guidance-scale", "--scheduler",
        "--num-images", "--size", "-o, --output", "--threads", "--device", "--latents-in", "--latents-out",
        "--preview-every", "--profile", "--component", "--inputs", "--outputs", "--inspect", "--no-mmap",
        "--allow-fallback", "--quiet", "--version", "-h, --help",
      ]
    ),
    (
      "sd-bench",
      [
        "<plan>", "--component", "--runs", "--threads", "--json", "--compare", "--peers", "--stress", "--version",
        "-h, --help",
      ]
    ),
  ])
  func help(tool: String, options: [String]) throws {
    for flag in ["--help", "-h"] {
      let outcome = try ToolProcess.run(tool, flag)
      #expect(outcome.status == 0)
      #expect(outcome.errors == "")
      for option in options {
        #expect(outcome.output.contains(try Regex("\n +\(option)[ \n]")), "\(tool) \(flag) lacks \(option)")
      }
      #expect(outcome.output.contains("USAGE: \(tool) "))
    }
  }

  @Test(arguments: ["sd-compile", "sd-run", "sd-bench"]) func version(tool: String) throws {
    let outcome = try ToolProcess.run(tool, "--version")
    #expect(outcome.status == 0)
    #expect(outcome.output.wholeMatch(of: #/\d+\.\d+\.\d+\n/#) != nil)
  }
}
