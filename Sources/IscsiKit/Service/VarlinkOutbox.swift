// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// What a server sends on one connection: whole messages in order, from whatever tasks.
///
/// The writing is a task of its own, so that a sender that is cancelled leaves no half message behind. Each sender waits
/// until its message is with the kernel, which slows a service down to what its client reads.
final class VarlinkOutbox: Sendable {
  /// What a call may send its replies with. It ends with the call's last reply.
  struct Ticket: Hashable, Sendable { fileprivate let number: UInt64 }

  private struct State {
    var pending: [UInt8] = []
    var waiters: [CheckedContinuation<Bool, Never>] = []
    var isWriting = false
    /// The client is gone, or does not read.
    var isBroken = false
    var current: Ticket?
    var lastNumber: UInt64 = 0
  }

  private let state = Mutex(State())
  private let socket: LocalSocket
  private let stall: Duration
  private let limit: Int

  /// - Parameters:
  ///   - socket: Where to.
  ///   - stall: After how long without progress the client is dropped.
  ///   - limit: The most octets to wait for a write that is under way; a client that makes us exceed it is dropped.
  init(_ socket: LocalSocket, stall: Duration, limit: Int) {
    self.socket = socket
    self.stall = stall
    self.limit = limit
  }

  /// Begins a call. Only its replies can be sent until it ends.
  func begin() -> Ticket {
    state.withLock { state in
      state.lastNumber += 1
      let ticket = Ticket(number: state.lastNumber)
      state.current = ticket
      return ticket
    }
  }

  /// Ends a call that gets no (more) reply.
  func end(_ ticket: Ticket) {
    state.withLock { state in
      if state.current == ticket { state.current = nil }
    }
  }

  /// Sends a message of a call; the last one ends the call. False if the call has ended or the client is gone.
  func send(_ message: [UInt8], of ticket: Ticket, isLast: Bool) async -> Bool {
    await withCheckedContinuation { continuation in
      let (isAccepted, starts) = state.withLock { state -> (Bool, Bool) in
        guard !state.isBroken, state.current == ticket else { return (false, false) }
        if isLast { state.current = nil }
        guard state.pending.count + message.count <= limit || state.pending.isEmpty else {
          state.isBroken = true
          return (false, false)
        }
        state.pending += message
        state.waiters.append(continuation)
        defer { state.isWriting = true }
        return (true, !state.isWriting)
      }
      if !isAccepted {
        if state.withLock(\.isBroken) { socket.shutdown() }
        continuation.resume(returning: false)
      } else if starts {
        Task { await write() }
      }
    }
  }

  private func write() async {
    while let (octets, waiters) = takePending() {
      let isWritten: Bool
      do throws(LocalSocketError) {
        try await socket.write(octets, until: nil, stall: stall)
        isWritten = true
      } catch {
        isWritten = false
        state.withLock { $0.isBroken = true }
        socket.shutdown()
      }
      for waiter in waiters { waiter.resume(returning: isWritten) }
    }
  }

  private func takePending() -> ([UInt8], [CheckedContinuation<Bool, Never>])? {
    state.withLock { state in
      guard !state.waiters.isEmpty else {
        state.isWriting = false
        return nil
      }
      defer {
        state.pending = []
        state.waiters = []
      }
      return (state.pending, state.waiters)
    }
  }
}
