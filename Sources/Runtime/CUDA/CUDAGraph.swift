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
  /// Records launches, copies and fills instead of doing them. `body` must not allocate, upload, download or wait, nor may
  /// another thread meanwhile: it is the context's stream that records.
  ///
  /// - Throws: what `body` throws, and `SDError` (device).
  package func record(_ body: () throws(SDError) -> Void) throws(SDError) -> CUDAGraph {
    let api = try current()
    let action = "record a graph on \(name)"
    // Of this thread only: others, and other users of the GPU in this process, go on as they like.
    let mode = Int32(SD_CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
    try driver.check(api.cuStreamBeginCapture_v2(stream, mode), action)
    var graph: CUgraph?
    defer { if let graph { _ = api.cuGraphDestroy(graph) } }
    do throws(SDError) { try body() } catch {
      // The stream would stay in capture and refuse everything.
      _ = api.cuStreamEndCapture(stream, &graph)
      throw error
    }
    try driver.check(api.cuStreamEndCapture(stream, &graph), action)
    var executable: CUgraphExec?
    try driver.check(api.cuGraphInstantiateWithFlags(&executable, graph, 0), action)
    guard let executable else { throw SDError(.device, "cannot \(action): the driver gave nothing") }
    return CUDAGraph(executable, context: self)
  }
}
