// SPDX-License-Identifier: Apache-2.0

extension LoginDescription {
  /// The most sessions of one target, portal and interface that can be asked for.
  static let sessionLimit = 64

  /// The description of a request, with its secrets.
  public init(_ request: LoginRequest) {
    let options = request.options
    self.init(target: request.target.description, portal: request.portal.description)
    initiator = request.initiator.description
    authentication = AuthenticationDescription(options.authentication)
    interface = InterfaceDescription(name: options.interfaceName, binding: options.binding)
    timeouts = TimeoutsDescription(options.timeouts)
    timeouts?.device = options.devices.timeout.map(Int64.init)
    timeouts?.deviceErrorHandling = options.devices.errorHandlingTimeout.map(Int64.init)
    scheduler = options.devices.scheduler?.rawValue
    parameters = ParametersDescription(options.operational)
    switch options.scan {
    case .all: scan = "all"
    case .none: scan = "none"
    case .only(let chosen): luns = chosen.map(\.linuxNumber)
    }
    maxCommands = options.maxCommands
    queueDepth = options.queueDepth
    fastAbort = options.fastAbort
    sessionCount = min(max(options.sessionCount, 1), Self.sessionLimit)
    recoveryLimit = options.recoveryLimit
  }

  /// The request that is described.
  ///
  /// - Parameter defaultInitiator: Gives our name, if the description has none.
  /// - Returns: The request.
  /// - Throws: What is wrong, and where.
  public func request(
    defaultInitiator: () throws(LoginDescriptionError) -> InitiatorName
  ) throws(LoginDescriptionError) -> LoginRequest {
    let initiator = try Self.parse(self.initiator, "initiator") { (text) throws(ISCSINameError) in
      try InitiatorName(text)
    }
    let target = try Self.parse(target, "target") { (text) throws(ISCSINameError) in try TargetName(text) }
    let portal = try Self.parse(portal, "portal") { (text) throws(PortalError) in try Portal(text) }
    guard let target, let portal else { throw LoginDescriptionError(field: "target", reason: "missing") }
    let name = if let initiator { initiator } else { try defaultInitiator() }
    var request = LoginRequest(initiator: name, target: target, portal: portal)
    request.options.authentication = try authentication?.authentication() ?? .none
    try interface?.apply(to: &request.options)
    try timeouts?.apply(to: &request.options.timeouts)
    request.options.devices = try deviceSettings()
    try parameters?.apply(to: &request.options.operational)
    request.options.scan = try scanMode()
    if let maxCommands { request.options.maxCommands = maxCommands }
    if let queueDepth { request.options.queueDepth = queueDepth }
    if let fastAbort { request.options.fastAbort = fastAbort }
    if let sessionCount {
      request.options.sessionCount = try Self.check(sessionCount, in: 1...Self.sessionLimit, "sessionCount")
    }
    if let recoveryLimit {
      request.options.recoveryLimit = try Self.check(recoveryLimit, in: 1...Int(Int32.max), "recoveryLimit")
    }
    return request
  }

  /// Throws what is wrong with the description, whatever the machine's own name is.
  public func check() throws(LoginDescriptionError) {
    _ = try request { () throws(LoginDescriptionError) in
      do throws(ISCSINameError) { return try InitiatorNamePrefix.standard.randomName() } catch {
        throw LoginDescriptionError(field: "initiator", reason: error.description)
      }
    }
  }

  private func deviceSettings() throws(LoginDescriptionError) -> DeviceSettings {
    var wanted = TimeoutsDescription()
    wanted.device = timeouts?.device
    wanted.deviceErrorHandling = timeouts?.deviceErrorHandling
    if timeouts?.hostErrorHandling != nil {
      throw LoginDescriptionError(field: "timeouts.hostErrorHandling", reason: "cannot be set by a login")
    }
    return DeviceSettings(try wanted.settings(scheduler: scheduler))
  }

  private func scanMode() throws(LoginDescriptionError) -> ScanMode {
    // People write flat space numbers without the bits that Linux shows with them.
    if let luns { return .only(luns.map { LUN(number: $0) ?? LUN(linuxNumber: $0) }) }
    switch scan {
    case nil, "all": return .all
    case "none": return .none
    default: throw LoginDescriptionError(field: "scan", reason: "neither all nor none")
    }
  }

  static func parse<Value, Failure: Error & CustomStringConvertible>(
    _ text: String?, _ field: String, _ parse: (String) throws(Failure) -> Value
  ) throws(LoginDescriptionError) -> Value? {
    guard let text else { return nil }
    do throws(Failure) { return try parse(text) } catch {
      throw LoginDescriptionError(field: field, reason: error.description)
    }
  }

  static func check<Number: Comparable & CustomStringConvertible>(
    _ number: Number, in range: ClosedRange<Number>, _ field: String
  ) throws(LoginDescriptionError) -> Number {
    guard range.contains(number) else {
      throw LoginDescriptionError(
        field: field, reason: "\(number) is not in \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }
}

extension Secret {
  /// The text of the secret, to be stored where only root reads or sent where only root listens.
  fileprivate var text: String { String(decoding: octets, as: UTF8.self) }
}

extension LoginDescription.AuthenticationDescription {
  /// The description of an authentication, with its secrets; nil for none.
  public init?(_ authentication: Authentication) {
    guard let outgoing = authentication.outgoing else { return nil }
    let incoming = authentication.incoming
    self.init(
      user: outgoing.name, secret: outgoing.secret.text, mutualUser: incoming?.name,
      mutualSecret: incoming?.secret.text, algorithms: authentication.algorithms.map(\.description))
  }

  /// The authentication that is described.
  public func authentication() throws(LoginDescriptionError) -> Authentication {
    var authentication = Authentication(outgoing: try Self.credentials(user, secret, "authentication.secret"))
    if let mutualUser, let mutualSecret {
      authentication.incoming = try Self.credentials(mutualUser, mutualSecret, "authentication.mutualSecret")
    } else if mutualUser != nil || mutualSecret != nil {
      throw LoginDescriptionError(field: "authentication.mutualUser", reason: "a name and a secret belong together")
    }
    if let algorithms {
      authentication.algorithms = []
      for name in algorithms {
        guard let algorithm = CHAPAlgorithm(name: name) else {
          throw LoginDescriptionError(field: "authentication.algorithms", reason: "\(name.debugDescription) is unknown")
        }
        authentication.algorithms.append(algorithm)
      }
    }
    return authentication
  }

  private static func credentials(
    _ name: String, _ text: String, _ field: String
  ) throws(LoginDescriptionError) -> CHAPCredentials {
    guard let secret = Secret(text) else {
      throw LoginDescriptionError(field: field, reason: "a secret has 1 to 255 octets on one line")
    }
    return CHAPCredentials(name: name, secret: secret)
  }
}

extension LoginDescription.InterfaceDescription {
  init(name: String, binding: InterfaceBinding) {
    self.init(name: name)
    switch binding {
    case .automatic: break
    case .device(let device): self.device = device
    case .hardwareAddress(let address): hardwareAddress = address.description
    case .sourceAddress(let address): sourceAddress = address.description
    }
  }

  fileprivate func apply(to options: inout SessionOptions) throws(LoginDescriptionError) {
    options.binding = try binding()
    let standard =
      switch options.binding {
      case .automatic: "default"
      case .device(let name): name
      case .hardwareAddress(let address): address.description
      case .sourceAddress(let address): address.description
      }
    options.interfaceName = name ?? standard
  }

  /// The binding that is described.
  public func binding() throws(LoginDescriptionError) -> InterfaceBinding {
    guard [device, hardwareAddress, sourceAddress].count(where: { $0 != nil }) <= 1 else {
      throw LoginDescriptionError(field: "interface", reason: "more than one binding")
    }
    if let device {
      guard PortalHost.isInterfaceName(device) else {
        throw LoginDescriptionError(field: "interface.device", reason: "no name of a network device")
      }
      return .device(device)
    }
    if let hardwareAddress {
      guard let address = HardwareAddress(hardwareAddress) else {
        throw LoginDescriptionError(field: "interface.hardwareAddress", reason: "not a MAC address")
      }
      return .hardwareAddress(address)
    }
    if let sourceAddress {
      guard let address = IPAddress(sourceAddress) else {
        throw LoginDescriptionError(field: "interface.sourceAddress", reason: "not an IP address")
      }
      return .sourceAddress(address)
    }
    return .automatic
  }
}

extension LoginDescription.TimeoutsDescription {
  /// The description of all timeouts. Records, and the kernel, can have some that are none: they are as near to them as can be.
  init(_ timeouts: SessionTimeouts) {
    func seconds(_ timeout: Timeout, _ duration: Duration) -> Int64 {
      let range = timeout.details.range
      return min(max(duration.components.seconds, Int64(range.lowerBound)), Int64(range.upperBound))
    }
    replacement = timeouts.replacement.map { seconds(.replacement, $0) } ?? -1
    abort = seconds(.abort, timeouts.abort)
    luReset = seconds(.luReset, timeouts.luReset)
    targetReset = seconds(.targetReset, timeouts.targetReset)
    noopInterval = seconds(.noopInterval, timeouts.noopInterval)
    noopTimeout = seconds(.noopTimeout, timeouts.noopTimeout)
    login = seconds(.login, timeouts.login)
    loginRetryWindow = timeouts.loginRetryWindow.components.seconds
  }

  /// Sets what is described.
  func apply(to timeouts: inout SessionTimeouts) throws(LoginDescriptionError) {
    if let replacement {
      timeouts.replacement = replacement == -1 ? nil : try Self.duration(replacement, .replacement, "replacement")
    }
    if let abort { timeouts.abort = try Self.duration(abort, .abort, "abort") }
    if let luReset { timeouts.luReset = try Self.duration(luReset, .luReset, "luReset") }
    if let targetReset { timeouts.targetReset = try Self.duration(targetReset, .targetReset, "targetReset") }
    if let noopInterval { timeouts.noopInterval = try Self.duration(noopInterval, .noopInterval, "noopInterval") }
    if let noopTimeout { timeouts.noopTimeout = try Self.duration(noopTimeout, .noopTimeout, "noopTimeout") }
    if let login { timeouts.login = try Self.duration(login, .login, "login") }
    if let loginRetryWindow {
      timeouts.loginRetryWindow = .seconds(
        try LoginDescription.check(loginRetryWindow, in: 0...Int64(Int32.max), "timeouts.loginRetryWindow"))
    }
  }

  private static func duration(
    _ seconds: Int64, _ timeout: Timeout, _ field: String
  ) throws(LoginDescriptionError) -> Duration {
    let range = timeout.details.range
    return .seconds(
      try LoginDescription.check(seconds, in: Int64(range.lowerBound)...Int64(range.upperBound), "timeouts.\(field)"))
  }
}

extension LoginDescription.ParametersDescription {
  /// The description of all parameters.
  init(_ operational: OperationalParameters) {
    headerDigest = operational.headerDigest.map(\.rawValue)
    dataDigest = operational.dataDigest.map(\.rawValue)
    initialR2T = operational.initialR2T
    immediateData = operational.immediateData
    firstBurstLength = operational.firstBurstLength
    maxBurstLength = operational.maxBurstLength
    maxRecvDataSegmentLength = operational.maxRecvDataSegmentLength
    maxXmitDataSegmentLength = operational.maxXmitDataSegmentLength
    maxOutstandingR2T = operational.maxOutstandingR2T
  }

  /// Sets what is described; the login itself checks the ranges.
  fileprivate func apply(to operational: inout OperationalParameters) throws(LoginDescriptionError) {
    if let headerDigest { operational.headerDigest = try Self.digests(headerDigest, "headerDigest") }
    if let dataDigest { operational.dataDigest = try Self.digests(dataDigest, "dataDigest") }
    if let initialR2T { operational.initialR2T = initialR2T }
    if let immediateData { operational.immediateData = immediateData }
    if let firstBurstLength { operational.firstBurstLength = firstBurstLength }
    if let maxBurstLength { operational.maxBurstLength = maxBurstLength }
    if let maxRecvDataSegmentLength { operational.maxRecvDataSegmentLength = maxRecvDataSegmentLength }
    if let maxXmitDataSegmentLength { operational.maxXmitDataSegmentLength = maxXmitDataSegmentLength }
    if let maxOutstandingR2T { operational.maxOutstandingR2T = maxOutstandingR2T }
  }

  private static func digests(_ words: [String], _ field: String) throws(LoginDescriptionError) -> [Digest] {
    var digests: [Digest] = []
    for word in words {
      guard let digest = Digest(rawValue: word) else {
        throw LoginDescriptionError(field: "parameters.\(field)", reason: "\(word.debugDescription) is no digest")
      }
      digests.append(digest)
    }
    return digests
  }
}
