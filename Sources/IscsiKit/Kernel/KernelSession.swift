// SPDX-License-Identifier: Apache-2.0

internal import Synchronization
internal import SystemPackage

/// What a session's connection is ready for. The kernel does not check it; the types do.
public protocol KernelSessionPhase {}
/// A phase in which the connection has a socket, or may have one: it can be stopped for recovery.
public protocol StoppableKernelSessionPhase: KernelSessionPhase {}
/// A phase in which the connection surely has a socket: parameters can be set and PDUs sent.
public protocol ConnectedKernelSessionPhase: StoppableKernelSessionPhase {
  /// Tells which PDUs are user space's to send in the phase.
  ///
  /// - Parameters:
  ///   - first: The first octet of the header: opcode and immediate bit.
  ///   - hasData: Whether the PDU has data.
  /// - Returns: Why it must not be sent; nil if it may.
  static func objection(to first: UInt8, hasData: Bool) -> String?
}

/// The phases of a kernel session.
public enum KernelPhase {
  /// The connection has no socket: it was just made, or stopped for recovery.
  public enum Unbound: KernelSessionPhase {}
  /// The connection has a socket; login PDUs can be exchanged.
  public enum Bound: ConnectedKernelSessionPhase {
    /// Login and Text Requests can be sent.
    public static func objection(to first: UInt8, hasData: Bool) -> String? {
      [0x03, 0x04].contains(first & 0x3F)
        ? nil : "only Login and Text Requests can be sent before the full feature phase"
    }
  }
  /// The connection was started: full feature phase, as far as the kernel has not failed it since.
  public enum Up: ConnectedKernelSessionPhase {
    /// Logout Requests, NOP-Outs, Text and task management requests can be sent, all of them immediate, since another
    /// PDU would use up a CmdSN of the kernel's. Only Text may have data.
    public static func objection(to first: UInt8, hasData: Bool) -> String? {
      guard first & 0x40 != 0 else { return "a PDU beside the kernel's own must be immediate" }
      guard [0x00, 0x02, 0x04, 0x06].contains(first & 0x3F) else {
        return "the kernel alone sends this PDU in the full feature phase"
      }
      return hasData && first & 0x3F != 0x04
        ? "the kernel sends no data with this PDU in the full feature phase" : nil
    }
  }
  /// Something failed or is not known: stop it for recovery, or destroy it.
  public enum Broken: StoppableKernelSessionPhase {}
}

/// A session of the kernel's initiator with its one connection, in a phase that the type names.
///
///     create ──> Unbound ──bind──> Bound ──start──> Up ──release──> (stays in the kernel)
///                   ^                │               │
///                   └──stopForRecovery── Broken ─────┘          destroy: from every phase
///
/// A step consumes the value and gives the next one, so no step can be made twice. What would hang the kernel does not
/// compile: `bind` exists only without a socket, since a second bind without a stop between makes the kernel loop for
/// ever; `start` exists only after a bind, since the kernel calls a session without a socket logged in. A step that fails
/// gives a `Broken` session, since it is not known then how far the kernel has come.
///
/// A value that is dropped changes nothing in the kernel: the session stays, and `adopt` can take it up again.
///
/// A session has one value at a time in a process, whatever number of links the process has. Between processes nothing
/// keeps two from adopting one session and binding a socket each, which hangs the kernel: whoever deploys this library
/// must see to it that one program at a time drives a session, a daemon that owns its sessions or one command after the
/// other.
public struct KernelSession<Phase: KernelSessionPhase>: ~Copyable, Sendable {
  let core: SessionCore

  init(core: SessionCore) { self.core = core }

  /// The kernel's number of the session.
  public var id: SessionID { core.id }
  /// The session's SCSI host.
  public var host: HostNumber { core.host }
  /// The session's events from now on: a subscription of its own for each use, to be taken before what is to be seen.
  /// What a method here waits for, such as the removal of the devices, is among them.
  public var events: KernelEvents { core.link.events(for: core.id) }

  /// The counters of the connection. They live as long as the session, over relogins.
  public borrowing func statistics(
    until deadline: ContinuousClock.Instant = KernelLink.defaultDeadline
  ) async throws(KernelError) -> KernelStatistics {
    try await core.link.statistics(of: core.id, until: deadline)
  }

  /// Sets what sysfs shows of the session's host.
  public borrowing func setHostParameter(
    _ parameter: HostParameter, until deadline: ContinuousClock.Instant = KernelLink.defaultDeadline
  ) async throws(KernelError) {
    guard parameter.octets.isKernelText else { throw .invalidHostText }
    _ = try await core.perform(.setHostParameter(core.host, parameter), until: deadline)
  }

  /// Removes the connection and the session for good, whatever is under way. Its SCSI devices go with it: call
  /// `removeDevices` and log out before, or disks go before their caches are flushed.
  public consuming func destroy(
    until deadline: ContinuousClock.Instant = KernelLink.defaultDeadline
  ) async -> KernelSessionRemoval {
    do throws(KernelError) {
      try await core.destroy(until: deadline)
      return .done
    } catch {
      return .failed(KernelSession<KernelPhase.Broken>(core: core), error)
    }
  }
}

/// A session without a socket.
public typealias UnboundKernelSession = KernelSession<KernelPhase.Unbound>
/// A session with a socket, in the login phase.
public typealias BoundKernelSession = KernelSession<KernelPhase.Bound>
/// A session in full feature phase.
public typealias UpKernelSession = KernelSession<KernelPhase.Up>
/// A session that can only be stopped for recovery or destroyed.
public typealias BrokenKernelSession = KernelSession<KernelPhase.Broken>

/// What a step of a session led to.
public enum KernelTransition<Next: KernelSessionPhase>: ~Copyable, Sendable {
  /// The session in its next phase.
  case done(KernelSession<Next>)
  /// The session as it has to be treated now, and what failed.
  case failed(BrokenKernelSession, KernelError)
}

/// What the removal of a session led to.
public enum KernelSessionRemoval: ~Copyable, Sendable {
  /// The session is gone.
  case done
  /// The session may still be there, in part.
  case failed(BrokenKernelSession, KernelError)
}

/// A session that was found in sysfs.
public enum AdoptedKernelSession: ~Copyable, Sendable {
  /// The kernel says that the connection is up: there is nothing to do.
  case up(UpKernelSession)
  /// Anything else: to be recovered or destroyed.
  case broken(BrokenKernelSession)
}

/// What the phases of one session have in common: its numbers, its link, and the claim that it is driven.
final class SessionCore: Sendable {
  let id: SessionID
  let host: HostNumber
  let link: KernelLink
  /// Whether the kernel has removed the devices: it tells only once.
  private let devicesRemoved = Atomic(false)

  /// Claims the session; throws if this process has a value for it already.
  init(link: KernelLink, id: SessionID, host: HostNumber) throws(KernelError) {
    guard link.core.claims.claim(id) else { throw .alreadyOwned(id) }
    self.link = link
    self.id = id
    self.host = host
  }

  deinit { link.core.claims.release(id) }

  func perform(
    _ request: KernelRequest, until deadline: ContinuousClock.Instant
  ) async throws(KernelError) -> KernelReply {
    try await link.perform(request, until: deadline)
  }

  /// Makes requests in one datagram and throws the first error among the answers.
  ///
  /// The kernel answers a parameter that its transport does not know with `ENOSYS`; older kernels know fewer, and a
  /// session works without them, so this is not an error.
  func performAll(
    _ requests: [KernelRequest], keeping socket: DuplicatedSocket? = nil, until deadline: ContinuousClock.Instant
  ) async throws(KernelError) {
    for answer in try await link.perform(requests, keeping: socket, until: deadline) {
      switch answer {
      case .success, .failure(.rejected(.setParameter, .noFunction, by: .interface)): continue
      case .failure(let error): throw error
      }
    }
  }

  /// Sends a PDU, again if the kernel is not done with the one before.
  ///
  /// libiscsi tells of a Login or Text Response before it frees the request's task, and refuses the next request until
  /// then ("Login/Text in progress"). Whoever is quick on another processor meets that moment.
  func send(_ request: KernelRequest, until deadline: ContinuousClock.Instant) async throws(KernelError) {
    for attempt in 0..<9 {
      do throws(KernelError) {
        _ = try await perform(request, until: deadline)
        return
      } catch .rejected(.sendPDU, .notPermitted, by: .transport) {
        let pause = Duration.milliseconds(1 << attempt)
        guard (try? await Reactor.shared.sleep(until: .now + pause)) != nil else { throw .cancelled }
      }
    }
    _ = try await perform(request, until: deadline)
  }

  func set(_ parameters: [KernelParameter], until deadline: ContinuousClock.Instant) async throws(KernelError) {
    try await performAll(try requests(setting: parameters), until: deadline)
  }

  /// The requests that set parameters; throws if a text is not what the kernel would read.
  func requests(setting parameters: [KernelParameter]) throws(KernelError) -> [KernelRequest] {
    try Self.requests(setting: parameters, of: id)
  }

  /// The same for any session.
  static func requests(
    setting parameters: [KernelParameter], of id: SessionID
  ) throws(KernelError) -> [KernelRequest] {
    for parameter in parameters where !parameter.octets.isKernelText {
      throw .invalidArgument("parameter \(parameter.number) has a NUL in it or more than 4095 octets")
    }
    return parameters.map { .setParameter(id, .leading, $0) }
  }

  /// Waits for an event that a request announces. The subscription must be older than the request.
  ///
  /// The kernel sends an event once. If it may be among what was lost, sysfs is looked at again and again as well.
  ///
  /// - Parameters:
  ///   - event: What to wait for.
  ///   - events: Where it comes.
  ///   - request: What has announced it.
  ///   - replyIsLost: Whether something was lost before the wait.
  ///   - patience: When to give up.
  ///   - hasHappened: Whether sysfs shows what the event tells.
  /// - Throws: `timedOut` at the deadline, or why the link has ended.
  private func wait(
    for event: KernelEvent, in events: KernelEvents, of request: KernelMessageType, replyIsLost: Bool,
    _ patience: Patience, orUntil hasHappened: () throws(SysfsError) -> Bool
  ) async throws(KernelError) {
    var patience = patience
    // An event that came before this wait, as to a daemon that was killed, does not come again: sysfs is looked at too.
    var pause = replyIsLost ? Duration.milliseconds(100) : .seconds(1)
    var next = replyIsLost ? ContinuousClock.now : .now + pause
    while true {
      // A sysfs that cannot be read now says nothing: the next look may.
      if next <= .now {
        if (try? hasHappened()) == true { return }
        if patience.mindsLoss, isConnectionDown { patience.connectionLost() }
        guard .now < patience.end else { throw .timedOut(request) }
        next = .now + pause
      }
      switch try await events.next(until: min(patience.end, next)) {
      case event: return
      case .connectionFailed: patience.connectionLost()
      case .overrun: (pause, next) = (.milliseconds(100), .now)
      case nil where patience.end <= .now: throw .timedOut(request)
      default: continue
      }
    }
  }

  /// Whether sysfs shows that the connection is not up; what cannot be read says nothing.
  private var isConnectionDown: Bool {
    guard let found = try? link.sysfs.session(id, .summary) else { return false }
    return !found.isConnectionUp
  }

  /// Has the kernel remove the devices, and waits for it.
  ///
  /// - Parameters:
  ///   - patience: When to give up.
  ///   - turn: How long the request may wait for others before it, until it is looked whether it still makes sense.
  /// - Throws: `timedOut` or `notSent`, or why the link has ended.
  func removeDevices(_ patience: Patience, turn: Duration = .seconds(90)) async throws(KernelError) {
    guard !devicesRemoved.load(ordering: .acquiring) else { return }
    let events = link.events(for: id)
    var (patience, replyIsLost, isSent) = (patience, false, false)
    while !isSent {
      isSent = true
      do throws(KernelError) {
        // The kernel answers at once, unless another request holds it; and what was sent is executed.
        _ = try await link.perform(.unbindSession(id), until: min(patience.end, .now + turn))
      } catch .overrun, .timedOut(.unbindSession) {
        // The kernel has executed it nevertheless, or will.
        replyIsLost = true
      } catch .notSent where patience.end > .now {
        // Nothing would ever tell of what was not asked for, and the disks would go unflushed with the session.
        isSent = false
        if patience.mindsLoss, isConnectionDown { patience.connectionLost() }
      }
    }
    try await wait(
      for: .devicesRemoved, in: events, of: .unbindSession, replyIsLost: replyIsLost, patience
    ) { () throws(SysfsError) in try link.sysfs.hasRemovedDevices(of: id) }
    devicesRemoved.store(true, ordering: .releasing)
  }

  /// Goes to its end even if the caller's task is cancelled: the requests are executed anyway, and who is cancelled may
  /// rely on it too that nothing is left.
  func destroy(until deadline: ContinuousClock.Instant) async throws(KernelError) {
    let work = Task { () -> Result<Void, KernelError> in
      do throws(KernelError) {
        return .success(try await destroyNow(until: deadline))
      } catch {
        return .failure(error)
      }
    }
    try await work.value.get()
  }

  private func destroyNow(until deadline: ContinuousClock.Instant) async throws(KernelError) {
    let events = link.events(for: id)
    var replyIsLost = false
    do throws(KernelError) {
      // A stop for good (iscsi_if_stop_conn) is not kept apart from the kernel's own clean-up after an error, such as that of a
      // target that refuses a login and hangs up. Both then let go of the socket, whose next close stops the machine. A stop for
      // recovery is, and it leaves no socket.
      let stops: [KernelRequest] = [.recover, .terminate].map { .stopConnection(id, .leading, $0) }
      let isAnnounced = try await link.core.destroySession(
        id, after: stops + [.destroyConnection(id, .leading)], until: deadline)
      guard isAnnounced else { return }
    } catch .overrun {
      replyIsLost = true
    }
    try await wait(
      for: .sessionDestroyed, in: events, of: .destroySessionAsync, replyIsLost: replyIsLost, Patience(until: deadline)
    ) { () throws(SysfsError) in try !link.sysfs.hasSession(id) }
  }
}

/// How long something is waited for that may depend on the connection.
struct Patience: Sendable {
  /// When to give up.
  private(set) var end: ContinuousClock.Instant
  private var afterLoss: Duration?

  init(until end: ContinuousClock.Instant, afterLoss: Duration? = nil) {
    self.end = end
    self.afterLoss = afterLoss
  }

  /// Whether the loss of the connection makes a difference, which it does once.
  var mindsLoss: Bool { afterLoss != nil }

  /// The connection is not up any more.
  mutating func connectionLost() {
    guard let afterLoss else { return }
    end = min(end, .now + afterLoss)
    self.afterLoss = nil
  }
}

extension KernelError {
  /// A host parameter that the kernel would cut.
  static let invalidHostText = KernelError.invalidArgument("a host parameter has a NUL in it or more than 4095 octets")
}

extension [UInt8] {
  /// Whether this is one C string that the kernel takes as it is: a NUL at the end and nowhere else, 4096 octets at most.
  var isKernelText: Bool { count <= 4096 && firstIndex(of: 0) == count - 1 }
}
