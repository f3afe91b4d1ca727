// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
public import IscsiKit
internal import Synchronization
public import SystemPackage

/// The kernel's initiator in memory: a `KernelChannel` that answers as Linux does, with faults on demand.
///
///     let kernel = ScriptedKernel()
///     let link = try await KernelLink.open(channel: kernel, handle: kernel.handle)
///
/// It keeps sessions and connection states, numbers sessions from 1, and checks what the kernel does not: an order of
/// requests that would hang or confuse a real kernel is a violation. A test ends by looking at `violations`.
public final class ScriptedKernel: KernelChannel {
  /// What goes wrong with a request.
  public enum Fault: Hashable, Sendable {
    /// The interface refuses it: IF_ERROR.
    case refuse(Errno)
    /// The transport refuses it: a return code in a good reply (BIND_CONN, START_CONN, SEND_PDU).
    case returnCode(Errno)
    /// It is executed, and nothing of it is told: neither reply nor event.
    case silence
    /// It is executed, and the reply waits for `releaseReplies`; later ones wait behind it.
    case lateReply
    /// `send` blocks before it is executed, until `releaseSends`, as with a hung request of another program.
    case stuck
    /// It is executed, and the reply is lost in a full receive buffer, which the next `receive` reports.
    case overrun
    /// It is executed and answered, but the event that it announces does not come.
    case withoutEvent
    /// `send` fails.
    case sendError(Errno)
  }

  /// What the kernel knows of a session.
  public struct Session: Hashable, Sendable {
    /// Its SCSI host.
    public let host: HostNumber
    /// The state of its connection; nil if it has none.
    public var connection: KernelConnectionState?
    /// Whether the kernel has stopped the connection itself and waits for STOP_CONN.
    public var isCleanUpPending = false
    /// Whether the connection was stopped for good.
    public var isTerminated = false
    /// Whether UNBIND_SESSION was asked for.
    public var isUnbound = false
    /// The parameters that were set, as text, by number.
    public var parameters: [UInt32: String] = [:]
    /// CmdSN of the next command or login.
    public var commandSN: UInt32
    /// The number of the socket that was bound last, in this process, at that moment.
    public var socket: Int32?
    /// How many sockets were bound so far, which is the number of the present login.
    public var bindCount = 0
    /// The TCP port that this socket is connected to, if it is a TCP socket of IPv4.
    public var peerPort: UInt16?
  }

  struct State {
    var sessions: [SessionID: Session] = [:]
    /// The sockets that connections have, kept open as the kernel does.
    var sockets: [SessionID: SocketReference] = [:]
    var datagramCount = 0
    var lastSession: UInt32 = 0
    var requests: [ScriptedRequest] = []
    var violations: [String] = []
    var faults: [(type: KernelMessageType, skip: Int, fault: Fault)] = []
    var inbox: [Result<KernelDatagram, Errno>] = []
    var withheld: [KernelDatagram] = []
    var target: @Sendable (SessionID, ScriptedPDU) -> [ScriptedPDU] = { _, _ in [] }
    var scsiCommands: UInt32 = 0
    var parameterSet: @Sendable (SessionID, UInt32, String) -> Void = { _, _, _ in }
  }

  /// The port of the link's socket, which its sessions have as their creator.
  public let port: UInt32? = 4242
  /// The handle that requests must name.
  public let handle = TransportHandle(rawValue: 0xFFFF_FFFF_C05B_B060)

  let state = Mutex(State())
  private let wakes = DispatchSemaphore(value: 0)
  private let sends = DispatchSemaphore(value: 0)

  /// A kernel without sessions.
  public init() {}

  /// The same kernel for the next program that opens a link to it: with the sessions that the last one has left, and no
  /// request yet. Who answers PDUs is to be set again.
  public init(continuing kernel: ScriptedKernel) {
    let (sessions, sockets, lastSession) = kernel.state.withLock { ($0.sessions, $0.sockets, $0.lastSession) }
    state.withLock { state in
      state.sessions = sessions
      state.sockets = sockets
      state.lastSession = lastSession
    }
  }

  // MARK: - What a test sees

  /// All requests so far, in order.
  public var requests: [ScriptedRequest] { state.withLock { $0.requests } }
  /// How many datagrams the requests came in.
  public var datagramCount: Int { state.withLock { $0.datagramCount } }
  /// How many faults were injected whose request has not come yet.
  public var faultsToCome: Int { state.withLock { $0.faults.count } }
  /// What a real kernel would not have survived, or would have misunderstood.
  public var violations: [String] { state.withLock { $0.violations } }
  /// The sessions that exist.
  public var sessions: [SessionID: Session] { state.withLock { $0.sessions } }

  // MARK: - What a test does

  /// Makes the next request of a type fail; `skip` lets that many pass before.
  public func inject(_ fault: Fault, into type: KernelMessageType, skip: Int = 0) {
    state.withLock { $0.faults.append((type, skip, fault)) }
  }

  /// Sets who answers the PDUs of SEND_PDU; it runs on the link's thread. CmdSN and task tag are set as the kernel does.
  public func answerPDUs(with target: @escaping @Sendable (SessionID, ScriptedPDU) -> [ScriptedPDU]) {
    state.withLock { $0.target = target }
  }

  /// Sets what GET_STATS tells of SCSI commands.
  public func setSCSICommands(_ count: UInt32) { state.withLock { $0.scsiCommands = count } }

  /// Sets who is told of each parameter that is set, with its number and its text; it runs on the link's thread.
  public func tellParameters(to body: @escaping @Sendable (SessionID, UInt32, String) -> Void) {
    state.withLock { $0.parameterSet = body }
  }

  /// Adds a session as another program left it.
  @discardableResult
  public func addSession(connection: KernelConnectionState?) -> SessionID {
    state.withLock { state in
      let id = state.makeSession(commandSN: 1)
      state.sessions[id]?.connection = connection
      return id
    }
  }

  /// Fails a connection as the kernel does: CONN_ERROR, and its own stop, which only STOP_CONN clears.
  public func failConnection(of session: SessionID, _ error: KernelErrorCode = .connectionClosed) {
    stopConnection(of: session)
    multicast(.connectionError, words: [session.rawValue, 0, error.rawValue])
  }

  /// Fails a connection, of which nothing is told yet.
  public func stopConnection(of session: SessionID) {
    state.withLock { state in
      if state.sessions[session]?.connection == .up || state.sessions[session]?.connection == .bound {
        state.sessions[session]?.isCleanUpPending = true
        state.sessions[session]?.connection = .failed
      }
    }
  }

  /// Delivers a PDU of the target to user space.
  public func deliver(_ pdu: ScriptedPDU, to session: SessionID) {
    multicast(.receivedPDU, words: [session.rawValue, 0], payload: pdu.header + pdu.data)
  }

  /// Sends an event of any number and content.
  public func multicast(_ type: KernelMessageType, words: [UInt32], payload: [UInt8] = []) {
    receiveLater([.success(ScriptedWire.event(type, words: words, payload: payload))])
  }

  /// Hands a datagram to the link as it is.
  public func inject(_ datagram: KernelDatagram) { receiveLater([.success(datagram)]) }

  /// Loses events: the next `receive` reports a full buffer.
  public func overflow() { receiveLater([.failure(.noBufferSpace)]) }

  /// Makes the next `receive` fail.
  public func failReceive(_ errno: Errno) { receiveLater([.failure(errno)]) }

  /// Sends the replies that `lateReply` withheld.
  public func releaseReplies() {
    let withheld = state.withLock { state in
      defer { state.withheld = [] }
      return state.withheld
    }
    receiveLater(withheld.map { .success($0) })
  }

  /// Lets one `send` go on that is `stuck`.
  public func releaseSends() { sends.signal() }

  // MARK: - KernelChannel

  /// Executes the requests of a datagram, in order.
  public func send(_ datagram: [UInt8]) throws(Errno) {
    guard let requests = ScriptedWire.requests(in: datagram) else {
      // The kernel drops such a message without an answer, and the caller waits for ever.
      state.withLock { $0.violations.append("a message has a wrong length") }
      return
    }
    state.withLock { $0.datagramCount += 1 }
    for (request, fixed) in requests {
      let fault = state.withLock { $0.takeFault(for: request.type) }
      if case .sendError(let errno)? = fault { throw errno }
      if fault == .stuck { sends.wait() }
      let outcome = state.withLock { $0.execute(request, fixed: fixed, fault: fault) }
      receiveLater(outcome.received)
      guard let pdu = outcome.sent else { continue }
      // Outside the lock: a target may look at the kernel.
      let target = state.withLock { $0.target }
      for answer in target(request.session, pdu) { deliver(answer, to: request.session) }
    }
  }

  /// Takes the next datagram or error.
  public func receive() throws(Errno) -> KernelDatagram? {
    let next = state.withLock { $0.inbox.isEmpty ? nil : $0.inbox.removeFirst() }
    return try next?.get()
  }

  /// Waits for a datagram or a wake.
  public func wait() { wakes.wait() }

  /// Ends a wait.
  public func wake() { wakes.signal() }

  private func receiveLater(_ results: [Result<KernelDatagram, Errno>]) {
    guard !results.isEmpty else { return }
    state.withLock { $0.inbox += results }
    wakes.signal()
  }
}
