/// Places buffers with known lifetimes in one arena, so that buffers that live at the same time never overlap. A buffer
/// that replaces another has its place.
///
/// Four greedy orders are tried, and the best is improved: whatever ends above the lower bound, the most bytes alive at
/// one step, is placed before all others next time. The search stops at the bound. Source: Pisarchyk & Lee 2020,
/// arXiv:2001.03288 (greedy by size and by breadth).
package struct MemoryPlanner: Sendable {
  /// Every offset and size is a multiple of this: a cache line.
  package static let alignment = 64
  /// Attempts to improve an order.
  private static let attempts = 100

  /// A planner; it has no settings.
  package init() {}

  /// Sets the offsets of `buffers`; returns the arena's size and its lower bound, in bytes.
  package func plan(_ buffers: inout [Program.Buffer]) -> (bytes: Int, lowerBound: Int) {
    // Buffers that replace each other are one, from the first's first step to the last's last.
    var units: [Program.Buffer] = []
    var unit: [Int] = []
    for buffer in buffers {
      if let replaced = buffer.replaces {
        unit.append(unit[replaced])
        units[unit[replaced]].last = buffer.last
      } else {
        unit.append(units.count)
        units.append(buffer)
      }
    }
    let live = liveBytes(units)
    let bound = live.max() ?? 0
    let best = search(units, live, bound)
    for index in buffers.indices { buffers[index].offset = best.offsets[unit[index]] }
    return (best.bytes, bound)
  }

  private func search(_ buffers: [Program.Buffer], _ live: [Int], _ bound: Int) -> Placement {
    var best = Placement(bytes: .max, offsets: [])
    var bestOrder: [Int] = []
    for order in orders(buffers, live) {
      let candidate = place(buffers, in: order)
      if candidate.bytes < best.bytes { (best, bestOrder) = (candidate, order) }
      if candidate.bytes == bound { return best }
    }
    var (order, last) = (bestOrder, best)
    for _ in 0..<MemoryPlanner.attempts {
      let isHigh = { (index: Int) in last.offsets[index] + buffers[index].byteCount > bound }
      let next = order.filter(isHigh) + order.filter { !isHigh($0) }
      if next == order { break }
      order = next
      last = place(buffers, in: order)
      if last.bytes < best.bytes { best = last }
      if last.bytes == bound { break }
    }
    return best
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
  private func place(_ buffers: [Program.Buffer], in order: [Int]) -> Placement {
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
    return Placement(bytes: total, offsets: offsets)
  }

  private struct Placement {
    var bytes: Int
    var offsets: [Int]
  }
}
