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
    do throws(InterfaceBindingError) { interface = try InterfaceDescription(record.interface) } catch {
      throw LoginDescriptionError(field: error.key, reason: error.reason, advice: error.advice)
    }
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
  /// The interface of a record.
  ///
  /// - Throws: Why nothing can be bound to it.
  public init(_ record: InterfaceRecord) throws(InterfaceBindingError) {
    self.init(name: record.name.description, binding: try record.binding())
  }

  /// Whether it is one device that the connection goes out through.
  public var isBound: Bool { device != nil || hardwareAddress != nil }
}

/// Why no connection can be bound to the interface of a record.
public enum InterfaceBindingError: DiagnosableError, Hashable {
  /// Its MAC address is none.
  case hardwareAddress(String)
  /// Its network device has a name that no device can have.
  case device(String)
  /// It has nothing but the address of a network card that speaks iSCSI itself.
  case cardAddress(String)

  /// The key that is wrong.
  public var key: String {
    switch self {
    case .hardwareAddress: "iface.hwaddress"
    case .device: "iface.net_ifacename"
    case .cardAddress: "iface.ipaddress"
    }
  }

  /// What is wrong with the key's value.
  public var reason: String {
    switch self {
    case .hardwareAddress(let text): "\(text.debugDescription) is not a MAC address"
    case .device(let text): "\(text.debugDescription) is no name of a network device"
    case .cardAddress(let text):
      "\(text.debugDescription) is for network cards that speak iSCSI themselves, and transport tcp cannot be bound to it"
    }
  }

  /// Key and reason.
  public var description: String { "\(key): \(reason)" }
  /// 7.
  public var exitStatus: ExitStatus { .invalidArgument }
  /// What to do about it.
  public var advice: String? {
    switch self {
    case .hardwareAddress, .device: "ip link shows the devices and their addresses"
    case .cardAddress: "clear iface.ipaddress, or bind the interface by iface.net_ifacename or iface.hwaddress"
    }
  }
}

extension InterfaceRecord {
  /// What a session over the interface is bound to: what has its MAC address if it has one, else its device. With neither it must
  /// not have an address; beside one of them that is not looked at. So does open-iscsi.
  ///
  /// A VLAN has the address of its card: of several devices with the address, the one that is named is meant.
  ///
  /// - Parameter devices: Where it is looked up who has an address.
  /// - Returns: The binding.
  /// - Throws: Why nothing can be bound to it.
  public func binding(
    among devices: NetworkDevices = NetworkDevices()
  ) throws(InterfaceBindingError) -> InterfaceBinding {
    if let text = hardwareAddress.ifSet {
      guard let address = HardwareAddress(text) else { throw .hardwareAddress(text) }
      if let name = networkDevice.ifSet, PortalHost.isInterfaceName(name),
        devices.hardwareAddress(of: name) == address, devices.name(of: address) != name
      {
        return .device(name)
      }
      return .hardwareAddress(address)
    }
    if let name = networkDevice.ifSet {
      guard PortalHost.isInterfaceName(name) else { throw .device(name) }
      return .device(name)
    }
    if let text = address.ifSet { throw .cardAddress(text) }
    return .automatic
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
  /// The same unless this is how open-iscsi writes that an interface is bound to nothing.
  fileprivate var ifSet: String? { self == "" || self == "default" ? nil : self }
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
