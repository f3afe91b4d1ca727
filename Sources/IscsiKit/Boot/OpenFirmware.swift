// SPDX-License-Identifier: Apache-2.0

/// What the Open Firmware of a PowerPC machine was booted with: the property `bootpath` of the node `/chosen`.
///
/// The path of a network card in the device tree, a colon, and words with commas between them: qualifiers (`iscsi`, `bootp`, `ipv6`)
/// and parameters (`ciaddr=10.0.0.2`). The place on the disk that was loaded from may follow: `@0,0:1,\ppc\loader`.
struct OpenFirmwareBootPath: Hashable, Sendable, CustomReflectable {
  /// The most octets of a path that are read.
  static let sizeLimit = 4096

  /// The path of the card in the device tree: `/pci@800000020000015/ethernet@1`.
  let device: String
  /// The words without a value.
  let qualifiers: Set<String>
  /// The others. Secrets are among them.
  let parameters: [String: String]

  /// No children, so that `dump` shows no secret.
  var customMirror: Mirror { Mirror(self, children: [:]) }

  /// Reads the property; nil for one that is not about iSCSI.
  init?(_ octets: some Collection<UInt8>) {
    let text = String(decoding: octets.prefix { $0 != 0 && $0 != 0x0A }, as: UTF8.self)
    guard text.hasPrefix("/"), let colon = text.firstIndex(of: ":") else { return nil }
    device = String(text[..<colon])
    var qualifiers: Set<String> = []
    var parameters: [String: String] = [:]
    for word in text[text.index(after: colon)...].split(separator: ",") {
      if let equals = word.firstIndex(of: "=") {
        let name = String(word[..<equals])
        let value = Self.value(word[word.index(after: equals)...], of: name)
        parameters[name] = value.text
        // What follows is the place on the disk.
        if value.isLast { break }
      } else {
        qualifiers.insert(String(word.prefix { $0 != "@" && $0 != ":" }))
      }
    }
    guard qualifiers.contains("iscsi") else { return nil }
    (self.qualifiers, self.parameters) = (qualifiers, parameters)
  }

  /// A value, without the place on the disk behind it.
  private static func value(_ text: Substring, of name: String) -> (text: String, isLast: Bool) {
    let isEnd: (Character) -> Bool =
      switch name {
      // A secret may have any character but a comma.
      case "ichapid", "ichappw", "chapid", "chappw", "filename": { _ in false }
      // Names and IPv6 addresses have colons.
      case "iname", "itname": { $0 == "@" }
      case _ where text.contains(".") || text.count { $0 == ":" } < 2: { $0 == "@" || $0 == ":" }
      default: { $0 == "@" }
      }
    let value = text.prefix { !isEnd($0) }
    return (String(value), value.endIndex < text.endIndex)
  }

  /// The names of the card's node and those above it; nil for a path that leads elsewhere.
  var nodes: [String]? {
    let nodes = device.split(separator: "/").map(String.init)
    return nodes.isEmpty || nodes.contains(where: { $0 == ".." || $0 == "." }) ? nil : nodes
  }
}

extension FirmwareBoot {
  /// What a boot path comes to. A field that is broken is told of in `problems`, and its target is left out.
  ///
  /// - Parameters:
  ///   - path: The boot path.
  ///   - hardwareAddress: The MAC address of the card, from its node.
  ///   - device: The network device that the card is.
  init(_ path: OpenFirmwareBootPath, hardwareAddress: HardwareAddress?, device: String?) {
    self.init(.openFirmware)
    func problem(_ name: String, _ reason: String) -> FirmwareError {
      FirmwareError(field: "\(Source.openFirmware)/bootpath/\(name)", reason: reason)
    }
    func address(_ name: String) throws(FirmwareError) -> FirmwareAddress? {
      guard let text = path.parameters[name], !text.isEmpty else { return nil }
      guard let address = FirmwareAddress(text) else {
        throw problem(name, "\(text.debugDescription) is no IP address")
      }
      return address
    }
    do throws(FirmwareError) {
      var initiator = Initiator()
      initiator.isnsServer = try address("isns")
      initiator.slpServer = try address("slp")
      initiator.isid = path.parameters["isid"]
      // `itname` is the initiator's name and `iname` the target's, as open-iscsi reads them.
      if let text = path.parameters["itname"] {
        do throws(ISCSINameError) { initiator.name = try InitiatorName(text) } catch {
          problems.append(problem("itname", error.description))
        }
      }
      self.initiator = initiator
      var ethernet = Ethernet(index: 0, flags: [.valid, .bootSelected])
      ethernet.address = try address("ciaddr")
      ethernet.subnetMask = try address("subnet-mask")
      ethernet.prefixLength = ethernet.subnetMask.flatMap(\.value.maskLength)
      ethernet.gateway = try address("giaddr")
      ethernet.dhcpServer = try address("dhcp")
      if !path.qualifiers.isDisjoint(with: ["bootp", "dhcpv6"]) { ethernet.origin = 3 }
      ethernet.hardwareAddress = hardwareAddress
      ethernet.device = device
      ethernets = [ethernet]
      targets = [try Self.target(path, address, problem)]
    } catch {
      problems.append(error)
    }
  }

  private static func target(
    _ path: OpenFirmwareBootPath, _ address: (String) throws(FirmwareError) -> FirmwareAddress?,
    _ problem: (String, String) -> FirmwareError
  ) throws(FirmwareError) -> Target {
    guard let text = path.parameters["iname"] else { throw problem("iname", "missing") }
    let name: TargetName
    do throws(ISCSINameError) { name = try TargetName(text) } catch { throw problem("iname", error.description) }
    guard let server = try address("siaddr"), !server.isUnspecified else { throw problem("siaddr", "missing") }
    var target = Target(index: 0, flags: [.valid, .bootSelected], name: name, address: server)
    if let text = path.parameters["iport"] {
      guard text.utf8.allSatisfy(\.isDigit), let port = UInt16(text), port > 0 else {
        throw problem("iport", "\(text.debugDescription) is no TCP port")
      }
      target.port = port
    }
    if let text = path.parameters["ilun"] {
      guard let lun = FirmwareLUN(openFirmware: text) else {
        throw problem("ilun", "\(text.debugDescription) is no LUN")
      }
      target.lun = lun
    }
    func secret(_ name: String) throws(FirmwareError) -> Secret? {
      guard let text = path.parameters[name], !text.isEmpty else { return nil }
      guard let secret = Secret(text) else { throw problem(name, "a secret has 1 to 255 octets on one line") }
      return secret
    }
    target.chapName = path.parameters["ichapid"]
    target.chapSecret = try secret("ichappw")
    target.reverseCHAPName = path.parameters["chapid"]
    target.reverseCHAPSecret = try secret("chappw")
    return target
  }
}

extension FirmwareLUN {
  /// A LUN as Open Firmware writes it: a small number, or SAM's eight octets as hexadecimal digits; nil for what is neither.
  init?(openFirmware text: String) {
    guard (1...16).contains(text.utf8.count), text.utf8.allSatisfy(\.isHexDigit), let number = UInt64(text, radix: 16)
    else { return nil }
    let raw = text.utf8.count > 4 ? number : number << 48
    // The same text that the kernel makes of a table's.
    self.init((0..<8).map { String(raw >> (56 - 8 * UInt64($0)) & 0xFF, radix: 16) }.joined())
  }
}
