// SPDX-License-Identifier: Apache-2.0
import Glibc
import SystemPackage

/// The netlink sockets of this network namespace that talk to the kernel's initiator.
///
/// The kernel notes with a session which socket it was made over, and a socket is gone with its program.
struct NetlinkPorts {
  /// The ports of the sockets.
  private let ports: Set<UInt32>

  /// Reads `/proc/net/netlink`; nil if it cannot be read to its end, which says nothing of any socket.
  init?(path: FilePath = "/proc/net/netlink", limit: Int = 16 << 20) {
    guard let contents = try? FileContents(of: path, limit: limit), contents.octets.count < limit else { return nil }
    self.init(text: String(decoding: contents.octets, as: UTF8.self))
  }

  /// Reads the lines: socket, protocol, port, and what does not matter here; the first is a heading.
  init(text: String) {
    ports = Set(
      text.split(separator: "\n").dropFirst().compactMap { line in
        let words = line.split(separator: " ", maxSplits: 3)
        // NETLINK_ISCSI is 8.
        return words.count >= 3 && words[1] == "8" ? UInt32(words[2]) : nil
      })
  }

  /// Whether the socket over which a session was made is still open.
  func hasCreator(_ creator: Int32) -> Bool { ports.contains(UInt32(bitPattern: creator)) }

  /// The same for a socket that is not this process'. libnl makes ports of the process' number and a count above it, so
  /// that a daemon in a container may have the ports of the one before.
  func hasForeignCreator(_ creator: Int32) -> Bool {
    hasCreator(creator) && creator & 0x3F_FFFF != getpid() & 0x3F_FFFF
  }
}
