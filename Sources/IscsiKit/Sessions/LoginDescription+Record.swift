// SPDX-License-Identifier: Apache-2.0

extension LoginDescription {
  /// The login that a record of a node stands for.
  ///
  /// Lengths that the standard does not allow are as where nothing is configured, and a password is used also where
  /// `authmethod` says None: so does open-iscsi.
  ///
  /// - Parameter record: The record.
  /// - Throws: Which key of the record makes a login impossible.
  public init(_ record: NodeRecord) throws(LoginDescriptionError) {
    guard record.interface.transport == "tcp" else {
      throw LoginDescriptionError(field: "iface.transport_name", reason: "only tcp is supported")
    }
    self.init(target: record.target.description, portal: record.portal.description)
    initiator = record.interface.initiatorName
    authentication = AuthenticationDescription(
      record.authentication.authentication)
    interface = InterfaceDescription(record.interface)
    var times = record.timeouts
    times.loginRetryWindow = min(times.login * Int(record.initialLoginRetryLimit), .seconds(Int32.max))
    timeouts = TimeoutsDescription(times)
    parameters = ParametersDescription(record.operational.withUsableLengths)
    scan = record.scan == .manual ? "none" : "all"
    maxCommands = record.maxCommands
    queueDepth = record.queueDepth
    fastAbort = record.fastAbort
    sessionCount = min(Int(record.sessionCount), Self.sessionLimit)
    recoveryLimit = record.reopenLimit == 0 ? nil : Int(record.reopenLimit)
  }
}

extension LoginDescription.InterfaceDescription {
  /// What a record of an interface binds to: its device if it has one, else what has its MAC address.
  public init(_ record: InterfaceRecord) {
    let device = record.networkDevice.isUnset ? nil : record.networkDevice
    let hardwareAddress = record.hardwareAddress.isUnset || device != nil ? nil : record.hardwareAddress
    self.init(name: record.name.description, device: device, hardwareAddress: hardwareAddress)
  }
}

extension RecordAuthentication {
  /// What a login does by these settings: nothing without a password, even with a name.
  ///
  /// A password without a name is offered all the same, as open-iscsi does: many targets do not want it, and with those that do
  /// the login fails.
  public var authentication: Authentication {
    guard let secret else { return .none }
    return Authentication(
      outgoing: CHAPCredentials(name: name ?? "", secret: secret),
      incoming: targetSecret.map { CHAPCredentials(name: targetName ?? "", secret: $0) },
      algorithms: algorithms.isEmpty ? [.md5] : algorithms)
  }
}

extension String? {
  /// Whether this is how open-iscsi writes that an interface is bound to nothing.
  fileprivate var isUnset: Bool { self == nil || self == "" || self == "default" }
}

extension OperationalParameters {
  /// The same with lengths in RFC 7143's ranges and in multiples of four.
  fileprivate var withUsableLengths: OperationalParameters {
    let standard = OperationalParameters()
    var usable = self
    usable.firstBurstLength = Self.usable(firstBurstLength, standard.firstBurstLength)
    usable.maxBurstLength = Self.usable(maxBurstLength, standard.maxBurstLength)
    usable.maxRecvDataSegmentLength = Self.usable(maxRecvDataSegmentLength, standard.maxRecvDataSegmentLength)
    if maxXmitDataSegmentLength != 0 {
      usable.maxXmitDataSegmentLength = Self.usable(maxXmitDataSegmentLength, standard.maxXmitDataSegmentLength)
    }
    return usable
  }

  private static func usable(_ length: UInt32, _ standard: UInt32) -> UInt32 {
    let aligned = length & ~3
    return (512...16_777_215).contains(aligned) ? aligned : standard
  }
}
