import CCUDA
package import GraphIR

/// A point in the work of a GPU.
package final class CUDAEvent: @unchecked Sendable {
  private static let notReady: Int32 = 600
  private let context: CUDAContext
  private let handle: CUevent

  /// An event that counts as reached until it is recorded.
  package init(_ context: CUDAContext) throws(SDError) {
    let api = try context.current()
    var event: CUevent?
    try context.driver.check(api.cuEventCreate(&event, 0), "make an event on \(context.name)")
    guard let event else { throw SDError(.device, "cannot make an event on \(context.name): the driver gave nothing") }
    (self.context, handle) = (context, event)
  }

  deinit { context.release { [handle] in _ = $0.cuEventDestroy_v2(handle) } }

  /// Marks the point behind the work asked for so far.
  package func record() throws(SDError) {
    let api = try context.current()
    try context.driver.check(api.cuEventRecord(handle, context.stream), "record an event on \(context.name)")
  }

  /// Waits until the point is reached.
  package func wait() throws(SDError) {
    let api = try context.current()
    try context.driver.check(api.cuEventSynchronize(handle), "finish the work of \(context.name)")
  }

  /// Whether the point is reached.
  package func isReached() throws(SDError) -> Bool {
    let api = try context.current()
    let status = api.cuEventQuery(handle)
    if status == Self.notReady { return false }
    try context.driver.check(status, "ask for the work of \(context.name)")
    return true
  }

  /// Milliseconds on the GPU's clock from an earlier event to this one; both must be reached.
  package func milliseconds(since start: CUDAEvent) throws(SDError) -> Double {
    let api = try context.current()
    var milliseconds: Float = 0
    try context.driver.check(
      api.cuEventElapsedTime(&milliseconds, start.handle, handle), "take the time of \(context.name)")
    return Double(milliseconds)
  }
}
