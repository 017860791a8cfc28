import DiffusionModels
import Foundation
import TestSupport
import Testing

/// A signal stops a run within a second, and nothing half-written stays behind.
struct SignalTests {
  private let plan: String

  init() throws { plan = try MicroModel.sd15.plan() }

  private func start(_ folder: String, _ arguments: [String] = []) throws -> ToolProcess {
    try ToolProcess(
      "sd-run",
      [
        plan, "--prompt", "x", "--scheduler", "ddim", "--steps", "500", "--num-images", "10000", "-o",
        "\(folder)/x.png",
      ]
        + arguments)
  }

  /// Waits until the run has begun its steps.
  private func waitForSteps(_ process: ToolProcess) throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while !process.errors.contains("steps: ") {
      try #require(ContinuousClock.now < deadline)
      usleep(5_000)
    }
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGHUP]) func run(number: Int32) throws {
    try withTemporaryFolder { folder in
      let process = try start(folder)
      try waitForSteps(process)
      let sent = ContinuousClock.now
      process.signal(number)
      let outcome = process.wait(seconds: 20)
      #expect(ContinuousClock.now - sent < .seconds(2))
      #expect(outcome.status == 128 + number)
      #expect(outcome.errors.hasSuffix("\nsd-run: stopped by signal \(number)\n"), "\(outcome.errors)")
      #expect(outcome.output == "")
      #expect(entries(of: folder) == [])
    }
  }

  /// Pictures that were done stay.
  @Test func finishedPictures() throws {
    try withTemporaryFolder { folder in
      let process = try start(folder, ["--steps", "4"])
      let deadline = ContinuousClock.now + .seconds(60)
      while !entries(of: folder).contains("x-1.png") {
        try #require(ContinuousClock.now < deadline)
        usleep(1_000)
      }
      process.signal(SIGINT)
      #expect(process.wait(seconds: 20).status == 130)
      let files = entries(of: folder)
      #expect(files.starts(with: ["x-0.png", "x-1.png"]))
      for file in files { #expect(try Image(png: get("\(folder)/\(file)") ?? [], file: file).width == 56) }
    }
  }

  /// Weights of the U-Net are on their way to the disk when the signal comes.
  @Test func compile() throws {
    try withTemporaryFolder { folder in
      put("old".utf8, "\(folder)/x.sdplan")
      let process = try ToolProcess(
        "sd-compile",
        [
          "--arch", "sd15", "--random-weights", "1", "--components", "unet", "--size", "64x64", "-o",
          "\(folder)/x.sdplan",
        ])
      let deadline = ContinuousClock.now + .seconds(100)
      while !process.errors.contains("weights: ") {
        try #require(ContinuousClock.now < deadline)
        usleep(5_000)
      }
      let sent = ContinuousClock.now
      process.signal(SIGINT)
      let outcome = process.wait(seconds: 20)
      #expect(ContinuousClock.now - sent < .seconds(2))
      #expect(outcome.status == 130)
      #expect(outcome.errors.hasSuffix("sd-compile: stopped by signal 2\n"))
      #expect(entries(of: folder) == ["x.sdplan"])
      #expect(get("\(folder)/x.sdplan") == Array("old".utf8))
    }
  }

  /// `nohup` means it: a signal that was ignored before stays ignored.
  @Test func ignoredSignal() throws {
    try withTemporaryFolder { folder in
      let process = try ToolProcess(
        "sd-run", [plan, "--prompt", "x", "--scheduler", "ddim", "--steps", "300", "-o", "\(folder)/x.png"],
        shell: "trap '' HUP")
      try waitForSteps(process)
      process.signal(SIGHUP)
      #expect(process.wait().status == 0)
      #expect(entries(of: folder) == ["x.png"])
    }
  }
}
