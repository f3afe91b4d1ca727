// SPDX-License-Identifier: Apache-2.0

/// The login phase of one connection from the initiator's side (RFC 7143, section 6.3), without I/O.
///
///            start()                         receive()
///      ready ───────▶ waiting ─────────────────────────▶ ended
///                      │   ▲                             succeeded, redirect or failed
///                      └───┘ send
///
///      security ──T, NSG=1──▶ operational ──T, NSG=3──▶ full feature
///
/// Call `start()` once, send what it gives, and hand each Login Response to `receive(_:)` until that gives something
/// else than `send`. The security stage is skipped if there are no credentials, as open-iscsi does.
///
/// The driver keeps the time; nothing here waits. Whatever a target sends, the login ends after at most
/// `responseLimit` responses and 64 KiB of text, and nothing traps. Keys that we do not know are answered with
/// `NotUnderstood` and never fail a login; where the target cannot be answered any more they are ignored.
public struct LoginNegotiation: Sendable {
  /// What to do next.
  public enum Action: Hashable, Sendable {
    /// Send this request and wait for its response.
    case send(LoginRequestPDU)
    /// Close the connection and log in elsewhere.
    case redirect(LoginRedirect)
    /// The connection is in the full feature phase.
    case succeeded(LoginResult)
    /// Close the connection; the login failed.
    case failed(LoginFailure)
  }

  /// How many responses a login may take.
  public static let responseLimit = 64
  /// How many keys a target may send in a login.
  public static let keyLimit = 256

  private enum Progress { case ready, waiting, ended }

  let configuration: LoginConfiguration
  private var progress = Progress.ready
  var stage: LoginStage
  var security: SecurityNegotiation?
  var operational: OperationalNegotiation
  var declarations = TargetDeclarations()
  /// Each key of the target's with its value, to find what comes twice.
  var received: [String: String] = [:]

  /// Our text that is still to be sent.
  private var outgoing: ArraySlice<UInt8> = []
  /// Whether T goes with the end of our text.
  private var wantsTransit = false
  /// Whether the requests since the target's last complete text had T.
  private var hasOfferedTransit = false
  /// The target's text so far, while it sets C.
  private var incoming: [UInt8] = []
  private var incomingTotal = 0
  private var responseCount = 0
  private var expStatSN: UInt32
  private var isStatSNKnown = false

  /// A login with this configuration.
  ///
  /// - Throws: `equalSecrets`, `incompleteCredentials`, `noAlgorithms`, `badCHAPName` or `invalidParameter` for a
  ///   configuration that must not go out.
  public init(_ configuration: LoginConfiguration) throws(LoginFailure) {
    var generator = SystemRandomNumberGenerator()
    try self.init(configuration, using: &generator)
  }

  /// A login whose CHAP challenge comes from this generator, for tests.
  public init(
    _ configuration: LoginConfiguration, using generator: inout some RandomNumberGenerator
  ) throws(LoginFailure) {
    try configuration.validate()
    self.configuration = configuration
    let challenge = configuration.authentication.outgoing.map { _ in CHAPChallenge(using: &generator) }
    security = challenge.flatMap { SecurityNegotiation(configuration.authentication, challenge: $0) }
    operational = OperationalNegotiation(configuration.operational, isDiscovery: configuration.isDiscovery)
    stage = security == nil ? .operational : .security
    expStatSN = configuration.expStatSN
  }

  /// The first request. A second call gives `unexpectedResponse`, as there is nothing more to start.
  public mutating func start() -> Action {
    guard progress == .ready else { return .failed(.violation(.unexpectedResponse)) }
    progress = .waiting
    if let security {
      return send(configuration.names + [security.offer], transit: false)
    }
    return send(configuration.names + operational.opening, transit: true)
  }

  /// Takes a Login Response and says what to do next.
  public mutating func receive(_ response: LoginResponsePDU) -> Action {
    guard progress == .waiting else { return .failed(.violation(.unexpectedResponse)) }
    let action: Action
    do throws(LoginFailure) { action = try process(response) } catch { action = .failed(error) }
    if case .send = action {} else { progress = .ended }
    return action
  }

  private mutating func process(_ response: LoginResponsePDU) throws(LoginFailure) -> Action {
    responseCount += 1
    guard responseCount <= Self.responseLimit else { throw .violation(.tooManyResponses(Self.responseLimit)) }
    if let tag = configuration.initiatorTaskTag, response.initiatorTaskTag != tag { throw .violation(.wrongTaskTag) }
    // Only the status counts in a refusal: targets such as LIO leave its other fields zero.
    guard response.status == .success else { return try end(with: response.status, response.data) }
    try checkIdentity(of: response)
    try checkStage(of: response)
    guard outgoing.isEmpty else {
      guard response.data.isEmpty, !response.isContinued, !response.transit else {
        throw .violation(.interruptedText)
      }
      return sendNext()
    }
    try collect(response.data)
    // Whether we are ready shows when the text is complete, so the requests that fetch it have no T.
    guard !response.isContinued else { return .send(request(data: [], transit: false)) }
    let text = incoming
    incoming = []
    let pairs: [TextPair]
    do throws(TextError) {
      pairs = try TextParser.parse(text, duplicates: .allowed)
    } catch {
      throw .malformedText(error)
    }
    return try advance(with: pairs, response)
  }

  /// ISID, version and StatSN.
  private mutating func checkIdentity(of response: LoginResponsePDU) throws(LoginFailure) {
    guard response.isid == configuration.isid else { throw .violation(.wrongISID) }
    guard response.versionActive == 0 else { throw .violation(.wrongVersion(response.versionActive)) }
    guard !isStatSNKnown || response.statSN == expStatSN else {
      throw .violation(.wrongStatSN(expected: expStatSN, received: response.statSN))
    }
    isStatSNKnown = true
    expStatSN = response.statSN &+ 1
  }

  /// CSG, NSG, T and C.
  private func checkStage(of response: LoginResponsePDU) throws(LoginFailure) {
    guard response.currentStage == stage else {
      // A target that cannot do without the security stage takes us back to it.
      if security == nil, response.currentStage == .security { throw .authenticationRequired(nil) }
      throw .violation(.wrongStage(response.currentStage))
    }
    guard response.transit else { return }
    guard !response.isContinued else { throw .violation(.transitWithContinuation) }
    guard hasOfferedTransit else { throw .violation(.uninvitedTransit) }
    guard response.nextStage == nextStage else { throw .violation(.wrongNextStage(response.nextStage)) }
  }

  private mutating func collect(_ data: [UInt8]) throws(LoginFailure) {
    incomingTotal += data.count
    guard incomingTotal <= TextParser.maximumLength else {
      throw .malformedText(.tooLong(octets: incomingTotal, limit: TextParser.maximumLength))
    }
    incoming += data
  }

  private func end(with status: LoginStatus, _ data: [UInt8]) throws(LoginFailure) -> Action {
    switch status {
    case .movedTemporarily, .movedPermanently:
      guard let pairs = try? TextParser.parse(data, duplicates: .allowed),
        let address = pairs.first(where: { $0.standardKey == .targetAddress })?.value,
        let portal = try? Portal(address)
      else { throw .violation(.badRedirect) }
      return .redirect(LoginRedirect(portal: portal, isPermanent: status == .movedPermanently))
    case .authenticationFailure where security == nil:
      throw .authenticationRequired(status)
    case .initiatorError where stage == .security:
      throw security?.unusualAlgorithms.map { .algorithmsRejected($0) } ?? .rejected(status)
    default:
      throw .rejected(status)
    }
  }

  private var nextStage: LoginStage { stage == .security ? .operational : .fullFeature }

  /// Sends `pairs`, over as many requests as they need.
  mutating func send(_ pairs: [TextPair], transit: Bool) -> Action {
    outgoing = TextParser.encode(pairs)[...]
    wantsTransit = transit
    hasOfferedTransit = false
    return sendNext()
  }

  /// Sends the next part of our text: C with all but the last, T with the last only.
  private mutating func sendNext() -> Action {
    let part = outgoing.prefix(max(configuration.maxDataSegmentLength, 1))
    outgoing = outgoing.dropFirst(part.count)
    var next = request(data: Array(part), transit: outgoing.isEmpty && wantsTransit)
    next.isContinued = !outgoing.isEmpty
    hasOfferedTransit = next.transit
    return .send(next)
  }

  private func request(data: [UInt8], transit: Bool) -> LoginRequestPDU {
    var request = LoginRequestPDU(isid: configuration.isid)
    request.transit = transit
    request.currentStage = stage
    if transit { request.nextStage = nextStage }
    request.tsih = configuration.tsih
    request.initiatorTaskTag = configuration.initiatorTaskTag ?? 0
    request.connectionID = configuration.connectionID
    request.commandSN = configuration.initialCommandSN
    request.expStatSN = expStatSN
    request.data = data
    return request
  }
}
