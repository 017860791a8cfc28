import Foundation
import GraphIR
import GraphRuntime
import Synchronization
import TestSupport
import Testing

/// Kernels and recorded graphs, on the fake driver and the one kernel that it has itself.
struct CUDALaunchTests {
  /// 16 words on a GPU, and the kernel that adds a number to them.
  private struct Words {
    let context: CUDAContext
    let memory: CUDAMemory
    let function: CUDAFunction

    init(_ fake: FakeCUDA, sharedBytes: Int = 0) throws {
      context = try fake.context()
      memory = try context.allocate(64)
      function = try module(context).function("fake_add", sharedBytes: sharedBytes)
    }

    func add(_ value: UInt32, count: Int = 16) -> CUDALaunch {
      // uint64_t address, count; uint32_t value, and padding.
      let words = [memory.address, UInt64(count), UInt64(value)]
      return CUDALaunch(
        function: function, grid: (1, 1, 1), block: 32, parameters: words.withUnsafeBytes { Array($0) })
    }

    /// The value of all words, nil if they differ.
    func value() throws -> UInt32? {
      let bytes = try download(memory, context)
      let words = bytes.withUnsafeBytes { Array($0.bindMemory(to: UInt32.self)) }
      return words.allSatisfy { $0 == words[0] } ? words[0] : nil
    }
  }

  private static func module(_ context: CUDAContext) throws -> CUDAModule {
    try context.load(FakeCUDA.cubin, name: "test.cu")
  }

  @Test func launch() throws {
    let fake = try FakeCUDA()
    do {
      let words = try Words(fake)
      for value in [1, 20, 300] as [UInt32] { try words.context.launch(words.add(value)) }
      #expect(try words.value() == 321)
      // The function holds its module.
      #expect(fake.live(.module) == 1)
    }
    #expect(fake.leaks.isEmpty && fake.damages == 0)
  }

  @Test func unknownKernels() throws {
    let context = try FakeCUDA().context()
    let module = try Self.module(context)
    #expect(throws: SDError(.device, "cannot find the kernel 'nope' in 'test.cu': CUDA_ERROR_NOT_FOUND (500)")) {
      _ = try module.function("nope")
    }
    #expect(
      throws: SDError(
        .device,
        "cannot load the kernels 'x' on cuda:0 (Fake GPU sm_90): the kernels were compiled for another GPU, or by an NVRTC "
          + "newer than the driver",
        hint: "Update the NVIDIA driver, or install the NVRTC of its release (pip install nvidia-cuda-nvrtc-cu12).")
    ) { _ = try context.load([UInt8](repeating: 0, count: 64), name: "x") }
  }

  @Test func sharedMemory() throws {
    let fake = try FakeCUDA()
    let words = try Words(fake, sharedBytes: 100_000)
    var launch = words.add(1)
    launch.sharedBytes = 100_000
    try words.context.launch(launch)
    // Asking for less later does not take it away.
    _ = try Words(fake).function
    try words.context.launch(launch)
    #expect(try words.value() == 2)
    #expect(fake.calls("cuFuncSetAttribute").count == 1)
    launch.sharedBytes = 100_001
    #expect(
      throws: SDError(.device, "cannot launch the kernel 'fake_add' on cuda:0: CUDA_ERROR_INVALID_VALUE (1)")
    ) { try words.context.launch(launch) }
    #expect(
      throws: SDError(
        .device,
        "the kernel 'fake_add' needs 232449 bytes of shared memory, a block on cuda:0 (Fake GPU sm_90) has 232448")
    ) { _ = try Words(fake, sharedBytes: 232_449) }
  }

  @Test(arguments: [(0, 1, 32), (-1, 1, 32), (1, 65536, 32), (1, 1, 0), (1, 1, 1025), (.max, 1, 32), (1, 1, .min)])
  func impossibleLaunches(x: Int, y: Int, block: Int) throws {
    let words = try Words(FakeCUDA())
    var launch = words.add(1)
    (launch.grid, launch.block) = ((x, y, 1), block)
    #expect(
      throws: SDError(.device, "cannot launch the kernel 'fake_add' on cuda:0: CUDA_ERROR_INVALID_VALUE (1)")
    ) { try words.context.launch(launch) }
    #expect(try words.value() == 0)
  }

  /// Only where GPU and driver can; others would refuse the launch.
  @Test(arguments: [("90", "12030", 1), ("90", "12020", 0), ("89", "13000", 0), ("120", "13000", 1)])
  func overlap(sm: String, driver: String, expected: Int) throws {
    let fake = try FakeCUDA(["SM": sm, "DRIVER": driver])
    let words = try Words(fake)
    var launch = words.add(1)
    launch.overlapsPrevious = true
    try words.context.launch(launch)
    #expect(fake.calls("cuLaunchKernelEx").last?.hasSuffix(",\"overlaps\":\(expected)}") == true)
  }

  /// Behind an illegal access everything fails, with the same sentence, and nothing crashes.
  @Test func lostContext() throws {
    let fake = try FakeCUDA()
    let words = try Words(fake)
    let reason = "a kernel accessed memory it must not (CUDA error 700); the GPU's context is lost"
    let messages = [
      "cannot launch the kernel 'fake_add' on cuda:0": { try words.context.launch(words.add(1, count: 17)) },
      "cannot finish the work of cuda:0": { try words.context.synchronize() },
      "cannot allocate 4 bytes on cuda:0": { _ = try words.context.allocate(4) },
    ]
    for key in messages.keys.sorted().reversed() {
      let error = try #require(throws: SDError.self) { try messages[key]?() }
      #expect(error.message == "\(key): \(reason)")
    }
    #expect(fake.damages == 1)
  }

  @Test func failingKernel() throws {
    let fake = try FakeCUDA(["FAIL": "cuStreamSynchronize:1:719"])
    let words = try Words(fake)
    try words.context.launch(words.add(1))
    #expect(
      throws: SDError.cuda(719, name: "", cannot: "finish the work of cuda:0")
    ) { try words.context.synchronize() }
  }

  @Test func graph() throws {
    let fake = try FakeCUDA()
    do {
      let words = try Words(fake)
      let graph = try words.context.record { () throws(SDError) in
        // Parameters are copied: the launches are gone when the graph runs.
        try words.context.launch(words.add(1))
        try words.context.launch(words.add(10))
      }
      #expect(try words.value() == 0)
      for _ in 0..<3 { try graph?.launch() }
      #expect(try words.value() == 33)
      #expect(fake.live(.graph) == 0 && fake.live(.graphExec) == 1)
      let fill = try words.context.record { () throws(SDError) in
        try words.context.fill(words.memory.address, byteCount: 32, 5)
        try words.context.copy(from: words.memory.address, to: words.memory.address + 32, byteCount: 32)
      }
      try fill?.launch()
      try graph?.launch()
      #expect(try words.value() == 0x0505_0505 + 11)
    }
    #expect(fake.leaks.isEmpty && fake.damages == 0)
  }

  /// A body that fails ends the recording; the stream works as before.
  @Test func failingBody() throws {
    let fake = try FakeCUDA()
    do {
      let words = try Words(fake)
      let failure = SDError(.usage, "no")
      #expect(throws: failure) {
        _ = try words.context.record { () throws(SDError) in
          try words.context.launch(words.add(1))
          throw failure
        }
      }
      #expect(
        throws: SDError(
          .device, "cannot allocate 4 bytes on cuda:0: CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED (900)")
      ) { _ = try words.context.record { () throws(SDError) in _ = try words.context.allocate(4) } }
      try words.context.launch(words.add(2))
      #expect(try words.value() == 2)
    }
    #expect(fake.leaks.isEmpty)
  }

  /// Another thread may do what it likes meanwhile, on the same GPU.
  @Test func otherThreads() throws {
    let fake = try FakeCUDA()
    do {
      let words = try Words(fake)
      let driver = try fake.driver()
      let outcome = Mutex<SDError?>(nil)
      let graph = try words.context.record { () throws(SDError) in
        let done = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
          do throws(SDError) {
            let other = try CUDAContext(ordinal: 0, driver: driver)
            _ = try other.allocate(4)
            try other.synchronize()
          } catch {
            outcome.withLock { $0 = error }
          }
          done.signal()
        }
        done.wait()
        try words.context.launch(words.add(1))
      }
      try graph?.launch()
      #expect(outcome.withLock { $0 } == nil)
      #expect(try words.value() == 1)
    }
    #expect(fake.leaks.isEmpty)
  }

  @Test(arguments: ["cuStreamBeginCapture_v2:1:1", "cuStreamEndCapture:1:1", "cuGraphInstantiateWithFlags:1:1"])
  func failingRecording(failure: String) throws {
    let fake = try FakeCUDA(["FAIL": failure])
    do {
      let words = try Words(fake)
      #expect(throws: SDError(.device, "cannot record a graph on cuda:0: CUDA_ERROR_INVALID_VALUE (1)")) {
        _ = try words.context.record { () throws(SDError) in try words.context.launch(words.add(1)) }
      }
    }
    #expect(fake.leaks.isEmpty)
  }
}
