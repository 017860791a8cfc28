import Foundation
import GraphPasses
import TestSupport
import Testing

/// Files appear whole or not at all, and what cannot be written is refused before anything is computed.
struct OutputFileTests {
  private let plan: String

  init() throws { plan = try MicroModel.sd15.plan() }

  /// Such a run would take hours: a refusal that comes at once computed nothing.
  private func expectRefusalAtOnce(
    _ arguments: [String], _ message: String, shell: String? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let long = ["--prompt", "x", "--scheduler", "ddim", "--steps", "500", "--num-images", "10000"]
    let start = ContinuousClock.now
    try expectRefusal("sd-run", [plan] + long + arguments, 5, message, shell: shell, sourceLocation: sourceLocation)
    #expect(ContinuousClock.now - start < .seconds(10), sourceLocation: sourceLocation)
  }

  @Test func missingFolders() throws {
    try expectRefusalAtOnce(
      ["-o", "/nowhere/a.png"], "cannot write /nowhere/a-0.png: the folder /nowhere does not exist")
    for option in ["--latents-out", "--profile"] {
      try expectRefusalAtOnce([option, "/nowhere/a"], "cannot write /nowhere/a: the folder /nowhere does not exist")
    }
    try expectRefusal(
      "sd-compile", [MicroModel.sd15.folder, "-o", "/nowhere/a.sdplan"], 5,
      "cannot write /nowhere/a.sdplan: the folder /nowhere does not exist")
    try expectRefusal(
      "sd-compile", [MicroModel.sd15.folder, "-o", "/tmp"], 5, "cannot write /tmp: it is a folder")
    try expectRefusal(
      "sd-compile", [MicroModel.sd15.folder, "-o", "/dev/full"], 5,
      "cannot write /dev/full: it is a device, pipe or socket")
  }

  /// Only PNG is written.
  @Test(arguments: ["jpg", "JPEG", "webp"]) func otherKindsOfPictures(ending: String) throws {
    try withTemporaryFolder { folder in
      try expectRefusal(
        "sd-run", [plan, "--prompt", "x", "-o", "\(folder)/a.\(ending)"], 2,
        "pictures are PNG files, '\(folder)/a.\(ending)' is the name of another kind\n"
          + "  Let it end in .png.")
      #expect(entries(of: folder).isEmpty)
    }
  }

  @Test func oneFileTwice() throws {
    let hint = "\n  Every file that is read or written must be one of its own."
    try expectRefusal("sd-run", [plan, "--prompt", "x", "-o", plan], 2, "'\(plan)' is named twice\(hint)")
    try withTemporaryFolder { folder in
      try expectRefusal(
        "sd-run", [plan, "--prompt", "x", "-o", "\(folder)/a", "--latents-out", "\(folder)/a"], 2,
        "'\(folder)/a' is named twice\(hint)")
      #expect(entries(of: folder).isEmpty)
    }
  }

  /// As root everything is writable, so the tool runs as nobody then.
  @Test(.enabled(if: geteuid() != 0 || canRunAsNobody, "nobody can run the tool"))
  func foldersThatAreNotWritable() throws {
    try withTemporaryFolder { folder in
      chmod(folder, 0o555)
      defer { chmod(folder, 0o700) }
      let drop = "exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$0\" \"$@\""
      let copy = "/tmp/sd-test-plan-\(getpid())"  // where nobody can read it
      try copyTree(plan, copy)
      defer { removeTree(copy) }
      try expectRefusal(
        "sd-run", [copy, "--prompt", "x", "-o", "\(folder)/a.png"], 5,
        "cannot write \(folder)/a.png: the folder \(folder) is not writable", shell: geteuid() == 0 ? drop : nil)
      #expect(entries(of: folder) == [])
    }
  }

  /// Whether there is `setpriv`, and everybody can reach the tools.
  private static var canRunAsNobody: Bool {
    guard FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv") else { return false }
    var path = (try? ToolProcess.path(of: "sd-run")) ?? ""
    while path.count > 1 {
      var status = stat()
      guard stat(path, &status) == 0, status.st_mode & S_IXOTH != 0 else { return false }
      path = URL(filePath: path).deletingLastPathComponent().path
    }
    return true
  }

  /// A limit on the size of files stands for the full disk: the call fails in the middle.
  @Test func filesThatDoNotFit() throws {
    try withTemporaryFolder { folder in
      let limit = "trap '' XFSZ; ulimit -f 100"  // blocks of 512 bytes
      put("old".utf8, "\(folder)/x.sdplan")
      let compiled = try ToolProcess.run(
        "sd-compile", MicroModel.sd15.folder, "-o", "\(folder)/x.sdplan", "--quiet", shell: limit)
      #expect(compiled.status == 5)
      let message =
        #/sd-compile: cannot write .*/x.sdplan: File too large: 51200 bytes are written, \d+ more are needed\n  .*/#
      #expect(compiled.errors.prefixMatch(of: message) != nil, "\(compiled.errors)")
      #expect(
        compiled.errors.hasSuffix("\n  \(folder)/x.sdplan is as it was before; the incomplete copy is removed.\n"))
      #expect(get("\(folder)/x.sdplan") == Array("old".utf8))

      put("old".utf8, "\(folder)/x.png")
      let drawn = try ToolProcess.run(
        "sd-run", plan, "--prompt", "x", "--steps", "4", "-o", "\(folder)/x.png", "--quiet",
        shell: "trap '' XFSZ; ulimit -f 2")
      #expect(drawn.status == 5)
      #expect(drawn.errors.hasPrefix("sd-run: cannot write \(folder)/x.png: File too large: 1024 bytes are written, "))
      #expect(get("\(folder)/x.png") == Array("old".utf8))
      #expect(entries(of: folder) == ["x.png", "x.sdplan"])
    }
  }

  /// The real thing, where this process may mount a file system of its own.
  @Test func fullDisk() throws {
    try withTemporaryFolder { folder in
      guard mount("tmpfs", folder, "tmpfs", 0, "size=256k") == 0 else { return }
      defer { umount(folder) }
      put("old".utf8, "\(folder)/x.sdplan")
      let outcome = try ToolProcess.run("sd-compile", MicroModel.sd15.folder, "-o", "\(folder)/x.sdplan", "--quiet")
      #expect(outcome.status == 5)
      #expect(
        outcome.errors.hasPrefix("sd-compile: disk full while writing \(folder)/x.sdplan: "), "\(outcome.errors)")
      #expect(get("\(folder)/x.sdplan") == Array("old".utf8))
      #expect(entries(of: folder) == ["x.sdplan"])
    }
  }

  /// A plan may be replaced by a new one while it is mapped.
  @Test func replacement() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/x.sdplan"
      for precision in ["fp32", "bf16"] {
        let outcome = try ToolProcess.run(
          "sd-compile", MicroModel.sd15.folder, "-o", path, "--precision", precision, "--size", "72x56", "--quiet")
        #expect(outcome.status == 0 && outcome.errors == "")
      }
      #expect(try get(path) == get(MicroModel.sd15.plan(.init(.bf16))))
      #expect(entries(of: folder) == ["x.sdplan"])
    }
  }

  /// A plan may be written over, what it is made from may not.
  @Test func filesOfTheModel() throws {
    try withTemporaryFolder { folder in
      let (model, config) = ("\(folder)/model", "\(folder)/model/unet/config.json")
      try copyTree(MicroModel.sd15.folder, model)
      let before = get(config)
      try expectRefusal(
        "sd-compile", [model, "-o", config], 2,
        "'\(config)' is a file of the model '\(model)'\n  Write the plan to a file of its own.")
      #expect(get(config) == before)
      for _ in 0..<2 {
        let outcome = try ToolProcess.run("sd-compile", model, "-o", "\(model)/x.sdplan", "--components", "vae_decoder")
        #expect(outcome.status == 0, "\(outcome.errors)")
      }
    }
  }

  /// Pictures of several, and previews, have names of their own.
  @Test func derivedNames() throws {
    let plan = try MicroModel.sd15.plan()
    try withTemporaryFolder { folder in
      for (options, name) in [
        (["--num-images", "2", "--latents-out"], "x-1.png"), (["--preview-every", "1", "--profile"], "x.preview.png"),
      ] {
        let arguments = [plan, "--prompt", "x", "-o", "\(folder)/x.png"] + options + ["\(folder)/\(name)"]
        try expectRefusal(
          "sd-run", arguments, 2,
          "'\(folder)/\(name)' is named twice\n  Every file that is read or written must be one of its own.")
      }
    }
  }

  /// `--prompt=` is an empty prompt.
  @Test func emptyValues() throws {
    let plan = try MicroModel.sd15.plan()
    try withTemporaryFolder { folder in
      let outcome = try ToolProcess.run(
        "sd-run", plan, "--prompt=", "--seed=32", "--steps", "1", "-o", "\(folder)/x.png", "--device", "cpu", "--quiet")
      #expect(outcome.status == 0, "\(outcome.errors)")
      let text = String(decoding: get("\(folder)/x.png") ?? [], as: UTF8.self)
      #expect(text.contains("Seed: 32") && !text.contains("--seed"))
    }
  }
}
