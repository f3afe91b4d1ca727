// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Lets a limited number of logins at a time through to each portal, in the order of their coming.
///
/// A target that comes back meets all its sessions at once; one that is dead holds up those of no other portal.
///
/// So attempts need not be spread in time, also when a link comes back and hundreds of sessions try at once: a target sees
/// as many as are let in, and whoever came to the queue later would only keep its I/O waiting longer. What fails is tried
/// again after waits with jitter (`Backoff`).
final class RecoveryGate: Sendable {
  /// A place inside; `leave` gives it to the next.
  struct Pass: Sendable {
    fileprivate let gate: RecoveryGate
    fileprivate let portal: String

    /// Gives the place back.
    func leave() { gate.leave(portal) }
  }

  private struct Queue {
    var inside = 0
    var waiting: [(ticket: UInt64, turn: OneShot<Bool>)] = []
  }

  private struct State {
    var queues: [String: Queue] = [:]
    var lastTicket: UInt64 = 0
  }

  private let limit: Int
  private let state = Mutex(State())

  /// A gate for this many at a time at each portal.
  init(limit: Int) { self.limit = max(limit, 1) }

  /// How many wait for a place.
  func waitingCount(_ portal: String) -> Int { state.withLock { $0.queues[portal]?.waiting.count ?? 0 } }

  /// Waits for a place; nil if the task is cancelled before there is one.
  func enter(_ portal: String) async -> Pass? {
    let turn = OneShot<Bool>()
    let ticket = state.withLock { state in
      state.lastTicket += 1
      var queue = state.queues[portal] ?? Queue()
      if queue.inside < limit {
        queue.inside += 1
        turn.resolve(true)
      } else {
        queue.waiting.append((state.lastTicket, turn))
      }
      state.queues[portal] = queue
      return state.lastTicket
    }
    let isInside = await withTaskCancellationHandler {
      await turn.value
    } onCancel: {
      // Whoever has been let in by now stays in, and leaves as usual.
      let isWaiting = state.withLock { state in
        guard let index = state.queues[portal]?.waiting.firstIndex(where: { $0.ticket == ticket }) else { return false }
        state.queues[portal]?.waiting.remove(at: index)
        return true
      }
      if isWaiting { turn.resolve(false) }
    }
    return isInside ? Pass(gate: self, portal: portal) : nil
  }

  private func leave(_ portal: String) {
    let next = state.withLock { state -> OneShot<Bool>? in
      guard var queue = state.queues[portal] else { return nil }
      defer { state.queues[portal] = queue.inside == 0 ? nil : queue }
      guard queue.waiting.isEmpty else { return queue.waiting.removeFirst().turn }
      queue.inside -= 1
      return nil
    }
    next?.resolve(true)
  }
}
