// SPDX-License-Identifier: Apache-2.0

/// A target of boot firmware, with the network card that it is reached through and who logs in: what a login takes.
public struct FirmwareEntry: Hashable, Sendable {
  /// Where it is from.
  public var source: FirmwareBoot.Source
  /// By which of the kernel's initiators the target is reached; only `tcp` is driven here.
  public var transport: String
  /// Who logs in; nil if the firmware does not tell.
  public var initiator: FirmwareBoot.Initiator?
  /// The card.
  public var ethernet: FirmwareBoot.Ethernet
  /// The target.
  public var target: FirmwareBoot.Target

  /// Where the target is. Firmware knows no portal group tags; 1 is what open-iscsi takes, and most targets have.
  public var portal: Portal {
    Portal(host: .address(target.address.value, scope: nil), port: target.port, tag: 1)
  }

  /// Whether the firmware has booted with this target through this card.
  public var isBootSelected: Bool {
    target.flags.contains(.bootSelected) && ethernet.flags.contains(.bootSelected)
  }
}

extension FirmwareBoot {
  /// The targets with what is needed to log in to them, by number.
  ///
  /// - Parameter withoutDevices: Whether a target is wanted also if no network device here is its card, which may still come.
  /// - Returns: The entries, and what is wrong with those that there are not, besides ``problems``.
  public func entries(withoutDevices: Bool = false) -> (found: [FirmwareEntry], problems: [FirmwareError]) {
    var found: [FirmwareEntry] = []
    var problems: [FirmwareError] = []
    for target in targets {
      let field = "\(source)/target\(target.index)/nic-assoc"
      guard let ethernet = ethernets.first(where: { $0.index == target.ethernetIndex }) else {
        problems.append(FirmwareError(field: field, reason: "there is no valid ethernet\(target.ethernetIndex)"))
        continue
      }
      // A card that speaks iSCSI itself need not have a network device.
      guard ethernet.device != nil || transport != "tcp" || withoutDevices else {
        let address = ethernet.hardwareAddress.map { "\($0)" } ?? "no address"
        problems.append(
          FirmwareError(
            field: "\(source)/ethernet\(ethernet.index)/mac", reason: "no network device has \(address)"))
        continue
      }
      found.append(
        FirmwareEntry(source: source, transport: transport, initiator: initiator, ethernet: ethernet, target: target))
    }
    return (found, problems)
  }
}

extension InitiatorConfiguration {
  /// A new record of a node that firmware names, as it is configured otherwise.
  ///
  /// - Parameter entry: The target.
  /// - Returns: The record. The interface is the default one with the firmware's initiator name: routing decides, as the
  ///   network is set up by then.
  public func node(_ entry: FirmwareEntry) -> NodeRecord {
    var interface = InterfaceRecord.standard
    interface.transport = entry.transport
    interface.initiatorName = entry.initiator?.name?.description
    var record = node(entry.target.name, at: entry.portal, over: interface)
    record.discoveryKind = .firmware
    // The method stays what it is: with a password there is authentication whatever it says.
    record.authentication.name = entry.target.chapName ?? record.authentication.name
    record.authentication.secret = entry.target.chapSecret ?? record.authentication.secret
    record.authentication.targetName = entry.target.reverseCHAPName ?? record.authentication.targetName
    record.authentication.targetSecret = entry.target.reverseCHAPSecret ?? record.authentication.targetSecret
    return record
  }
}

extension NodeRecord {
  /// Sets what a login for booting has, whatever is configured: the target is waited for longer, all of its units are
  /// wanted, and it is not asked whether it is alive. Nobody listens to such questions before there is a daemon, and a
  /// disk that is slow is better than none.
  public mutating func applyBootDefaults() {
    initialLoginRetryLimit = 30
    timeouts.noopInterval = .zero
    timeouts.noopTimeout = .zero
    scan = .auto
  }
}

extension NodeRecord {
  /// The login that the record stands for.
  ///
  /// - Parameter file: Has our name, if the record has none.
  /// - Returns: The request.
  /// - Throws: Which key makes a login impossible.
  public func loginRequest(
    machineName file: InitiatorNameFile = InitiatorNameFile()
  ) throws(LoginDescriptionError) -> LoginRequest {
    try LoginDescription(self).request { () throws(LoginDescriptionError) in
      do throws(InitiatorNameFileError) { return try file.read() } catch {
        throw LoginDescriptionError(field: "iface.initiatorname", reason: error.description)
      }
    }
  }
}
