// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import Synchronization
internal import SystemPackage

/// Requests that go to the kernel together, and the caller that waits for all their answers.
final class RequestBatch: Sendable {
  /// One answer for each request, in order.
  typealias Answers = [Result<KernelReply, KernelError>]

  /// What the link has to remember of a request until its reply comes.
  struct Entry: Sendable {
    let type: KernelMessageType
    let session: SessionID?
    let echo: KernelRequestEcho
  }

  /// A datagram, and which of the requests it holds.
  struct Datagram: Sendable {
    var octets: [UInt8] = []
    var entries: Range<Int>
  }

  private enum Phase {
    /// Not sent yet.
    case waiting
    /// The link's thread has it.
    case sent
    /// The caller has gone, or has its answers.
    case over
  }

  private struct State {
    var phase = Phase.waiting
    var answers: [Result<KernelReply, KernelError>?]
    var missing: Int
    var continuation: CheckedContinuation<Result<Answers, KernelError>, Never>?
  }

  /// Datagrams stay below this many octets. The kernel refuses what exceeds the send buffer, and the answers to a full
  /// datagram of small requests, about 300, must fit into the receive buffer beside the events.
  static let datagramLimit = 32 << 10

  let entries: [Entry]
  let datagrams: [Datagram]
  /// Kept open until the kernel has answered, even if the caller has gone: a request names a socket by its number, and
  /// the number must not be another file's when the kernel gets to it.
  private let socket: DuplicatedSocket?
  private let state: Mutex<State>

  /// Encodes requests, on the caller's thread.
  init(_ requests: [KernelRequest], handle: TransportHandle, socket: DuplicatedSocket? = nil) {
    var entries: [Entry] = []
    var datagrams = [Datagram(entries: 0..<0)]
    entries.reserveCapacity(requests.count)
    for request in requests {
      var last = datagrams.count - 1
      let start = datagrams[last].octets.count
      let echo = request.encode(into: &datagrams[last].octets, handle: handle)
      if start > 0, datagrams[last].octets.count > Self.datagramLimit {
        // It does not fit behind the others: it opens the next datagram.
        let message = Array(datagrams[last].octets[start...])
        datagrams[last].octets.removeSubrange(start...)
        datagrams.append(Datagram(octets: message, entries: entries.count..<entries.count))
        last += 1
      }
      entries.append(Entry(type: request.type, session: request.session, echo: echo))
      datagrams[last].entries = datagrams[last].entries.lowerBound..<entries.count
    }
    self.entries = entries
    self.datagrams = datagrams
    self.socket = socket
    state = Mutex(State(answers: Array(repeating: nil, count: entries.count), missing: entries.count))
  }

  /// Sets who waits; false if the deadline has passed already, so that nothing would ever resume the caller.
  func install(_ continuation: CheckedContinuation<Result<Answers, KernelError>, Never>) -> Bool {
    state.withLock { state in
      guard state.phase != .over else { return false }
      state.continuation = continuation
      return true
    }
  }

  /// Takes the batch for sending; false if its deadline has passed already: it must not be sent any more.
  func claim() -> Bool {
    state.withLock { state in
      guard state.phase == .waiting else { return false }
      state.phase = .sent
      return true
    }
  }

  /// Notes the answer to one request, and resumes the caller with the last one; false if the caller has gone.
  @discardableResult
  func answer(_ index: Int, with answer: Result<KernelReply, KernelError>) -> Bool {
    typealias Caller = CheckedContinuation<Result<Answers, KernelError>, Never>
    let (isAwaited, ready) = state.withLock { state -> (Bool, (Caller, Answers)?) in
      guard state.phase != .over, state.answers[index] == nil else { return (false, nil) }
      state.answers[index] = answer
      state.missing -= 1
      guard state.missing == 0, let continuation = state.continuation else { return (true, nil) }
      state.phase = .over
      state.continuation = nil
      return (true, (continuation, state.answers.compactMap { $0 }))
    }
    if let (continuation, answers) = ready { continuation.resume(returning: .success(answers)) }
    return isAwaited
  }

  /// Resumes the caller with an error, if it still waits.
  func fail(_ error: KernelError) {
    let continuation = state.withLock { state in
      state.phase = .over
      defer { state.continuation = nil }
      return state.continuation
    }
    continuation?.resume(returning: .failure(error))
  }

  /// Resumes the caller because its deadline has passed. The answers that come later find nobody; what was not sent by
  /// now never will be.
  func expire() {
    let expired = state.withLock { state -> (CheckedContinuation<Result<Answers, KernelError>, Never>?, KernelError)? in
      guard let unanswered = zip(entries, state.answers).first(where: { $0.1 == nil })?.0.type else { return nil }
      let error = state.phase == .waiting ? KernelError.notSent(unanswered) : .timedOut(unanswered)
      state.phase = .over
      defer { state.continuation = nil }
      return (state.continuation, error)
    }
    if let (continuation, error) = expired { continuation?.resume(returning: .failure(error)) }
  }
}

/// A second descriptor of a socket, closed with the last reference.
final class DuplicatedSocket: Sendable {
  let descriptor: Int32

  /// Duplicates a descriptor; the caller's own stays the caller's.
  init(_ socket: FileDescriptor) throws(KernelError) {
    let copy = fcntl(socket.rawValue, F_DUPFD_CLOEXEC, 0)
    guard copy >= 0 else { throw .system(.duplicate, Errno(rawValue: errno)) }
    descriptor = copy
  }

  deinit { close(descriptor) }
}
