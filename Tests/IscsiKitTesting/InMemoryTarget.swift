// SPDX-License-Identifier: Apache-2.0
public import IscsiKit

/// A target node without I/O, for tests of whatever logs in, discovers or logs out.
///
/// A value stands for one connection: give `respond` what the initiator sends and hand it the answers. What the target
/// does is set by the properties before the first PDU. It follows RFC 7143 by default; wrong answers are the business
/// of `HostileTarget`. There are no logical units: SCSI commands are rejected.
public struct InMemoryTarget: Sendable {
  /// What the target does about a login, besides its parameters.
  public struct LoginBehaviour: Sendable {
    /// Refuses every login with this status.
    public var refusal: LoginStatus?
    /// Sends every login to this portal.
    public var redirect: Portal?
    /// Whether the redirection is for good (0102) or for now (0101).
    public var redirectsPermanently = false
    /// The most octets of text in one response; longer text goes on in further ones (C). At least 1.
    public var maxTextLength = 8192
    /// How many times the target first answers without T in the operational stage, though the initiator set it.
    public var extraRounds = 0
    /// TargetAlias; nil sends none.
    public var alias: String?
    /// TSIH of the new session.
    public var tsih: UInt16 = 1

    /// A login that succeeds.
    public init() {}
  }

  /// The name that the target answers to.
  public let name: TargetName
  /// Where it listens; the first one's tag is its TargetPortalGroupTag.
  public let portals: [Portal]
  /// What the initiator has to prove; nil asks for nothing.
  public var authentication: TargetCHAP?
  /// What SendTargets tells in a discovery session; this target alone if not set.
  public var targets: [DiscoveredTarget]
  /// What it does about a login.
  public var login = LoginBehaviour()
  /// How it answers operational keys.
  public var parameters = TargetParameters()
  /// The most octets of text in one Text Response; longer text goes on in further ones. At least 1.
  public var maxTextLength = 8192
  /// Whether a cut Text Response sets C, as LIO does, or only clears F, as older targets do.
  public var setsContinueBit = true
  /// What comes before the next Text or Logout Response without being asked: NOP-In and Asynchronous Message PDUs. The
  /// sequence numbers are filled in.
  public var unsolicited: [PDU] = []
  /// How it answers a Logout Request.
  public var logoutResponse = LogoutResponseCode.closed

  /// All that came, in order.
  public private(set) var received: [PDU] = []
  /// The initiator's keys of the login, as they came.
  public private(set) var initiatorKeys = TextEntries()
  /// Whether the login is done.
  public private(set) var isLoggedIn = false
  /// Whether the target closes the connection after what it sent last.
  public private(set) var isClosed = false

  private var statSN: UInt32 = 0x1000
  private var expCommandSN: UInt32 = 0
  private var loginState = LoginState()
  private var textState = TextState()

  /// A target that lets everybody in.
  public init(name: TargetName, portals: [Portal], authentication: TargetCHAP? = nil) {
    self.name = name
    self.portals = portals
    self.authentication = authentication
    targets = [DiscoveredTarget(name: name, portals: portals)]
  }

  /// Whether the session is a discovery session.
  public var isDiscovery: Bool { initiatorKeys["SessionType"] == "Discovery" }

  /// Takes a PDU of the initiator and gives the answers, in order.
  public mutating func respond(to pdu: PDU) -> [PDU] {
    guard !isClosed else { return [] }
    received.append(pdu)
    if case .loginRequest(let request) = pdu, !isLoggedIn { return [.loginResponse(answer(request))] }
    guard isLoggedIn else {
      isClosed = true
      return [reject(pdu, .protocolError)]
    }
    switch pdu {
    case .textRequest(let request):
      countCommand(request.commandSN, isImmediate: request.isImmediate)
      return takeUnsolicited() + [answer(request, as: pdu)]
    case .nopOut(let request):
      countCommand(request.commandSN, isImmediate: request.isImmediate)
      return request.initiatorTaskTag == PDU.reservedTag ? [] : [answer(request)]
    case .logoutRequest(let request):
      countCommand(request.commandSN, isImmediate: request.isImmediate)
      return takeUnsolicited() + [answer(request)]
    default: return [reject(pdu, .commandNotSupported)]
    }
  }

  private mutating func countCommand(_ commandSN: UInt32, isImmediate: Bool) {
    expCommandSN = isImmediate ? commandSN : commandSN &+ 1
  }

  /// StatSN of a response, which the next one exceeds by one.
  private mutating func takeStatSN() -> UInt32 {
    defer { statSN &+= 1 }
    return statSN
  }

  private var maxCommandSN: UInt32 { expCommandSN &+ 31 }

  private mutating func takeUnsolicited() -> [PDU] {
    defer { unsolicited = [] }
    return unsolicited.map { pdu in
      switch pdu {
      case .asyncMessage(var message):
        message.statSN = takeStatSN()
        message.expCommandSN = expCommandSN
        message.maxCommandSN = maxCommandSN
        return .asyncMessage(message)
      case .nopIn(var ping):
        ping.statSN = statSN
        ping.expCommandSN = expCommandSN
        ping.maxCommandSN = maxCommandSN
        return .nopIn(ping)
      default: return pdu
      }
    }
  }

  private mutating func reject(_ pdu: PDU, _ reason: RejectReason) -> PDU {
    var reject = RejectPDU(reason: reason)
    reject.statSN = takeStatSN()
    reject.expCommandSN = expCommandSN
    reject.maxCommandSN = maxCommandSN
    reject.data = pdu.encoded().header
    return .reject(reject)
  }

  private mutating func answer(_ request: NOPOutPDU) -> PDU {
    var response = NOPInPDU()
    response.initiatorTaskTag = request.initiatorTaskTag
    response.statSN = takeStatSN()
    response.expCommandSN = expCommandSN
    response.maxCommandSN = maxCommandSN
    response.data = request.data
    return .nopIn(response)
  }

  private mutating func answer(_ request: LogoutRequestPDU) -> PDU {
    var response = LogoutResponsePDU(initiatorTaskTag: request.initiatorTaskTag)
    response.response = logoutResponse
    response.statSN = takeStatSN()
    response.expCommandSN = expCommandSN
    response.maxCommandSN = maxCommandSN
    response.time2Wait = 2
    response.time2Retain = 20
    isClosed = true
    return .logoutResponse(response)
  }
}

// MARK: Login

extension InMemoryTarget {
  /// Where a login is.
  private struct LoginState {
    var stage = LoginStage.security
    var isFirst = true
    /// Text of the initiator that goes on in the next request.
    var incoming: [UInt8] = []
    /// Text of ours that goes on in the next response, and the response that ends it.
    var outgoing: (text: [UInt8], last: LoginResponsePDU)?
    var isAuthenticated = false
    var declared = false
    var rounds = 0
  }

  private mutating func answer(_ request: LoginRequestPDU) -> LoginResponsePDU {
    expCommandSN = request.commandSN
    var response = LoginResponsePDU(isid: request.isid)
    response.initiatorTaskTag = request.initiatorTaskTag
    response.currentStage = request.currentStage
    response.tsih = request.tsih
    loginState.incoming += request.data
    if request.isContinued { return numbered(response) }
    if let (text, last) = loginState.outgoing { return cut(text, last) }
    let keys = TextEntries(octets: loginState.incoming)
    loginState.incoming = []
    for entry in keys.entries { initiatorKeys.append(entry.key, entry.value) }

    if let refusal = refusal(of: request) { return refuse(response, refusal) }
    var answers = TextEntries()
    if loginState.isFirst, !isDiscovery, let tag = portals.first?.tag {
      answers.append("TargetPortalGroupTag", String(tag))
    }
    if loginState.isFirst, !isDiscovery, let alias = login.alias { answers.append("TargetAlias", alias) }
    loginState.isFirst = false
    loginState.stage = request.currentStage
    var mayLeave = request.transit
    if request.currentStage == .security {
      guard let isDone = secure(keys, &answers) else { return refuse(response, .authenticationFailure) }
      mayLeave = mayLeave && isDone
    } else {
      mayLeave = operate(keys, &answers) && mayLeave
    }
    if mayLeave {
      response.transit = true
      response.nextStage = request.nextStage
    }
    return cut(answers.octets, response)
  }

  /// Why a login cannot go on; nil if it can.
  private func refusal(of request: LoginRequestPDU) -> LoginStatus? {
    if let status = login.refusal { return status }
    if login.redirect != nil { return login.redirectsPermanently ? .movedPermanently : .movedTemporarily }
    guard request.versionMin == 0 else { return .unsupportedVersion }
    guard request.currentStage >= loginState.stage, request.currentStage != .fullFeature else {
      return .invalidDuringLogin
    }
    guard !request.transit || request.nextStage > request.currentStage else { return .initiatorError }
    guard initiatorKeys["InitiatorName"] != nil else { return .missingParameter }
    if !isDiscovery {
      guard let wanted = initiatorKeys["TargetName"] else { return .missingParameter }
      guard wanted == name.description else { return .notFound }
    }
    guard request.tsih == 0 else { return .sessionDoesNotExist }
    let skipsSecurity = request.currentStage == .operational && !loginState.isAuthenticated
    return skipsSecurity && authentication != nil ? .authenticationFailure : nil
  }

  private mutating func refuse(_ template: LoginResponsePDU, _ status: LoginStatus) -> LoginResponsePDU {
    isClosed = true
    var response = template
    response.status = status
    if status.statusClass == 1, let redirect = login.redirect {
      var entries = TextEntries()
      entries.append("TargetAddress", redirect.description)
      response.data = entries.octets
    }
    return numbered(response)
  }

  /// A step of the security stage: whether it is complete, or nil if the initiator failed.
  private mutating func secure(_ keys: TextEntries, _ answers: inout TextEntries) -> Bool? {
    let methods = keys.list("AuthMethod")
    guard var chap = authentication else {
      guard methods.isEmpty || methods.contains("None") else { return nil }
      if !methods.isEmpty { answers.append("AuthMethod", "None") }
      loginState.isAuthenticated = true
      return true
    }
    if loginState.isAuthenticated { return true }
    if !methods.isEmpty {
      guard methods.contains("CHAP") else { return nil }
      answers.append("AuthMethod", "CHAP")
    }
    defer { authentication = chap }
    switch chap.step(keys) {
    case .goOn(let entries):
      for entry in entries.entries { answers.append(entry.key, entry.value) }
      return false
    case .passed(let entries):
      for entry in entries.entries { answers.append(entry.key, entry.value) }
      loginState.isAuthenticated = true
      return true
    case .failed: return nil
    }
  }

  /// A step of the operational stage: whether it is complete.
  private mutating func operate(_ keys: TextEntries, _ answers: inout TextEntries) -> Bool {
    for entry in parameters.answers(to: keys, isDiscovery: isDiscovery).entries {
      answers.append(entry.key, entry.value)
    }
    if !loginState.declared {
      loginState.declared = true
      if let length = parameters.maxRecvDataSegmentLength {
        answers.append("MaxRecvDataSegmentLength", String(length))
      }
      for (key, value) in parameters.additions { answers.append(key, value) }
    }
    defer { loginState.rounds += 1 }
    return loginState.rounds >= login.extraRounds
  }

  /// The next response of those that `text` needs: all but the last one set C and not T.
  private mutating func cut(_ text: [UInt8], _ last: LoginResponsePDU) -> LoginResponsePDU {
    let limit = max(1, login.maxTextLength)
    var response = last
    response.data = Array(text.prefix(limit))
    if text.count > limit {
      loginState.outgoing = (Array(text.dropFirst(limit)), last)
      response.isContinued = true
      response.transit = false
      response.nextStage = .security
      return numbered(response)
    }
    loginState.outgoing = nil
    if response.transit { loginState.stage = response.nextStage }
    if response.transit, response.nextStage == .fullFeature {
      isLoggedIn = true
      response.tsih = login.tsih
    }
    return numbered(response)
  }

  private mutating func numbered(_ response: LoginResponsePDU) -> LoginResponsePDU {
    var response = response
    response.statSN = takeStatSN()
    response.expCommandSN = expCommandSN
    response.maxCommandSN = maxCommandSN
    return response
  }
}

// MARK: Text

extension InMemoryTarget {
  /// Where a text exchange is.
  private struct TextState {
    var incoming: [UInt8] = []
    var outgoing: [UInt8] = []
    var transferTag: UInt32?
    var nextTag: UInt32 = 0x100
  }

  private mutating func answer(_ request: TextRequestPDU, as pdu: PDU) -> PDU {
    if request.targetTransferTag == PDU.reservedTag {
      textState.incoming = []
      textState.outgoing = []
    } else if request.targetTransferTag != textState.transferTag {
      return reject(pdu, .invalidPDUField)
    }
    textState.incoming += request.data
    if !request.isContinued, !textState.incoming.isEmpty {
      textState.outgoing = text(for: TextEntries(octets: textState.incoming)).octets
      textState.incoming = []
    }
    let limit = min(max(1, maxTextLength), initiatorKeys["MaxRecvDataSegmentLength"].flatMap(Int.init) ?? 8192)
    let part = Array(textState.outgoing.prefix(limit))
    textState.outgoing.removeFirst(part.count)
    var response = TextResponsePDU(initiatorTaskTag: request.initiatorTaskTag, data: part)
    response.isFinal = textState.outgoing.isEmpty && !request.isContinued
    response.isContinued = setsContinueBit && !textState.outgoing.isEmpty
    if !response.isFinal {
      textState.nextTag &+= 1
      response.targetTransferTag = textState.nextTag
    }
    textState.transferTag = response.isFinal ? nil : response.targetTransferTag
    response.statSN = takeStatSN()
    response.expCommandSN = expCommandSN
    response.maxCommandSN = maxCommandSN
    return .textResponse(response)
  }

  private func text(for keys: TextEntries) -> TextEntries {
    var answers = TextEntries()
    for entry in keys.entries {
      guard entry.key == "SendTargets" else {
        answers.append(entry.key, "NotUnderstood")
        continue
      }
      if entry.value == "All", !isDiscovery {
        answers.append("SendTargets", "Reject")
        continue
      }
      let wanted = entry.value.isEmpty ? name.description : entry.value
      for target in targets where entry.value == "All" || target.name.description == wanted {
        answers.append("TargetName", target.name.description)
        for portal in target.portals { answers.append("TargetAddress", portal.description) }
      }
    }
    return answers
  }
}
