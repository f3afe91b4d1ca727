// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import SystemPackage

/// `iscsiadm -m iface`.
struct InterfaceMode {
  let machine: RecordMachine
  let console: IscsiadmConsole
  let options: IscsiadmOptions

  private var name: String? { options.interfaces.first }

  /// Does what the options say.
  func run() throws(IscsiadmError) -> ExitStatus {
    if options.interfaces.count > 1, let name {
      console.warn("iface mode only accepts one interface. Using the first one \(name).")
    }
    if options.submode == .ping { return try ping() }
    switch options.operations {
    case .new: return try add()
    case .delete: return try delete()
    case .update: return try update()
    case .apply: return try apply()
    case .applyAll: return try applyAll()
    case [], .show: return try show()
    default: return .invalidArgument
    }
  }

  // MARK: - Looking

  private func show() throws(IscsiadmError) -> ExitStatus {
    let level = max(options.printLevel ?? 0, 0)
    guard level <= 1 else { throw IscsiadmError(.invalidArgument, "Invalid info level \(level). Try 0 - 1.") }
    if let name, level == 0 {
      console.say(RecordDump.text(of: try interface(name), showsSecrets: options.flags.contains(.showSecrets)))
      return .success
    }
    console.say(level == 0 ? try all().map(Self.line).joined() : try tree())
    return .success
  }

  private func interface(_ name: String) throws(IscsiadmError) -> InterfaceRecord {
    if let record = try machine.interface(named: name) { return record }
    let path = machine.database.root.appending("ifaces").appending(name)
    if let name = InterfaceName(name), try isBroken(name) {
      console.complain("iSCSI WARNING: '\(path)' is not a valid iSCSI interface configuration file".printable)
      throw IscsiadmError(.database)
    }
    console.complain(
      "iSCSI ERROR: Failed to open \(path) using read mode: 2 No such file or directory".printable
        + " # idbm.c:_idbm_recs_read():834")
    throw IscsiadmError(.database)
  }

  /// Those that users have made, then those that there always are.
  private func all() throws(IscsiadmError) -> [InterfaceRecord] {
    let listing = try machine.reading { () throws(DatabaseError) in
      try machine.database(in: .byName).interfaces()
    }
    console.warn(of: listing.problems)
    return listing.records.map(\.record) + InterfaceRecord.builtIn
  }

  private static func line(_ record: InterfaceRecord) -> String {
    let values = [record.hardwareAddress, record.address, record.networkDevice, record.initiatorName]
    return "\(record.name) " + ([record.transport] + values.map { $0 ?? "<empty>" }).joined(separator: ",") + "\n"
  }

  /// The interface that is asked for, or all, with their nodes.
  private func tree() throws(IscsiadmError) -> String {
    let listing = try machine.reading { () throws(DatabaseError) in try machine.database(in: .byName).nodes() }
    console.warn(of: listing.problems)
    // Where there is no node nothing is shown, nor looked for.
    guard !listing.records.isEmpty else { return "" }
    let interfaces = if let name { [try interface(name)] } else { try all() }
    let nodes = Dictionary(grouping: listing.records.map(\.record), by: \.interface.name)
    return interfaces.map { interface in
      var (text, target) = ("Iface: \(interface.name)\n", TargetName?.none)
      for node in nodes[interface.name] ?? [] {
        if node.target != target { text += "\tTarget: \(node.target)\n" }
        target = node.target
        text += "\t\tPortal: \(NodeText.portal(node.portal, .signed))\n"
      }
      return text
    }.joined()
  }

  // MARK: - Changing

  private func add() throws(IscsiadmError) -> ExitStatus {
    guard let name else {
      throw IscsiadmError(.sysfsLookup, "Could not add interface. No interface passed in.")
    }
    guard let valid = InterfaceName(name) else {
      throw IscsiadmError(.invalidArgument, "\(name.debugDescription) is refused as an interface's name.")
    }
    if try isUsed(valid) { throw IscsiadmError(.sessionExists, "Could not create new interface \(name).") }
    guard !valid.isBuiltIn else {
      throw IscsiadmError(
        .invalidArgument,
        "iface \(name) is a special interface and is not stored in \(machine.database.root.appending("ifaces")).",
        "Could not create new interface \(name).")
    }
    try machine.changing { (changes) throws(DatabaseError) in
      changes.save(InterfaceRecord(name: valid), over: try machine.database.interfaces(valid).records.first)
    }
    // It is there also without the settings.
    var status = ExitStatus.success
    do throws(IscsiadmError) { try change(name, InterfaceRecord(name: valid)) } catch { status = console.report(error) }
    console.say("New interface \(name) added\n")
    return status
  }

  private func update() throws(IscsiadmError) -> ExitStatus {
    guard let name, !options.parameters.isEmpty else {
      throw IscsiadmError(.invalidArgument, "Update requires name, value, and iface.")
    }
    if InterfaceName(name)?.isBuiltIn == true {
      throw IscsiadmError(
        .invalidArgument, "iface \(name) is a special interface and cannot be modified.", Self.failure(name))
    }
    try change(name)
    return .success
  }

  private static func failure(_ name: String) -> String {
    "Could not update iface \(name): \(ExitStatus.invalidArgument.openISCSIText)"
  }

  /// Gives an interface and its nodes the settings of the options. One that was just made is known also if its name is that of the
  /// example, which is none when it is looked for.
  private func change(_ name: String, _ new: InterfaceRecord? = nil) throws(IscsiadmError) {
    let record = try machine.changing { (changes) throws(IscsiadmError) in
      let stored = try stored(name)
      guard let known = stored?.record ?? new else {
        throw IscsiadmError(.invalidArgument, "Could not read iface info for \(name).")
      }
      let record = try updated(known, Self.failure(name))
      changes.save(record, over: stored)
      // Each node has a copy of its interface, which may differ from it in the rest.
      let nodes = try machine.reading { () throws(DatabaseError) in
        try machine.database.nodes(.init(interface: record.name)).records
      }
      for node in nodes {
        var changed = node.record
        for parameter in options.parameters { try? changed.interface.set(parameter.name, to: parameter.value) }
        changes.save(changed, over: node)
      }
      return record
    }
    if try isUsed(record.name) {
      console.warn(
        "Updating iface while iscsi sessions are using it. You must logout the running sessions then log back in for "
          + "the new settings to take affect.")
    }
    console.say("\(name) updated.\n")
  }

  /// The record with what the options set; `failed` is the last line for what cannot be.
  private func updated(_ record: InterfaceRecord, _ failed: String) throws(IscsiadmError) -> InterfaceRecord {
    if record.transport != "tcp" {
      console.warn("Could not insert module \(record.transport). Kmod error -2")
      throw IscsiadmError(.invalidArgument, "Cound not locate transport for iface \(record.name)")
    }
    if options.parameters.contains(where: { $0.name == "iface.iscsi_ifacename" }) {
      throw IscsiadmError(
        .invalidArgument, "Can not update iface.iscsi_ifacename. Delete it, and then create a new one.", failed)
    }
    if let change = bindingChange(of: record) {
      throw IscsiadmError(
        .invalidArgument,
        "Can not update interface binding from \(change.0) to \(change.1). You must delete the interface and create a new one",
        failed)
    }
    do throws(RecordUpdateFailure) {
      if let parameter = options.parameters.first(where: { record.lacks($0.name) }) {
        throw RecordUpdateFailure(.otherIPVersion(key: parameter.name), parameter, isSecret: false)
      }
      return try record.updated(by: options.parameters, console.warn)
    } catch {
      error.lines.forEach(console.warn)
      throw IscsiadmError(.invalidArgument, failed)
    }
  }

  /// The kinds of binding that an update would go from and to; nil if the kind stays.
  private func bindingChange(of record: InterfaceRecord) -> (String, String)? {
    let names = Set(options.parameters.map(\.name))
    if record.networkDevice != nil, names.contains("iface.hwaddress") { return ("net_ifacename", "hwaddress") }
    if record.hardwareAddress != nil, names.contains("iface.net_ifacename") { return ("hwaddress", "net_ifacename") }
    return nil
  }

  private func delete() throws(IscsiadmError) -> ExitStatus {
    guard let name else {
      throw IscsiadmError(.invalidArgument, "Could not delete interface. No interface passed in.")
    }
    let failed = "Could not delete iface \(name): \(ExitStatus.invalidArgument.openISCSIText)"
    if InterfaceName(name)?.isBuiltIn == true {
      throw IscsiadmError(.invalidArgument, "iface \(name) is a special interface and cannot be deleted.", failed)
    }
    let present = PresentSessions(try machine.sessions())
    try present.lookUpNames(in: machine, .init(interface: InterfaceName(name)))
    try machine.changing { (changes) throws(IscsiadmError) in
      guard let stored = try stored(name) else {
        // A file that is no record can be got rid of, too.
        if let name = InterfaceName(name), try isBroken(name) { return changes.deleteInterface(name) }
        throw IscsiadmError(.invalidArgument, "Could not read iface info for \(name).", failed)
      }
      let nodes = try machine.reading { () throws(DatabaseError) in
        try machine.database.nodes(.init(interface: stored.record.name)).records
      }
      if let node = nodes.map(\.record).first(where: present.mayUse) {
        throw IscsiadmError(
          .sessionExists, NodeText.refusedRemoval(node),
          "Could not delete iface \(name): \(ExitStatus.sessionExists.openISCSIText)")
      }
      for node in nodes { changes.delete(node) }
      changes.delete(stored)
    }
    console.say("\(name) unbound and deleted.\n")
    return .success
  }

  /// Whether there is something in the place of an interface's record that is none.
  private func isBroken(_ name: InterfaceName) throws(IscsiadmError) -> Bool {
    try machine.reading { () throws(DatabaseError) in !(try machine.database.interfaces(name).problems.isEmpty) }
  }

  /// Whether sessions go over an interface.
  private func isUsed(_ name: InterfaceName) throws(IscsiadmError) -> Bool {
    try machine.sessions().contains { $0.interfaceName == name.description }
  }

  private func stored(_ name: String) throws(IscsiadmError) -> RecordDatabase.Stored<InterfaceRecord>? {
    guard let name = InterfaceName(name) else { return nil }
    return try machine.reading { () throws(DatabaseError) in try machine.database.interfaces(name).records.first }
  }

  // MARK: - Cards

  /// Hands an interface's settings to its card, of which there are none here.
  private func apply() throws(IscsiadmError) -> ExitStatus {
    guard let name else { throw IscsiadmError(.invalidArgument, "Apply requires iface.") }
    guard try machine.interface(named: name) != nil else {
      throw IscsiadmError(.database, "Could not read iface \(name) (6).")
    }
    console.say("\(name) applied.\n")
    console.warn("Nothing to configure.")
    return .success
  }

  private func applyAll() throws(IscsiadmError) -> ExitStatus {
    if case .number(let host) = options.host {
      console.say("Applied settings to ifaces attached to host\(host).\n")
      console.warn("Could not read proc_name for host\(host) rc 5.")
    } else {
      let hosts = try readingSysfs { () throws(SysfsError) in try machine.base.sysfs.hosts() }
      for host in hosts.map(\.number).sorted() {
        console.say("Applied settings to ifaces attached to host\(host).\n")
      }
    }
    console.warn("Nothing to configure.")
    return .success
  }

  /// Has the card of an interface ping somebody, which the kernel's own initiator cannot do.
  private func ping() throws(IscsiadmError) -> ExitStatus {
    guard let name else { throw IscsiadmError(.invalidArgument, "Ping requires iface.") }
    guard options.pingAddress != nil else {
      throw IscsiadmError(.invalidArgument, "Ping requires destination ipaddress.")
    }
    guard try machine.interface(named: name) != nil else {
      throw IscsiadmError(.database, "Could not read iface \(name) (6).")
    }
    for number in 1...max(1, min(options.pingCount ?? 1, 1000)) {
      console.say("Ping \(number) failed: \(ExitStatus.notSupported.openISCSIText)\n")
    }
    return .notSupported
  }
}

extension InterfaceName {
  fileprivate var isBuiltIn: Bool { InterfaceRecord.builtIn.contains { $0.name == self } }
}
