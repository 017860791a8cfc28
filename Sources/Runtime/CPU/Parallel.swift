import CKernels

/// Runs `body` once for every part on libomp's threads and returns when all are done.
///
/// Parts are taken in rising order by the next free thread; no two calls at a time have the same `thread`.
func parallel(threads: Int, parts: Int, _ body: @escaping @Sendable (_ part: Int, _ thread: Int) -> Void) {
  let region = Region(body: body)
  withExtendedLifetime(region) {
    ck_parallel(
      Int32(threads), parts,
      { context, part, thread in
        if let context { Unmanaged<Region>.fromOpaque(context).takeUnretainedValue().body(part, Int(thread)) }
      }, Unmanaged.passUnretained(region).toOpaque())
  }
}

/// A closure behind a pointer that C can hand around.
private final class Region: Sendable {
  let body: @Sendable (Int, Int) -> Void

  init(body: @escaping @Sendable (Int, Int) -> Void) { self.body = body }
}
