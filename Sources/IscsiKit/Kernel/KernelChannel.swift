// SPDX-License-Identifier: Apache-2.0

public import SystemPackage

/// A datagram from the kernel.
public struct KernelDatagram: Hashable, Sendable {
  /// How the datagram came, which tells replies from events.
  public enum Origin: Hashable, Sendable {
    /// To this socket alone: replies.
    case unicast
    /// To everybody in the event group: events and statistics.
    case multicast
  }

  /// How the datagram came.
  public var origin: Origin
  /// Its octets.
  public var octets: [UInt8]

  /// A datagram from its parts.
  public init(origin: Origin, octets: [UInt8]) {
    self.origin = origin
    self.octets = octets
  }
}

/// The way to the kernel: datagrams of netlink messages, in both directions.
///
/// `KernelLink` calls `send`, `receive` and `wait` from its own thread only, and `wake` from anywhere. A channel is a
/// member of the kernel's event group from its making to its end; so no request can wait for a listener.
public protocol KernelChannel: Sendable {
  /// Sends a datagram of one or more messages. May block as long as the kernel executes them.
  func send(_ datagram: [UInt8]) throws(Errno)
  /// Takes the next datagram; nil if there is none. What has come since the last `send`, `wait` or `expectMore` may be found only
  /// after the next.
  ///
  /// Throws `noBufferSpace` once after datagrams were lost; those that were not lost can still be received.
  func receive() throws(Errno) -> KernelDatagram?
  /// Blocks until there is a datagram or an error to receive, or until `wake` was called since the last `wait`.
  /// May return early.
  func wait()
  /// Ends a present or the next `wait`.
  func wake()
  /// Makes `receive` look for what has come meanwhile, for who must leave nothing unread.
  func expectMore()
  /// The socket's port, by which the kernel notes in sysfs who made a session; nil if there is none.
  var port: UInt32? { get }
}

extension KernelChannel {
  /// Does nothing, as a channel needs that always looks.
  public func expectMore() {}
}
