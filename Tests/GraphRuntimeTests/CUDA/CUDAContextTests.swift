import GraphIR
import GraphRuntime
import TestSupport
import Testing

/// A GPU's memory, transfers and launches, on the fake driver.
struct CUDAContextTests {
  @Test func properties() throws {
    let fake = try FakeCUDA(["SM": "80", "MEMORY": "1000000"])
    let context = try fake.context()
    #expect(context.name == "cuda:0" && context.deviceName == "Fake GPU sm_80")
    #expect(context.computeCapability == 80 && context.multiprocessors == 4)
    #expect(context.sharedBytesPerBlock == 163 << 10)
    #expect(!context.canOverlap)
    let memory = try context.allocate(1000)
    #expect(memory.address % 256 == 0 && memory.byteCount == 1000)
    #expect(try context.memory() == (999_000, 1_000_000))
  }

  /// Whatever fails on the way, nothing stays behind.
  @Test(arguments: [
    "cuDeviceGet:1:1", "cuDeviceGetName:1:1", "cuDeviceGetAttribute:4:1", "cuDevicePrimaryCtxRetain:1:46",
    "cuStreamCreate:1:2",
  ])
  func failingToOpen(failure: String) throws {
    let fake = try FakeCUDA(["FAIL": failure])
    let error = try #require(throws: SDError.self) { _ = try fake.context() }
    #expect(error.code == .device && error.message.hasPrefix("cannot open cuda:0: "))
    #expect(fake.leaks.isEmpty)
  }

  @Test func zeroedMemory() throws {
    let fake = try FakeCUDA()
    let context = try fake.context()
    let memory = try context.allocate(777)
    #expect(try download(memory, context) == [UInt8](repeating: 0, count: 777))
    #expect(try context.allocate(0).byteCount == 0)
  }

  @Test func failingAllocations() throws {
    let fake = try FakeCUDA(["FAIL": "cuMemAlloc_v2:3:2,cuMemAlloc_v2:4:1,cuMemsetD8Async:3:1", "MEMORY": "5000"])
    do {
      let context = try fake.context()
      let memory = [try context.allocate(1000), try context.allocate(500)]
      let hint = "Make smaller pictures, or end what else uses the GPU."
      #expect(
        throws: SDError(.device, "cannot allocate 70 bytes on cuda:0: 3500 of 5000 are free", hint: hint)
      ) { _ = try context.allocate(70) }
      #expect(throws: SDError(.device, "cannot allocate 71 bytes on cuda:0: CUDA_ERROR_INVALID_VALUE (1)")) {
        _ = try context.allocate(71)
      }
      // One that is there but cannot be zeroed is given back.
      #expect(throws: SDError(.device, "cannot fill 72 bytes on cuda:0: CUDA_ERROR_INVALID_VALUE (1)")) {
        _ = try context.allocate(72)
      }
      #expect(
        throws: SDError(.device, "cannot allocate 3501 bytes on cuda:0: 3500 of 5000 are free", hint: hint)
      ) { _ = try context.allocate(3501) }
      #expect(fake.live(.memory) == memory.count)
    }
    #expect(fake.leaks.isEmpty && fake.damages == 0)
  }

  /// Around the size of the staging memory, 8 MiB, and of two of them.
  @Test(arguments: [0, 1, (8 << 20) - 1, 8 << 20, (8 << 20) + 1, 16 << 20, (24 << 20) + 5])
  func roundTrip(count: Int) throws {
    let fake = try FakeCUDA()
    do {
      let context = try fake.context()
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
      let memory = [try context.allocate(count + 3), try context.allocate(count)]
      // The second upload finds the staging memory in use by the first.
      for memory in memory { try bytes.withUnsafeBytes { try context.upload($0, to: memory.address) } }
      #expect(try download(memory[0], context) == bytes + [0, 0, 0])
      #expect(try download(memory[1], context) == bytes)
      #expect(fake.live(.pinned) == 2)
      let largest = fake.calls("cuMemcpyHtoDAsync_v2").allSatisfy { !$0.contains(#/"bytes":(8388609|[1-9]\d{7})/#) }
      #expect(largest)
    }
    #expect(fake.leaks.isEmpty && fake.damages == 0)
  }

  @Test(arguments: ["cuMemAllocHost_v2:1:2", "cuMemAllocHost_v2:2:2", "cuEventCreate:1:2", "cuEventCreate:2:2"])
  func failingStaging(failure: String) throws {
    let fake = try FakeCUDA(["FAIL": failure])
    do {
      let context = try fake.context()
      let memory = try context.allocate(4)
      let error = try #require(throws: SDError.self) {
        try [UInt8](repeating: 1, count: 4).withUnsafeBytes { try context.upload($0, to: memory.address) }
      }
      #expect(error.message == "cannot allocate pinned memory for cuda:0: the GPU has too little memory")
      #expect(fake.live(.pinned) == 0 && fake.live(.event) == 0)
      // The next upload tries again.
      try [UInt8](repeating: 1, count: 4).withUnsafeBytes { try context.upload($0, to: memory.address) }
      #expect(try download(memory, context) == [1, 1, 1, 1])
    }
    #expect(fake.leaks.isEmpty)
  }

  @Test func copiesAndFills() throws {
    let fake = try FakeCUDA()
    let context = try fake.context()
    let memory = try context.allocate(8)
    try context.fill(memory.address + 1, byteCount: 2, 7)
    try context.copy(from: memory.address, to: memory.address + 4, byteCount: 4)
    try context.copy(from: 1, to: 2, byteCount: 0)
    try context.fill(1, byteCount: 0, 7)
    #expect(try download(memory, context) == [0, 7, 7, 0, 0, 7, 7, 0])
    #expect(throws: SDError(.device, "cannot fill 9 bytes on cuda:0: CUDA_ERROR_INVALID_VALUE (1)")) {
      try context.fill(memory.address, byteCount: 9, 1)
    }
  }

  /// A context belongs to threads only as long as a call.
  @Test func otherThreads() async throws {
    let fake = try FakeCUDA()
    do {
      let context = try fake.context()
      let memory = try context.allocate(64)
      try await withThrowingTaskGroup { group in
        for index in 0..<64 {
          group.addTask { try context.fill(memory.address + UInt64(index), byteCount: 1, UInt8(index)) }
        }
        try await group.waitForAll()
      }
      #expect(try download(memory, context) == Array(0..<64))
    }
    #expect(fake.leaks.isEmpty)
  }

  @Test func events() throws {
    let fake = try FakeCUDA()
    let context = try fake.context()
    let (start, end) = (try CUDAEvent(context), try CUDAEvent(context))
    try start.record()
    try end.record()
    try end.wait()
    #expect(try end.isReached())
    #expect(try end.milliseconds(since: start) >= 0)
    fake.set("FAIL", "cuEventQuery:1:600")
    #expect(try !end.isReached())
    #expect(throws: SDError(.device, "cannot take the time of cuda:0: CUDA_ERROR_INVALID_HANDLE (400)")) {
      _ = try CUDAEvent(context).milliseconds(since: start)
    }
  }
}

/// The bytes of a GPU's memory.
func download(_ memory: CUDAMemory, _ context: CUDAContext) throws -> [UInt8] {
  var bytes = [UInt8](repeating: 99, count: memory.byteCount)
  try bytes.withUnsafeMutableBytes { try context.download(from: memory.address, into: $0) }
  return bytes
}
