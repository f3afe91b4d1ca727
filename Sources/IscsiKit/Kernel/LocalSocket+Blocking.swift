// SPDX-License-Identifier: Apache-2.0
import Glibc
import SystemPackage

/// The same calls for a program that has nothing else to do meanwhile: they block the calling thread and start none.
extension LocalSocket {
  /// Connects to the socket at `path`; waits for one whose queue is full.
  static func connectBlocking(
    to path: FilePath, until deadline: ContinuousClock.Instant
  ) throws(LocalSocketError) -> LocalSocket {
    while true {
      do throws(Errno) {
        return try connect(to: path)
      } catch .wouldBlock {
        // The listener's queue is full, and the kernel has nothing to wait on for that.
        guard .now < deadline else { throw .timedOut }
        usleep(20_000)
      } catch {
        throw .failed(error)
      }
    }
  }

  /// Reads up to `limit` octets as soon as there are some; none at the end of the stream.
  func readBlocking(upTo limit: Int, until deadline: ContinuousClock.Instant) throws(LocalSocketError) -> [UInt8] {
    while true {
      if let octets = try receive(upTo: limit) { return octets }
      try waitBlocking(for: POLLIN, until: deadline)
    }
  }

  /// Writes all of `octets`.
  func writeBlocking(_ octets: [UInt8], until deadline: ContinuousClock.Instant) throws(LocalSocketError) {
    var rest = octets[...]
    while !rest.isEmpty {
      try send(&rest)
      if !rest.isEmpty { try waitBlocking(for: POLLOUT, until: deadline) }
    }
  }

  private func waitBlocking(for event: Int32, until deadline: ContinuousClock.Instant) throws(LocalSocketError) {
    while true {
      let left = ContinuousClock.now.duration(to: deadline)
      guard left > .zero else { throw .timedOut }
      // Rounded up, so that the last millisecond is waited for as well.
      let (seconds, attoseconds) = left.components
      let milliseconds = Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000 + 1)
      var waiting = pollfd(fd: descriptor, events: Int16(event), revents: 0)
      // The structure is a local variable, and there is one.
      let ready = unsafe poll(&waiting, 1, milliseconds)
      if ready > 0 { return }
      if ready < 0, errno != EINTR { throw .failed(Errno(rawValue: errno)) }
    }
  }
}
