import CCUDA
package import GraphIR

/// Recorded work that is launched as a whole: a launch costs microseconds, whatever the number of kernels.
///
/// It holds its context; the memory and the modules that it uses are to be held by whoever launches it.
package final class CUDAGraph: @unchecked Sendable {
  private let context: CUDAContext
  private let handle: CUgraphExec

  fileprivate init(_ handle: CUgraphExec, context: CUDAContext) { (self.handle, self.context) = (handle, context) }

  deinit { context.release { [handle] in _ = $0.cuGraphExecDestroy(handle) } }

  /// Does the work once more, later.
  package func launch() throws(SDError) {
    let api = try context.current()
    try context.driver.check(api.cuGraphLaunch(handle, context.stream), "launch a graph on \(context.name)")
  }
}

extension CUDAContext {
  /// Records launches, copies and fills instead of doing them; nil where somebody else spoiled this, and the work is to be
  /// done without a recording. `body` must not allocate, upload, download or wait, nor may another thread meanwhile: it is
  /// the context's stream that records. Other users of the GPU in this process may spoil it by waiting for all of its work.
  ///
  /// - Throws: what `body` throws, and `SDError` (device).
  package func record(_ body: () throws(SDError) -> Void) throws(SDError) -> CUDAGraph? {
    let api = try current()
    let action = "record a graph on \(name)"
    // Of this thread only: others may allocate, copy and wait on streams of their own.
    let mode = Int32(SD_CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
    try driver.check(api.cuStreamBeginCapture_v2(stream, mode), action)
    var graph: CUgraph?
    defer { if let graph { _ = api.cuGraphDestroy(graph) } }
    let recorded = Result { () throws(SDError) in try body() }
    // Also where the body failed: the stream would stay in capture and refuse everything.
    let status = api.cuStreamEndCapture(stream, &graph)
    try recorded.get()
    if status == Int32(SD_CUDA_ERROR_STREAM_CAPTURE_INVALIDATED) { return nil }
    try driver.check(status, action)
    var executable: CUgraphExec?
    try driver.check(api.cuGraphInstantiateWithFlags(&executable, graph, 0), action)
    guard let executable else { throw SDError(.device, "cannot \(action): the driver gave nothing") }
    return CUDAGraph(executable, context: self)
  }
}
