// SPDX-License-Identifier: Apache-2.0
import CLinux

/// The table of a device of the device mapper, as the kernel has it now (kernel: `linux/dm-ioctl.h`, `DM_TABLE_STATUS`).
enum MapperTable {
  /// The longest table that is looked at: some hundred paths.
  private static let limit = 64 << 10

  /// Whether the multipath map of this name (`mpatha`) queues I/O while it has no path; nil without the permission to ask, or
  /// for another device.
  static func queuesWithoutPath(_ name: String) -> Bool? {
    let octets = unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
      // The function writes at most `limit` octets, and says how many; it keeps no pointer.
      let written = unsafe clinux_dm_table(name, buffer.baseAddress, UInt(limit))
      count = max(0, written)
    }
    guard !octets.isEmpty else { return nil }
    return queuesWithoutPath(parameters: String(decoding: octets, as: UTF8.self))
  }

  /// Reads `multipath FEATURES [FEATURE]... HANDLERS ...` (kernel: `Documentation/admin-guide/device-mapper`, dm-mpath).
  static func queuesWithoutPath(parameters: String) -> Bool? {
    var words = parameters.split(separator: " ")[...]
    guard words.popFirst() == "multipath", let count = words.popFirst().flatMap({ Int($0) }), count >= 0,
      count <= words.count
    else { return nil }
    return words.prefix(count).contains("queue_if_no_path")
  }
}
