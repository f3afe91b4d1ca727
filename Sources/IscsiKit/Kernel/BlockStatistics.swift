// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

/// What the kernel has counted of a block device's I/O (`/sys/class/block/NAME/stat`; kernel: `Documentation/block/stat.rst`).
struct BlockStatistics: Hashable, Sendable {
  /// How many requests have ended: reads, writes, discards and flushes.
  var ended: UInt64
  /// How many are with the device.
  var inFlight: UInt64

  /// Reads the line of the file; nil for one without the counters that each kernel has.
  init?(_ text: String) {
    let numbers = text.split(separator: " ").map { UInt64($0) }
    guard numbers.count >= 11, !numbers.contains(nil) else { return nil }
    let counters = numbers.compactMap(\.self)
    inFlight = counters[8]
    // Discards since Linux 4.18, flushes since 5.5.
    ended = [0, 4, 11, 15].reduce(0) { sum, index in counters.count > index ? sum &+ counters[index] : sum }
  }
}

extension Sysfs {
  /// The counters of a block device by its name; nil if it has none.
  func statistics(ofBlockDevice name: String) -> BlockStatistics? {
    guard let blocks = try? SysfsDirectory(path: root.appending("class/block")),
      let text = try? blocks.contents("\(name)/stat")
    else { return nil }
    return BlockStatistics(text)
  }
}
