// SPDX-License-Identifier: Apache-2.0
internal import CNetlink
internal import Glibc
internal import Synchronization
public import SystemPackage

/// The changes of this network namespace's devices, addresses and routes from the moment of its creation, in order.
///
/// The kernel's receive buffer is the queue: nothing runs, and no memory is used, while nobody reads. When the buffer
/// overflows, an `overrun` tells so. One task reads at a time. It needs no privilege.
public final class NetworkMonitor: AsyncSequence, Sendable {
  /// What the sequence consists of.
  public typealias Element = NetworkChange
  /// What ends the sequence early: the socket failed.
  public typealias Failure = Errno

  /// The kernel's groups: devices, IPv4 addresses and routes, IPv6 addresses and routes (`RTNLGRP_...`).
  private static let groups: [Int32] = [1, 5, 7, 9, 11]
  /// What is taken from the socket before it is given out, so that a flood of routes becomes one change.
  private static let datagramsAtOnce = 64

  private let handle: NetlinkHandle
  private let queue: Mutex<NetworkChangeQueue>

  /// Opens the socket; throws what the system says, such as `.addressFamilyNotSupported` in a sandbox without netlink.
  public convenience init() throws(Errno) {
    let handle = try NetlinkHandle(protocol: NetlinkHandle.route, groups: Self.groups)
    // After joining, so that no device is missed.
    self.init(handle, NetworkChangeDecoder(names: NetworkDevices().namesByIndex()))
  }

  /// Reads what a socket gives.
  init(_ handle: NetlinkHandle, _ decoder: NetworkChangeDecoder) {
    self.handle = handle
    queue = Mutex(NetworkChangeQueue(decoder))
  }

  /// The next change, waiting for it no longer than the deadline; nil when the deadline passes or the task is cancelled.
  ///
  /// Throws what the socket reports, which ends its use.
  public func next(until deadline: ContinuousClock.Instant?) async throws(Errno) -> NetworkChange? {
    while true {
      if let change = queue.withLock({ $0.take() }) { return change }
      if try receive() { continue }
      do throws(WaitError) {
        _ = try await Reactor.shared.wait(for: handle.descriptor, .read, until: deadline)
      } catch {
        guard case .failed(let errno) = error else { return nil }
        throw errno
      }
    }
  }

  /// Takes from the socket what waits there; false if nothing does.
  private func receive() throws(Errno) -> Bool {
    for count in 0..<Self.datagramsAtOnce {
      do throws(Errno) {
        guard let datagram = try handle.receive() else { return count > 0 }
        queue.withLock { $0.add(datagram) }
      } catch {
        // A datagram that cannot be read whole is as good as lost.
        guard error == .noBufferSpace || error == .messageTooLong else { throw error }
        queue.withLock { $0.addOverrun() }
      }
    }
    return true
  }

  /// An iterator; all iterators read the same socket.
  public func makeAsyncIterator() -> Iterator { Iterator(monitor: self) }

  /// Takes changes one by one.
  public struct Iterator: AsyncIteratorProtocol {
    let monitor: NetworkMonitor

    /// The next change; nil when the task was cancelled.
    public mutating func next() async throws(Errno) -> NetworkChange? { try await monitor.next(until: nil) }

    /// The next change; nil when the task was cancelled.
    public mutating func next(isolation actor: isolated (any Actor)?) async throws(Errno) -> NetworkChange? {
      try await monitor.next(until: nil)
    }
  }
}

/// Changes that were received and not taken yet.
struct NetworkChangeQueue {
  private var decoder: NetworkChangeDecoder
  private var changes: [NetworkChange] = []

  init(_ decoder: NetworkChangeDecoder) { self.decoder = decoder }

  /// Adds what a datagram reports. Added routes that wait already are the same news.
  mutating func add(_ datagram: [UInt8]) {
    for change in decoder.changes(in: datagram) {
      if change != .routesAdded || !changes.contains(.routesAdded) { changes.append(change) }
    }
  }

  /// Notes that changes were lost after those that are here.
  mutating func addOverrun() {
    if changes.last != .overrun { changes.append(.overrun) }
  }

  /// Takes the first change.
  mutating func take() -> NetworkChange? { changes.isEmpty ? nil : changes.removeFirst() }
}
