import DiffusionModels
import Foundation
import GraphIR
import GraphPasses
import GraphRuntime
import TestSupport
import Testing

/// The tools on a GPU, most often one that is none: the fake driver of Tests/FakeCUDA, which runs the kernels on the CPU.
@Suite struct CUDATests {
  private static let limits: [Precision: Double] = [.fp32: 1e-10, .fp16: 1e-5, .bf16: 5e-4]

  /// Variables with which a tool finds the first GPU.
  private func environment(_ folder: String, _ options: [String: String] = [:]) throws -> [String: String] {
    try TestGPU.all[0].environment(cache: "\(folder)/cache", options)
  }

  /// One forward of each component against diffusers.
  @Test(arguments: MicroModel.all, Precision.allCases) func forwards(model: MicroModel, precision: Precision) throws {
    let golden = try model.golden()
    let plan = try model.plan(.init(precision))
    try withTemporaryFolder { folder in
      for (name, inputs, outputs) in Golden.components {
        try golden.write(inputs, to: "\(folder)/in")
        for gpu in TestGPU.all {
          let outcome = try ToolProcess.run(
            "sd-run", plan, "--component", name, "--inputs", "\(folder)/in", "--outputs", "\(folder)/out", "--device",
            "cuda", environment: gpu.environment(cache: "\(folder)/cache", ["REPORT": "1"]))
          #expect(outcome.status == 0, "\(name): \(outcome.errors)")
          #expect(outcome.errors.split(separator: "\n").allSatisfy { $0.hasSuffix("were re-packed in memory") })
          let results = try TensorFile.read("\(folder)/out")
          for (output, reference) in outputs {
            let own = golden.rounding[precision]?[reference] ?? .infinity
            let limit = try #require(Self.limits[precision])
            expectClose(try #require(results[output]), try golden.tensor(reference), nmse: min(limit, 2 * own))
          }
        }
      }
    }
  }

  /// Whole runs against diffusers, the loop on the GPU: of all samplers, or on the fake driver of one of each kind, which has one
  /// sample, several, noise of its own, or two calls a step. `DenoisingTests` has the bits of all of them.
  @Test func runs() throws {
    let model = MicroModel.sd15
    let (golden, plan) = (try model.golden(), try model.plan())
    try withTemporaryFolder { folder in
      let kinds: [SchedulerName] = [.ddim, .pndm, .eulerAncestral, .heun]
      for run in golden.runs where TestGPU.isReal || kinds.contains(run.scheduler) {
        let outcome = try ToolProcess.run(
          "sd-run", plan, "--prompt", golden.prompt, "--negative-prompt", golden.negativePrompt, "--seed",
          "\(golden.seed)", "--steps", "\(run.steps)", "--guidance-scale", "\(run.guidance)", "--scheduler",
          run.scheduler.rawValue, "-o", "\(folder)/x.png", "--latents-out", "\(folder)/latents", "--device", "cuda",
          environment: environment(folder))
        #expect(outcome.status == 0, "\(outcome.errors)")
        let latents = try TensorFile.latents("\(folder)/latents")
        expectClose(latents, try golden.tensor("run.\(run.name).latents"), nmse: 1e-9)
      }
    }
  }

  /// The same picture from every run, whatever the order in which blocks run; and nearly that of the CPU.
  @Test func pictures() throws {
    let plan = try MicroModel.sd15.plan()
    try withTemporaryFolder { folder in
      var pictures: [[UInt8]] = []
      for (device, order) in [("cuda", "0"), ("cuda:0", "1"), ("auto", "5"), ("cpu", "0")] {
        let outcome = try ToolProcess.run(
          "sd-run", plan, "--prompt", "a cat", "--steps", "3", "--seed", "7", "-o", "\(folder)/x.png",
          "--latents-out", "\(folder)/latents", "--device", device,
          environment: environment(folder, ["ORDER": order]))
        #expect(outcome.status == 0, "\(outcome.errors)")
        pictures.append(try #require(get("\(folder)/latents")))
      }
      #expect(pictures[0] == pictures[1] && pictures[0] == pictures[2])
      #expect(pictures[0] != pictures[3])
      put(pictures[0], "\(folder)/gpu")
      let (gpu, cpu) = (try TensorFile.latents("\(folder)/gpu"), try TensorFile.latents("\(folder)/latents"))
      expectClose(gpu, cpu, nmse: 1e-9)
    }
  }

  /// A GPU whose warp groups multiply otherwise than ours expect: warps do it, and a line says so.
  @Test(.fakeGPU) func wrongProducts() throws {
    let (golden, plan) = (try MicroModel.sd15.golden(), try MicroModel.sd15.plan(.init(.fp16)))
    try withTemporaryFolder { folder in
      let (name, inputs, outputs) = Golden.components[1]
      try golden.write(inputs, to: "\(folder)/in")
      let outcome = try ToolProcess.run(
        "sd-run", plan, "--component", name, "--inputs", "\(folder)/in", "--outputs", "\(folder)/out", "--device",
        "cuda",
        environment: environment(folder, ["SM": "90", "WGMMA": "0"]))
      #expect(outcome.status == 0)
      #expect(
        outcome.errors.contains(
          "note: cuda:0 (Fake GPU sm_90) computes wrong products in 'wgmma_f16_64x64'; it goes on with the slower "
            + "'conv_f16_64x64'\n"), "\(outcome.errors)")
      let results = try TensorFile.read("\(folder)/out")
      for (output, reference) in outputs {
        expectClose(try #require(results[output]), try golden.tensor(reference), nmse: 1e-5)
      }
    }
  }

  /// Pictures of the trained model against the CPU's in float32: PSNR in dB, means over prompts.
  @Test(.realGPU, arguments: [(Precision.fp16, 52.0), (.bf16, 40)]) func shapes(precision: Precision, limit: Double)
    throws
  {
    try withTemporaryFolder { folder in
      func pictures(_ device: DeviceName, _ precision: Precision) throws -> [Image] {
        var compile = PlanCompiler.Options()
        compile.precision = precision
        let plan = "\(folder)/\(precision.rawValue).sdplan"
        _ = try PlanCompiler(ModelSource(folder: "\(repository)/Examples/shapes"), compile).compile(to: plan)
        var options = CompiledModel.Options()
        options.device = device
        let model = try StableDiffusion(CompiledModel(plan: plan, options))
        return try ["red circle on a blue", "yellow star on a black", "green square on a white"].flatMap { prompt in
          try [SchedulerName.pndm, .lms, .dpmSolver].map { scheduler in
            var request = StableDiffusion.Request(prompt: "a \(prompt) background")
            (request.seed, request.steps, request.scheduler) = (32, 20, scheduler)
            return try model.generate(request)[0].image
          }
        }
      }
      let ratios = zip(try pictures(.cuda(0), precision), try pictures(.cpu, .fp32)).map(psnr)
      #expect(ratios.reduce(0, +) / Double(ratios.count) >= limit, "\(ratios)")
    }
  }

  private func psnr(_ a: Image, _ b: Image) -> Double {
    let squares = zip(a.pixels, b.pixels).reduce(0.0) {
      $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1))
    }
    return min(99, -10 * log10(squares / Double(a.pixels.count) / 255 / 255))
  }

  // MARK: What can be missing

  private func expectFailure(
    _ options: [String: String], _ message: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let plan = try MicroModel.sd15.plan()
    try withTemporaryFolder { folder in
      let arguments = [plan, "--prompt", "x", "--steps", "1", "-o", "\(folder)/x.png", "--quiet", "--device"]
      let outcome = try ToolProcess(
        "sd-run", arguments + ["cuda"], environment: environment(folder, options)
      ).wait()
      let lines = outcome.errors.split(separator: "\n").filter { !$0.hasSuffix("were re-packed in memory") }
      #expect(lines.joined(separator: "\n") == "sd-run: \(message)", sourceLocation: sourceLocation)
      #expect(outcome.status == 6 && get("\(folder)/x.png") == nil, sourceLocation: sourceLocation)
    }
  }

  @Test(.fakeGPU) func machines() throws {
    try expectFailure(
      ["FAIL": "cuInit:1:100"],
      """
      cannot start CUDA: the driver finds no GPU
        Check nvidia-smi and CUDA_VISIBLE_DEVICES; a container needs to be given its GPUs (docker run --gpus all).
      """)
    try expectFailure(
      ["DRIVER": "11080"],
      """
      the NVIDIA driver is for CUDA 11.8, CUDA 12.0 or newer is required
        Update the NVIDIA driver to release 525 or newer.
      """)
    try expectFailure(
      ["SM": "75"],
      """
      cuda:0 (Fake GPU sm_75) has compute capability 7.5; there are kernels for 8.0, 8.6, 8.9, 9.0, 10.x and 12.x
        Use --device cpu.
      """)
    try expectFailure(
      ["MEMORY": "100000"],
      """
      needs 1.9 MiB of memory on cuda:0 (weights 0.8 MiB, arena 0.4 MiB, scratch 0.7 MiB); 0.1 MiB are available
        Compile for a smaller --size or --batch, or with --precision bf16.
      """)
    try expectFailure(
      ["FAIL": "cuLaunchKernelEx:5:719"],
      """
      cannot launch the kernel 'attention_any' on cuda:0: a kernel failed (CUDA error 719); the GPU's context is lost
        Start the program again. A kernel or the GPU is defective: SD_DEBUG=4 says which kernels run.
      """)
    try expectFailure(
      ["FAIL": "cuGraphLaunch:2:700"],
      """
      cannot launch a graph on cuda:0: a kernel accessed memory it must not (CUDA error 700); the GPU's context is lost
        Start the program again. A kernel or the GPU is defective: SD_DEBUG=4 says which kernels run.
      """)
    try expectFailure(
      ["FAIL": "cuStreamSynchronize:1:719"],
      """
      cannot download 4928 bytes from cuda:0: a kernel failed (CUDA error 719); the GPU's context is lost
        Start the program again. A kernel or the GPU is defective: SD_DEBUG=4 says which kernels run.
      """)
  }

  /// Whichever allocation fails, there is one sentence and no picture.
  @Test(.fakeGPU) func allocations() throws {
    let plan = try MicroModel.sd15.plan()
    try withTemporaryFolder { folder in
      for number in [1, 2, 3, 5, 10, 20, 40, 80, 160, 320] {
        let outcome = try ToolProcess.run(
          "sd-run", plan, "--prompt", "x", "--steps", "1", "-o", "\(folder)/x.png", "--quiet", "--device", "cuda",
          environment: environment(folder, ["FAIL": "cuMemAlloc_v2:\(number):2"]))
        guard outcome.status != 0 else {
          #expect(number > 160)
          break
        }
        #expect(outcome.status == 6 && get("\(folder)/x.png") == nil)
        #expect(outcome.errors.contains("sd-run: cannot allocate "), "\(outcome.errors)")
      }
    }
  }

  /// `auto` goes on without a GPU, and says so where there is a driver or the plan was made for a GPU.
  @Test(.fakeGPU) func auto() throws {
    let plan = try MicroModel.sd15.plan()
    try withTemporaryFolder { folder in
      let outcome = try ToolProcess.run(
        "sd-run", plan, "--prompt", "x", "--steps", "1", "-o", "\(folder)/x.png", "--quiet",
        environment: environment(folder, ["FAIL": "cuInit:1:100"]))
      #expect(outcome.status == 0 && get("\(folder)/x.png") != nil)
      #expect(
        outcome.errors == """
          note: running on the CPU, since no GPU can be used: cannot start CUDA: the driver finds no GPU

          """)
      // Its peak is the processor's, and lower instruction sets take turns with it.
      let bench = try ToolProcess.run(
        "sd-bench", plan, "--component", "text_encoder", "--runs", "1", "--device", "auto", "--compare",
        environment: environment(folder, ["FAIL": "cuInit:1:100"]))
      #expect(bench.output.contains(" TFLOP/s measured, "), "\(bench.output)\(bench.errors)")
      #expect(bench.output.contains(" generic ") && !bench.output.contains("cpu "), "\(bench.output)")
    }
  }

  // MARK: Comparisons

  /// PyTorch is the peer on a GPU, in the component's own precision.
  @Test func peers() throws {
    let plan = try MicroModel.sd15.plan(.init(.fp16))
    try withTemporaryFolder { folder in
      put(
        """
        echo "$@" > "${0%/*}/arguments"
        echo '{"ready": true}'
        while read line; do echo '{"seconds": 2}'; done
        echo '{"peak_rss": 1048576}'
        """.utf8, "\(folder)/peers.sh")
      let outcome = try ToolProcess.run(
        "sd-bench", plan, "--component", "unet", "--runs", "1", "--device", "cuda", "--compare", "--peers",
        "/bin/sh \(folder)/peers.sh", environment: environment(folder))
      #expect(outcome.status == 0, "\(outcome.errors)")
      let names = outcome.output.split(separator: "\n").map {
        $0.split(separator: " ").prefix(2).joined(separator: " ")
      }
      #expect(names.dropFirst(2).prefix(2) == ["unet cuda:0", "torch 2.00000"], "\(outcome.output)")
      #expect(
        String(decoding: get("\(folder)/arguments") ?? [], as: UTF8.self)
          == "torch unet fp16 --size 72x56 --batch 1 --context 16 --threads 1 --device cuda:0 --serve\n")
    }
  }

  // MARK: Plans for GPUs

  @Test(.fakeGPU) func target() throws {
    try withTemporaryFolder { folder in
      let plan = "\(folder)/x.sdplan"
      let compiled = try ToolProcess.run(
        "sd-compile", MicroModel.sd15.folder, "--target", "cuda:sm_90", "--size", "72x56", "-o", plan, "--quiet",
        environment: environment(folder))
      #expect(compiled.status == 0, "\(compiled.errors)")
      let inspected = try ToolProcess.run("sd-run", plan, "--inspect", "--device", "cpu")
      for line in [
        "precision    fp16, autoencoder bf16", "packed for   cuda", "kernels for  sm_90", "section      KTOC",
      ] {
        #expect(inspected.output.contains("\n\(line)"), "\(inspected.output)")
      }
      // The kernels of the plan are used: there is no compiler now.
      var variables = try environment(folder, ["SM": "90"])
      try copyTree("\(FakeCUDA.folder())/libcuda.so.1", "\(folder)/libcuda.so.1")
      variables["SD_CUDA_LIB_DIR"] = folder
      variables["SD_CACHE_DIR"] = "\(folder)/other"
      for device in ["cuda", "auto", "cpu"] {
        let outcome = try ToolProcess.run(
          "sd-run", plan, "--prompt", "x", "--steps", "1", "-o", "\(folder)/x.png", "--device", device, "--quiet",
          environment: variables)
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.errors.isEmpty == (device != "cpu"), "\(outcome.errors)")
      }
      #expect(entries(of: "\(folder)/other").isEmpty)

      // Nor is there one for kernels that the driver does not take.
      func draw(_ options: [String: String], _ device: String = "cuda") throws -> ToolProcess.Outcome {
        try ToolProcess.run(
          "sd-run", plan, "--prompt", "x", "--steps", "1", "-o", "\(folder)/x.png", "--device", device, "--quiet",
          environment: variables.merging(options) { $1 })
      }
      let refused = ["FAKECUDA_FAIL": "cuModuleLoadData:1:200"]
      let missing = "cannot compile CUDA kernels: libnvrtc.so.13 or .12 was not found"
      let none = try draw(refused)
      #expect(none.status == 6 && none.errors.hasPrefix("sd-run: \(missing)\n"), "\(none.errors)")
      let onCPU = try draw(refused, "auto")
      #expect(onCPU.status == 0, "\(onCPU.errors)")
      #expect(onCPU.errors.hasPrefix("note: running on the CPU, since no GPU can be used: \(missing)\n"))
      let own = try draw(refused.merging(["SD_CUDA_LIB_DIR": FakeCUDA.folder()]) { $1 })
      #expect(own.status == 0 && own.errors.isEmpty, "\(own.errors)")
      #expect(entries(of: "\(folder)/other").count == 1)
    }
  }

  /// Convolutions are timed on this machine's GPU, if the plan is for such, and run as stored.
  @Test func tune() throws {
    try withTemporaryFolder { folder in
      let (plan, environment) = ("\(folder)/x.sdplan", try environment(folder))
      func compile(_ target: String) throws -> ToolProcess.Outcome {
        try ToolProcess.run(
          "sd-compile", MicroModel.sd15.folder, "--target", target, "--size", "72x56", "--components", "text_encoder",
          "-o", plan, "--quiet", "--tune", "--stats", environment: environment)
      }
      let other = try compile("cuda:sm_120")
      #expect(other.status == 2 && get(plan) == nil)
      #expect(
        other.errors.contains(#/^sd-compile: --tune times .* on cuda:0, whose family is \w+; the plan is for sm_120\n/#)
      )

      let family = TestGPU.isReal ? "cuda" : "cuda:sm_80"
      let compiled = try compile(family)
      #expect(compiled.status == 0, "\(compiled.errors)")
      let place = #/cuda sm_\d+ \(.*\), \d+ multiprocessors/#
      #expect(
        compiled.output.contains(#/\ntuned for cuda sm_\d+ \(.*\), \d+ multiprocessors: \d+ of \d+ convolutions /#))
      let inspection = try ToolProcess.run("sd-run", plan, "--inspect", "--device", "cpu").output
      #expect(inspection.contains(place), "\(inspection)")
      try MicroModel.sd15.golden().write(["input_ids": "text.input_ids"], to: "\(folder)/in")
      let run = try ToolProcess.run(
        "sd-run", plan, "--component", "text_encoder", "--inputs", "\(folder)/in", "--outputs", "\(folder)/out",
        "--device", "cuda", environment: environment)
      #expect(run.status == 0, "\(run.errors)")
      let states = try #require(TensorFile.read("\(folder)/out")["last_hidden_state"])
      expectClose(states, try MicroModel.sd15.golden().tensor("text.last_hidden_state"), nmse: 1e-5)
    }
  }

  /// An NVRTC of the driver's release comes before a newer one.
  @Test(.fakeGPU) func compilers() throws {
    try withTemporaryFolder { folder in
      try copyTree("\(FakeCUDA.folder())/libcuda.so.1", "\(folder)/libcuda.so.1")
      for release in [12, 13] {
        try copyTree("\(FakeCUDA.folder())/libnvrtc.so.13", "\(folder)/libnvrtc.so.\(release)")
      }
      for (driver, compiler) in [("12040", "99.12"), ("13000", "99.13")] {
        var variables = try environment(folder, ["DRIVER": driver])
        variables["SD_CUDA_LIB_DIR"] = folder
        variables["SD_CACHE_DIR"] = "\(folder)/\(driver)"
        let outcome = try ToolProcess.run(
          "sd-compile", MicroModel.sd15.folder, "--target", "cuda:sm_103", "--size", "72x56", "-o",
          "\(folder)/x.sdplan",
          "--quiet", environment: variables)
        #expect(outcome.status == 0, "\(outcome.errors)")
        let cubins = entries(of: "\(folder)/\(driver)")
        #expect(!cubins.isEmpty && cubins.allSatisfy { $0.hasPrefix(compiler) }, "\(cubins)")
      }
    }
  }
}
