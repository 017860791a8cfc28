/// Places buffers with known lifetimes in one arena, so that buffers that live at the same time never overlap.
///
/// Four greedy orders are tried and the best is kept; the search stops at the lower bound, the most bytes alive at one
/// step. Source: Pisarchyk & Lee 2020, arXiv:2001.03288 (greedy by size and by breadth).
package struct MemoryPlanner: Sendable {
  /// Every offset and size is a multiple of this: a cache line.
  package static let alignment = 64

  /// A planner; it has no settings.
  package init() {}

  /// Sets the offsets of `buffers`; returns the arena's size and its lower bound, in bytes.
  package func plan(_ buffers: inout [Program.Buffer]) -> (bytes: Int, lowerBound: Int) {
    let live = liveBytes(buffers)
    let bound = live.max() ?? 0
    var best: (bytes: Int, offsets: [Int])?
    for order in orders(buffers, live) {
      let candidate = place(buffers, in: order)
      if candidate.bytes < best?.bytes ?? .max { best = candidate }
      if candidate.bytes == bound { break }
    }
    guard let best else { return (0, 0) }
    for index in buffers.indices { buffers[index].offset = best.offsets[index] }
    return (best.bytes, bound)
  }

  /// A size rounded up to the alignment.
  package static func aligned(_ bytes: Int) -> Int { (bytes + alignment - 1) / alignment * alignment }

  /// For every step, the bytes of the buffers alive there.
  private func liveBytes(_ buffers: [Program.Buffer]) -> [Int] {
    var live = [Int](repeating: 0, count: (buffers.map(\.last).max() ?? -1) + 1)
    for buffer in buffers { for step in buffer.first...buffer.last { live[step] += buffer.byteCount } }
    return live
  }

  private func orders(_ buffers: [Program.Buffer], _ live: [Int]) -> [[Int]] {
    let lifetime = { (b: Program.Buffer) in b.last - b.first + 1 }
    let breadth = buffers.map { live[$0.first...$0.last].max() ?? 0 }
    return [
      sorted(buffers) { (breadth[$0], buffers[$0].byteCount) },
      sorted(buffers) { (buffers[$0].byteCount, lifetime(buffers[$0])) },
      sorted(buffers) { (buffers[$0].byteCount * lifetime(buffers[$0]), 0) },
      sorted(buffers) { (lifetime(buffers[$0]), buffers[$0].byteCount) },
    ]
  }

  private func sorted(_ buffers: [Program.Buffer], by key: (Int) -> (Int, Int)) -> [Int] {
    let keys = buffers.indices.map(key)
    // Equal keys stay in order of definition, so that plans are reproducible.
    return buffers.indices.sorted { (keys[$0].0, keys[$0].1, $1) > (keys[$1].0, keys[$1].1, $0) }
  }

  /// Puts each buffer, in order, into the smallest gap between the placed buffers that live at the same time.
  private func place(_ buffers: [Program.Buffer], in order: [Int]) -> (bytes: Int, offsets: [Int]) {
    var offsets = [Int](repeating: 0, count: buffers.count)
    var placed: [Int] = []  // by offset
    var total = 0
    for index in order {
      let buffer = buffers[index]
      var best: (offset: Int, gap: Int)?
      var end = 0
      for other in placed where buffers[other].first <= buffer.last && buffer.first <= buffers[other].last {
        let gap = offsets[other] - end
        if gap >= buffer.byteCount, gap < best?.gap ?? .max { best = (end, gap) }
        end = max(end, offsets[other] + buffers[other].byteCount)
      }
      offsets[index] = best?.offset ?? end
      total = max(total, offsets[index] + buffer.byteCount)
      let position = placed.firstIndex { offsets[$0] > offsets[index] } ?? placed.count
      placed.insert(index, at: position)
    }
    return (total, offsets)
  }
}
