// SPDX-License-Identifier: Apache-2.0

internal import IscsiKit
internal import SystemPackage

extension ScriptedKernel.State {
  /// What a request leads to.
  struct Outcome {
    /// The replies and events that the link receives.
    var received: [Result<KernelDatagram, Errno>] = []
    /// The PDU that goes to the target.
    var sent: ScriptedPDU?
  }

  /// How a request ends inside the kernel.
  private enum Answer {
    /// A reply with these words in its union, if it has any.
    case reply([UInt32])
    /// IF_ERROR.
    case error(Errno)
    /// No reply: an event is the answer.
    case none
  }

  /// The parameters that `iscsi_tcp` lets user space set.
  private static let settable: Set<UInt32> = Set(
    Array(0...11) + Array(14...19) + Array(22...28) + [30, 31, 32, 34, 35, 36, 39, 40, 41, 43, 44, 70, 71])

  mutating func makeSession(commandSN: UInt32) -> SessionID {
    lastSession += 1
    let id = SessionID(rawValue: lastSession)
    sessions[id] = ScriptedKernel.Session(host: HostNumber(rawValue: lastSession + 1), commandSN: commandSN)
    return id
  }

  mutating func takeFault(for type: KernelMessageType) -> ScriptedKernel.Fault? {
    guard let index = faults.firstIndex(where: { $0.type == type }) else { return nil }
    guard faults[index].skip == 0 else {
      faults[index].skip -= 1
      return nil
    }
    return faults.remove(at: index).fault
  }

  /// Executes one request.
  mutating func execute(_ request: ScriptedRequest, fixed: [UInt8], fault: ScriptedKernel.Fault?) -> Outcome {
    requests.append(request)
    var before: [KernelDatagram] = []
    var after: [KernelDatagram] = []
    var outcome = Outcome()
    let answer: Answer
    switch fault {
    case .refuse(let errno): answer = .error(errno)
    case .returnCode(let errno): answer = .reply([UInt32(bitPattern: -errno.rawValue)])
    default: answer = perform(request, before: &before, after: &after, sent: &outcome.sent)
    }
    let reply: KernelDatagram? =
      switch answer {
      case .reply(let words): ScriptedWire.reply(to: fixed, words: words)
      case .error(let errno): ScriptedWire.reply(to: fixed, error: errno.rawValue)
      case .none: nil
      }
    switch fault {
    case .silence: outcome.received = []
    case .overrun: outcome.received = [.failure(.noBufferSpace)]
    case .withoutEvent: outcome.received = reply.map { [.success($0)] } ?? []
    case nil where !withheld.isEmpty:
      // Replies keep their order.
      withheld += reply.map { [$0] } ?? []
      outcome.received = (before + after).map { .success($0) }
    case .lateReply:
      withheld += reply.map { [$0] } ?? []
      outcome.received = (before + after).map { .success($0) }
    default:
      outcome.received = (before + (reply.map { [$0] } ?? []) + after).map { .success($0) }
    }
    return outcome
  }

  private mutating func perform(
    _ request: ScriptedRequest, before: inout [KernelDatagram], after: inout [KernelDatagram],
    sent: inout ScriptedPDU?
  ) -> Answer {
    guard request.handle == TransportHandle(rawValue: 0xFFFF_FFFF_C05B_B060) else { return .error(.invalidArgument) }
    switch request.type {
    case .createSession: return createSession(request, before: &before)
    case .setHostParameter:
      guard request.parameter <= 2 else { return .error(.noFunction) }
      return request.text == nil ? .error(.invalidArgument) : .reply([])
    case .createConnection, .destroyConnection, .bindConnection, .setParameter, .startConnection, .stopConnection,
      .sendPDU, .getStatistics, .unbindSession, .destroySession, .destroySessionAsync:
      break
    default: return .error(.noFunction)
    }
    guard let session = sessions[request.session] else {
      return .error(request.type == .getStatistics ? .fileExists : .invalidArgument)
    }
    let id = request.session.rawValue
    switch request.type {
    case .createConnection:
      guard session.connection == nil else { return .error(.noMemory) }
      sessions[request.session]?.connection = .down
      return .reply([id, 0])
    case .unbindSession:
      sessions[request.session]?.isUnbound = true
      if !session.isUnbound { after.append(ScriptedWire.event(.sessionUnbound, words: [id, session.host.rawValue])) }
      return .reply([])
    case .destroySession, .destroySessionAsync:
      guard session.connection == nil else { return .error(.resourceBusy) }
      sessions[request.session] = nil
      var events = [ScriptedWire.event(.sessionDestroyed, words: [session.host.rawValue, id])]
      if !session.isUnbound {
        events.insert(ScriptedWire.event(.sessionUnbound, words: [id, session.host.rawValue]), at: 0)
      }
      if request.type == .destroySession { before += events } else { after += events }
      return .reply([])
    default:
      guard session.connection != nil else {
        return .error(request.type == .getStatistics ? .fileExists : .invalidArgument)
      }
      return performOnConnection(request, of: session, before: &before, sent: &sent)
    }
  }

  private mutating func createSession(_ request: ScriptedRequest, before: inout [KernelDatagram]) -> Answer {
    let maxCommands = request.word(4) & 0xFFFF
    guard maxCommands == 0 || maxCommands >= 16 else { return .error(.noMemory) }
    let id = makeSession(commandSN: request.word(0))
    let words = [id.rawValue, sessions[id]?.host.rawValue ?? 0]
    before.append(ScriptedWire.event(.sessionCreated, words: words))
    return .reply(words)
  }

  private mutating func performOnConnection(
    _ request: ScriptedRequest, of session: ScriptedKernel.Session, before: inout [KernelDatagram],
    sent: inout ScriptedPDU?
  ) -> Answer {
    let id = request.session
    let refused: [UInt32] = [UInt32(bitPattern: -Errno.socketNotConnected.rawValue)]
    switch request.type {
    case .bindConnection:
      guard !session.isCleanUpPending else { return .reply(refused) }
      if session.connection == .bound || session.connection == .up {
        violations.append("BIND_CONN of session \(id) without a STOP_CONN since the last: the kernel loops for ever")
      }
      if session.isTerminated { violations.append("BIND_CONN of session \(id) after STOP_CONN(1)") }
      sessions[id]?.connection = .bound
      sessions[id]?.socket = request.socket
      sessions[id]?.bindCount += 1
      sockets[id] = SocketReference(request.socket)
      sessions[id]?.peerPort = sockets[id]?.peerPort
      return .reply([0])
    case .setParameter: return setParameter(request, of: session)
    case .startConnection:
      guard !session.isCleanUpPending else { return .reply(refused) }
      if session.connection != .bound { violations.append("START_CONN of session \(id), which has no socket") }
      guard !session.hasImpossibleBurst else { return .reply([UInt32(bitPattern: -Errno.invalidArgument.rawValue)]) }
      sessions[id]?.connection = .up
      return .reply([0])
    case .stopConnection:
      let mayFailMeanwhile = session.connection == .bound || session.connection == .up
      sessions[id]?.isCleanUpPending = false
      sockets[id] = nil
      switch request.stopFlag {
      case 1:
        if mayFailMeanwhile {
          violations.append("STOP_CONN(1) of session \(id) with a socket, which the kernel may let go of meanwhile")
        }
        sessions[id]?.connection = .down
        sessions[id]?.isTerminated = true
      case 3:
        sessions[id]?.connection = .failed
        sessions[id]?.parameters[2] = "0"
        sessions[id]?.parameters[3] = "0"
      default: violations.append("STOP_CONN with flag \(request.stopFlag) does nothing")
      }
      return .reply([])
    case .destroyConnection:
      sessions[id]?.connection = nil
      sockets[id] = nil
      return .reply([])
    case .getStatistics:
      before.append(
        ScriptedWire.event(
          .getStatistics, words: [], arguments: [id.rawValue, 0],
          payload: ScriptedWire.statistics(scsiCommands: scsiCommands)))
      return .none
    default: return sendPDU(request, of: session, sent: &sent)
    }
  }

  private mutating func setParameter(_ request: ScriptedRequest, of session: ScriptedKernel.Session) -> Answer {
    guard let text = request.text else { return .error(.invalidArgument) }
    guard request.parameter == 19 || session.connection == .bound || session.connection == .up else {
      return .error(.socketNotConnected)
    }
    guard Self.settable.contains(request.parameter) else { return .error(.noFunction) }
    if request.parameter == 5 {
      guard let count = UInt16(text), count > 0, count & (count - 1) == 0 else { return .error(.invalidArgument) }
    }
    sessions[request.session]?.parameters[request.parameter] = text
    parameterSet(request.session, request.parameter, text)
    return .reply([])
  }

  private mutating func sendPDU(
    _ request: ScriptedRequest, of session: ScriptedKernel.Session, sent: inout ScriptedPDU?
  ) -> Answer {
    guard !session.isCleanUpPending else {
      return .reply([UInt32(bitPattern: -Errno.socketNotConnected.rawValue)])
    }
    guard var pdu = request.pdu else { return .error(.invalidArgument) }
    let opcode = pdu.header[0] & 0x3F
    let isLoginOrText = opcode == 0x03 || opcode == 0x04
    let isAllowed =
      isLoginOrText
      ? (session.connection == .bound || session.connection == .up) && pdu.data.count <= 8192
      : session.connection == .up && pdu.data.isEmpty
    guard isAllowed else { return .reply([UInt32(bitPattern: -Errno.notPermitted.rawValue)]) }
    if session.connection == .up, pdu.header[0] & 0x40 == 0 {
      violations.append("SEND_PDU of session \(request.session) uses up a CmdSN")
      sessions[request.session]?.commandSN &+= 1
    }
    if pdu.header[16..<20].contains(where: { $0 != 0xFF }) {
      pdu.header.replaceSubrange(16..<20, with: [0x51, 0, 0, 0x10])
    }
    for index in 0..<4 {
      pdu.header[24 + index] = UInt8(truncatingIfNeeded: session.commandSN >> (24 - 8 * UInt32(index)))
    }
    sent = pdu
    return .reply([0])
  }
}

extension ScriptedKernel.Session {
  /// Whether unsolicited data could be longer than a burst, which START_CONN refuses.
  fileprivate var hasImpossibleBurst: Bool {
    guard let first = parameters[7].flatMap({ UInt32($0) }), let most = parameters[8].flatMap({ UInt32($0) }) else {
      return false
    }
    let isUnsolicited = parameters[6] == "1" || parameters[4] == "0"
    return isUnsolicited && first > most
  }
}
