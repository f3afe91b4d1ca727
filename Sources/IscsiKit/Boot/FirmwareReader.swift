// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

/// Reads what boot firmware has left, from sysfs.
public struct FirmwareReader: Sendable {
  private let sysfs: Sysfs

  /// A reader of a sysfs; another one than the kernel's is for tests.
  public init(sysfs: Sysfs = Sysfs()) { self.sysfs = sysfs }

  /// Whether the kernel tells of firmware at all: there is a `/sys/firmware`.
  public var isSupported: Bool { (try? SysfsDirectory(path: directory)) != nil }

  private var directory: FilePath { sysfs.root.appending("firmware") }

  /// Lets the kernel look for a table, if it has not yet: loads the module `iscsi_ibft`. Blocks until modprobe ends, for ten
  /// seconds at the most; that there is neither table nor module shows when it is read.
  public func loadModule() {
    _ = try? TransportModule.load("iscsi_ibft", making: directory.appending("ibft"), until: .now + .seconds(10))
  }

  /// All that firmware has left: the table's part first, and then that of each card by its number.
  ///
  /// An entry without flags is not in use, and left out; one that is broken is told of in `problems`, and so is a broken
  /// field of the initiator, which is as if it were missing. Only root can read names and secrets of CHAP.
  ///
  /// - Returns: What there is; nothing without firmware.
  /// - Throws: A shortage of descriptors or memory, with the folder that could not be read.
  public func boots() throws(FirmwareError) -> [FirmwareBoot] {
    guard let firmware = try? SysfsDirectory(path: directory) else { return [] }
    do throws(Errno) {
      let sources = try firmware.names().compactMap(FirmwareBoot.Source.init(folder:))
      var boots: [FirmwareBoot] = []
      for source in sources.sorted(by: { $0.rank < $1.rank }) {
        if source == .openFirmware {
          if let boot = openFirmwareBoot() { boots.append(boot) }
          continue
        }
        guard let folder = try firmware.directory("\(source)") else { continue }
        boots.append(try boot(source, in: folder))
      }
      return boots
    } catch {
      throw FirmwareError(field: ".", reason: "cannot be read: \(error)")
    }
  }

  /// What Open Firmware has left; nil if that machine was not booted from iSCSI, or is another one.
  private func openFirmwareBoot() -> FirmwareBoot? {
    let tree = directory.appending("\(FirmwareBoot.Source.openFirmware)/base")
    let property = tree.appending("chosen/bootpath")
    guard let contents = try? FileContents(of: property, limit: OpenFirmwareBootPath.sizeLimit),
      let path = OpenFirmwareBootPath(contents.octets)
    else { return nil }
    let node = path.nodes.map { $0.reduce(tree) { $0.appending($1) } }
    let address = node.flatMap { try? FileContents(of: $0.appending("local-mac-address"), limit: 8) }
      .flatMap { HardwareAddress(octets: $0.octets) }
    let device = address.flatMap { NetworkDevices(sysfs: sysfs.root).name(of: $0) }
    return FirmwareBoot(path, hardwareAddress: address, device: device)
  }

  private func boot(
    _ source: FirmwareBoot.Source, in folder: borrowing SysfsDirectory
  ) throws(Errno) -> FirmwareBoot {
    var boot = FirmwareBoot(source)
    if case .card(let host) = source { boot.transport = transport(of: host) ?? boot.transport }
    let names = try folder.names()
    if let header = try folder.directory("acpi_header") {
      boot.header = FirmwareBoot.Header(
        signature: try header.text("signature"), oemID: try header.text("oem_id"),
        oemTableID: try header.text("oem_table_id"))
    }
    if let directory = try folder.directory("initiator") {
      let fields = FirmwareFields(directory: directory, path: "\(source)/initiator")
      boot.initiator = try Self.initiator(fields, &boot.problems)
    }
    for (name, number) in Self.numbered(names, "ethernet") {
      guard let directory = try folder.directory(name) else { continue }
      let device = try directory.names(in: "device/net").filter { PortalHost.isInterfaceName($0) }.sorted().first
      let fields = FirmwareFields(directory: directory, path: "\(source)/\(name)")
      let found = try Self.read(fields, into: &boot.problems) { (fields) throws(FirmwareFault) in
        try Self.ethernet(number, fields)
      }
      guard var ethernet = found else { continue }
      // A virtual card's device is not below the PCI device that the table names, and a table need not name one.
      ethernet.device =
        device ?? ethernet.hardwareAddress.flatMap { NetworkDevices(sysfs: sysfs.root).name(of: $0) }
      boot.ethernets.append(ethernet)
    }
    for (name, number) in Self.numbered(names, "target") {
      guard let directory = try folder.directory(name) else { continue }
      let fields = FirmwareFields(directory: directory, path: "\(source)/\(name)")
      let target = try Self.read(fields, into: &boot.problems) { (fields) throws(FirmwareFault) in
        try Self.target(number, fields)
      }
      if let target { boot.targets.append(target) }
    }
    return boot
  }

  /// The driver of a card, which is the name of its transport.
  private func transport(of host: HostNumber) -> String? {
    guard let directory = try? SysfsDirectory(path: sysfs.root.appending("class/scsi_host/host\(host)")) else {
      return nil
    }
    return (try? directory.text("proc_name")) ?? nil
  }

  /// The names that are a word and a number, by the number.
  private static func numbered(_ names: [String], _ word: String) -> [(String, UInt8)] {
    names.compactMap { name in Sysfs.number(of: name, after: word).flatMap(UInt8.init(exactly:)).map { (name, $0) } }
      .sorted { $0.1 < $1.1 }
  }

  // MARK: - Entries

  /// Reads an entry; what makes it unusable is noted.
  private static func read<Entry>(
    _ fields: borrowing FirmwareFields, into problems: inout [FirmwareError],
    _ body: (borrowing FirmwareFields) throws(FirmwareFault) -> Entry?
  ) throws(Errno) -> Entry? {
    do throws(FirmwareFault) {
      return try body(fields)
    } catch {
      switch error {
      case .shortage(let errno): throw errno
      case .field(let error):
        problems.append(error)
        return nil
      }
    }
  }

  /// Reads who logs in, each field for itself: no login needs more than the name, which nothing else may hide.
  private static func initiator(
    _ fields: borrowing FirmwareFields, _ problems: inout [FirmwareError]
  ) throws(Errno) -> FirmwareBoot.Initiator {
    // Its flags say nothing that counts: cards do not show them, and open-iscsi does not look at them.
    let flags: UInt8? = try read(fields, into: &problems) { (fields) throws(FirmwareFault) in
      try fields.number("flags")
    }
    var initiator = FirmwareBoot.Initiator(flags: FirmwareBoot.Flags(rawValue: flags ?? 0))
    initiator.index =
      try read(fields, into: &problems) { (fields) throws(FirmwareFault) in try fields.number("index") } ?? 0
    initiator.name = try read(fields, into: &problems) { (fields) throws(FirmwareFault) in
      try fields.value("initiator-name") { (text) throws(ISCSINameError) in try InitiatorName(text) }
    }
    initiator.isid = try read(fields, into: &problems) { (fields) throws(FirmwareFault) in try fields.text("isid") }
    initiator.isnsServer = try address("isns-server", fields, &problems)
    initiator.slpServer = try address("slp-server", fields, &problems)
    initiator.primaryRadiusServer = try address("pri-radius-server", fields, &problems)
    initiator.secondaryRadiusServer = try address("sec-radius-server", fields, &problems)
    return initiator
  }

  private static func address(
    _ name: String, _ fields: borrowing FirmwareFields, _ problems: inout [FirmwareError]
  ) throws(Errno) -> FirmwareAddress? {
    try read(fields, into: &problems) { (fields) throws(FirmwareFault) in try fields.address(name) }
  }

  private static func ethernet(
    _ number: UInt8, _ fields: borrowing FirmwareFields
  ) throws(FirmwareFault) -> FirmwareBoot.Ethernet? {
    guard let flags = try fields.flags() else { return nil }
    var ethernet = FirmwareBoot.Ethernet(index: try fields.number("index") ?? number, flags: flags)
    ethernet.origin = try fields.number("origin")
    ethernet.address = try fields.address("ip-addr")
    ethernet.subnetMask = try fields.address("subnet-mask")
    ethernet.prefixLength = try fields.number("prefix-len", upTo: 128)
    ethernet.gateway = try fields.address("gateway")
    ethernet.primaryDNS = try fields.address("primary-dns")
    ethernet.secondaryDNS = try fields.address("secondary-dns")
    ethernet.dhcpServer = try fields.address("dhcp")
    ethernet.vlan = try fields.number("vlan", upTo: 4095)
    if let text = try fields.text("mac") {
      guard let address = HardwareAddress(text) else { throw fields.fault("mac", "not a MAC address") }
      ethernet.hardwareAddress = address
    }
    ethernet.hostName = try fields.text("hostname")
    return ethernet
  }

  private static func target(
    _ number: UInt8, _ fields: borrowing FirmwareFields
  ) throws(FirmwareFault) -> FirmwareBoot.Target? {
    guard let flags = try fields.flags() else { return nil }
    let name = try fields.value("target-name") { (text) throws(ISCSINameError) in try TargetName(text) }
    guard let name else { throw fields.fault("target-name", "missing") }
    guard let address = try fields.address("ip-addr"), !address.isUnspecified else {
      throw fields.fault("ip-addr", "missing")
    }
    var target = FirmwareBoot.Target(
      index: try fields.number("index") ?? number, flags: flags, name: name, address: address)
    target.port = try fields.number("port") ?? target.port
    if target.port == 0 { throw fields.fault("port", "0 is no TCP port") }
    if let text = try fields.text("lun") {
      guard let lun = FirmwareLUN(text) else { throw fields.fault("lun", "not a LUN of eight octets") }
      target.lun = lun
    }
    target.chapType = try fields.number("chap-type")
    target.ethernetIndex = try fields.number("nic-assoc") ?? 0
    target.chapName = try fields.text("chap-name")
    target.chapSecret = try fields.secret("chap-secret")
    target.reverseCHAPName = try fields.text("rev-chap-name")
    target.reverseCHAPSecret = try fields.secret("rev-chap-name-secret")
    return target
  }
}

extension FirmwareBoot.Source {
  /// The machine's own firmware goes before the cards.
  fileprivate var rank: Int64 {
    switch self {
    case .openFirmware: -2
    case .ibft: -1
    case .card(let host): Int64(host.rawValue)
    }
  }
}

/// Why an entry could not be read.
private enum FirmwareFault: Error {
  /// The process has no descriptors or no memory left, which says nothing about the entry.
  case shortage(Errno)
  /// A field is not as it must be.
  case field(FirmwareError)
}

/// The fields of one entry, which is a folder with a file for each.
private struct FirmwareFields: ~Copyable {
  let directory: SysfsDirectory
  let path: String

  init(directory: consuming SysfsDirectory, path: String) {
    self.directory = directory
    self.path = path
  }

  func fault(_ name: String, _ reason: String) -> FirmwareFault {
    .field(FirmwareError(field: "\(path)/\(name)", reason: reason))
  }

  /// A field's text; nil if it is missing or empty, which is how the kernel shows what the table has not.
  func text(_ name: String) throws(FirmwareFault) -> String? {
    do throws(Errno) { return try directory.text(name) } catch { throw .shortage(error) }
  }

  func number<Number: FixedWidthInteger>(
    _ name: String, upTo limit: Number = .max
  ) throws(FirmwareFault) -> Number? {
    guard let text = try text(name) else { return nil }
    guard let number = Number(text), number <= limit else {
      throw fault(name, "\(text.debugDescription) is no number up to \(limit)")
    }
    return number
  }

  /// The flags; nil for an entry that is not in use. One whose flags are not shown is, as with cards.
  func flags() throws(FirmwareFault) -> FirmwareBoot.Flags? {
    guard let flags: UInt8 = try number("flags") else { return .valid }
    return flags == 0 ? nil : FirmwareBoot.Flags(rawValue: flags)
  }

  func address(_ name: String) throws(FirmwareFault) -> FirmwareAddress? {
    guard let text = try text(name) else { return nil }
    guard let address = FirmwareAddress(text) else { throw fault(name, "\(text.debugDescription) is no IP address") }
    return address
  }

  func value<Value, Failure: Error & CustomStringConvertible>(
    _ name: String, _ parse: (String) throws(Failure) -> Value
  ) throws(FirmwareFault) -> Value? {
    guard let text = try text(name) else { return nil }
    do throws(Failure) { return try parse(text) } catch { throw fault(name, error.description) }
  }

  func secret(_ name: String) throws(FirmwareFault) -> Secret? {
    guard let text = try text(name) else { return nil }
    guard let secret = Secret(text) else { throw fault(name, "a secret has 1 to 255 octets on one line") }
    return secret
  }
}
