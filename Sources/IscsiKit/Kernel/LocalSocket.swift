// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
public import SystemPackage

/// Why a socket between two programs of this machine failed.
public enum LocalSocketError: Error, Hashable, Sendable {
  /// The peer has closed the connection.
  case closedByPeer
  /// The deadline passed.
  case timedOut
  /// The task was cancelled.
  case cancelled
  /// Another error of the operating system. For a connect: `noSuchFileOrDirectory` and `connectionRefused` if nobody
  /// listens, `permissionDenied` if the caller may not.
  case failed(Errno)

  /// Sorts an error of a read or write.
  init(_ errno: Errno) {
    switch errno {
    case .connectionReset, .brokenPipe: self = .closedByPeer
    default: self = .failed(errno)
    }
  }

  /// A wait that ended without its event.
  init(_ error: WaitError) {
    switch error {
    case .timedOut: self = .timedOut
    case .cancelled: self = .cancelled
    case .failed(let errno): self = .failed(errno)
    }
  }
}

/// Who is at the other end of a Unix socket, as the kernel has noted it when the connection was made.
public struct UnixPeer: Hashable, Sendable {
  /// The effective user id.
  public let userID: UInt32
  /// The process id; 0 if the process is in a namespace that we cannot see.
  public let processID: Int32

  /// A peer from its parts.
  public init(userID: UInt32, processID: Int32) {
    self.userID = userID
    self.processID = processID
  }

  /// This process.
  public static var current: UnixPeer { UnixPeer(userID: geteuid(), processID: getpid()) }
}

/// A connected stream socket between two programs of this machine, Unix or TCP; non-blocking and awaited through the reactor.
///
/// One task may read and one may write at a time, not both at once; `waitForHangUp` may run beside either. The
/// descriptor is closed with the last reference.
final class LocalSocket: Sendable {
  let descriptor: Int32

  /// Takes a connected, non-blocking descriptor over.
  init(owning descriptor: Int32) { self.descriptor = descriptor }

  deinit { _ = Glibc.close(descriptor) }

  /// Connects to the socket at `path`; nil waits without limit for one whose queue is full.
  static func connect(
    to path: FilePath, until deadline: ContinuousClock.Instant?
  ) async throws(LocalSocketError) -> LocalSocket {
    while true {
      do throws(Errno) {
        return try connect(to: path)
      } catch .wouldBlock {
        // The listener's queue is full, and the kernel has nothing to wait on for that.
        if let deadline, deadline <= .now { throw .timedOut }
        do throws(WaitError) {
          try await Reactor.shared.sleep(until: .now + .milliseconds(20))
        } catch {
          throw LocalSocketError(error)
        }
      } catch {
        throw .failed(error)
      }
    }
  }

  /// One attempt to connect, which does not wait; `wouldBlock` if the listener's queue is full.
  static func connect(to path: FilePath) throws(Errno) -> LocalSocket { try connect(to: UnixAddress(checking: path)) }

  /// One attempt to connect to an address of either kind.
  static func connect(to address: UnixAddress) throws(Errno) -> LocalSocket {
    let socket = LocalSocket(owning: try makeDescriptor())
    // The kernel copies the address.
    let status = unsafe address.withSocketAddress { unsafe Glibc.connect(socket.descriptor, $0, $1) }
    guard status == 0 else { throw Errno(rawValue: errno) }
    return socket
  }

  /// The next connection of a listening socket, non-blocking, as soon as there is one.
  static func accept(from descriptor: Int32) async throws(LocalSocketError) -> LocalSocket {
    while true {
      let connection = clinux_accept(descriptor)
      if connection >= 0 { return LocalSocket(owning: connection) }
      switch Errno(rawValue: errno) {
      case .wouldBlock:
        do throws(WaitError) {
          _ = try await Reactor.shared.wait(for: descriptor, .read, until: nil)
        } catch {
          throw LocalSocketError(error)
        }
      case .interrupted, .connectionAbort: continue
      case let failure: throw .failed(failure)
      }
    }
  }

  /// A new descriptor for a stream.
  static func makeDescriptor() throws(Errno) -> Int32 {
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let descriptor = Glibc.socket(AF_UNIX, type, 0)
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    return descriptor
  }

  /// Who is at the other end.
  func peer() throws(Errno) -> UnixPeer {
    var peer = clinux_peer()
    // The function fills the structure and keeps no pointer to it.
    guard unsafe clinux_peer_of(descriptor, &peer) == 0 else { throw Errno(rawValue: errno) }
    return UnixPeer(userID: peer.uid, processID: peer.pid)
  }

  /// Reads up to `limit` octets as soon as there are some; none at the end of the stream.
  func read(upTo limit: Int, until deadline: ContinuousClock.Instant?) async throws(LocalSocketError) -> [UInt8] {
    while true {
      if let octets = try receive(upTo: limit) { return octets }
      try await wait(descriptor, .read, until: deadline)
    }
  }

  /// Takes up to `limit` octets that have come: none at the end of the stream, nil if there are none yet.
  func receive(upTo limit: Int) throws(LocalSocketError) -> [UInt8]? {
    do throws(Errno) { return try StreamSocket.receive(from: descriptor, upTo: limit) } catch {
      throw LocalSocketError(error)
    }
  }

  /// Writes all of `octets`.
  ///
  /// - Parameters:
  ///   - octets: What to write.
  ///   - deadline: When to give up; nil for never.
  ///   - stall: How long the peer may take nothing at all; nil for ever.
  /// - Throws: Why not all of it was written.
  func write(
    _ octets: [UInt8], until deadline: ContinuousClock.Instant?, stall: Duration? = nil
  ) async throws(LocalSocketError) {
    var rest = octets[...]
    while !rest.isEmpty {
      try send(&rest)
      if rest.isEmpty { return }
      let ends = [deadline, stall.map { .now + $0 }].compactMap(\.self)
      try await wait(descriptor, .write, until: ends.min())
    }
  }

  /// Gives the kernel what it takes of `rest` at the moment.
  func send(_ rest: inout ArraySlice<UInt8>) throws(LocalSocketError) {
    do throws(Errno) { rest = rest.dropFirst(try StreamSocket.send(rest, to: descriptor)) } catch {
      throw LocalSocketError(error)
    }
  }

  /// Writes what the kernel takes of `octets` at once, and drops the rest: for last words to a new connection.
  func offer(_ octets: [UInt8]) { _ = try? StreamSocket.send(octets[...], to: descriptor) }

  /// Waits until the peer has closed the connection. One that has only ended its own sending has not.
  func waitForHangUp() async throws(LocalSocketError) {
    // A descriptor can be waited for by one task at a time, so this wait has its own for the same socket.
    let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    guard copy >= 0 else { throw .failed(Errno(rawValue: errno)) }
    defer { _ = Glibc.close(copy) }
    try await wait(copy, [], until: nil)
  }

  /// Ends the connection both ways; whoever waits for it is woken.
  func shutdown() { _ = Glibc.shutdown(descriptor, Int32(SHUT_RDWR)) }

  private func wait(
    _ descriptor: Int32, _ interest: Reactor.Interest, until deadline: ContinuousClock.Instant?
  ) async throws(LocalSocketError) {
    do throws(WaitError) {
      _ = try await Reactor.shared.wait(for: descriptor, interest, until: deadline)
    } catch {
      throw LocalSocketError(error)
    }
  }
}
