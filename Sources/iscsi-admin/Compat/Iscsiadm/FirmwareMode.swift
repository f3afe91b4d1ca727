// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// `iscsiadm -m fw`, and discovery of type `fw`: the targets that firmware names for boot.
struct FirmwareMode {
  let machine: Iscsiadm.Machine
  let console: IscsiadmConsole
  let options: IscsiadmOptions

  /// Shows the targets, or logs in to them. No record is written.
  func run() throws(IscsiadmError) -> ExitStatus {
    let entries = try entries()
    guard options.flags.contains(.login) else {
      console.say(FirmwareText.records(entries))
      return .success
    }
    let records = try RecordMachine(machine)
    var nodes: [NodeRecord] = []
    for entry in entries { nodes.append(try node(entry, records.configuration)) }
    do throws(IscsiadmError) {
      _ = try NodeMode(machine: records, console: console, options: options).logIn(nodes)
    } catch {
      // Each login has told how it went, and open-iscsi does not tell it by its status.
    }
    return .success
  }

  /// Takes the targets over into the records of nodes, shows them, and logs in to them if that is wanted.
  func discover(_ machine: RecordMachine, _ effects: DiscoveryEffects) throws(IscsiadmError) -> ExitStatus {
    let interfaces = try interfaces(machine)
    let entries: [FirmwareEntry]
    do throws(IscsiadmError) { entries = try self.entries() } catch {
      if options.interfaces.isEmpty { throw error }
      throw IscsiadmError(console.report(error), "Could not perform fw discovery.")
    }
    let found = interfaces.flatMap { interface in
      entries.map { machine.configuration.node($0).bound(to: interface) }
    }
    let nodes = try machine.mergingFound(effects, console) { (changes, isKept) throws(DatabaseError) in
      try changes.merge(firmware: found, effects, unless: isKept)
    }
    switch max(options.printLevel ?? 0, 0) {
    case 0: console.say(nodes.map { NodeText.line($0, tag: .signed) }.joined())
    case 1: console.say(NodeText.tree(nodes))
    default: break
    }
    guard options.flags.contains(.login) else { return .success }
    do throws(IscsiadmError) {
      return try NodeMode(machine: machine, console: console, options: options).logIn(nodes)
    } catch {
      return error.status
    }
  }

  /// Over what the targets are to be logged in to: the interfaces that are named and there, else as with other discoveries.
  private func interfaces(_ machine: RecordMachine) throws(IscsiadmError) -> [InterfaceRecord] {
    var named: [InterfaceRecord] = []
    for name in options.interfaces {
      if let record = try machine.interface(named: name) {
        named.append(record)
      } else {
        console.warn(NodeText.noInterface(name, machine.database))
      }
    }
    guard named.isEmpty else { return named }
    return try machine.reading { () throws(DatabaseError) in try machine.database.discoveryInterfaces() }
  }

  /// The targets. Those that cannot be used are told of, and it is a failure if there are no others.
  private func entries() throws(IscsiadmError) -> [FirmwareEntry] {
    let targets = FirmwareTargets(of: machine.sysfs)
    for problem in targets.problems { console.warn(problem.description) }
    guard !targets.entries.isEmpty else {
      throw IscsiadmError(
        targets.absence, "Could not get list of targets from firmware. (err \(targets.absence.rawValue))")
    }
    return targets.entries
  }

  /// The node of a target as a login for booting has it, with the settings of the command line.
  private func node(
    _ entry: FirmwareEntry, _ configuration: InitiatorConfiguration
  ) throws(IscsiadmError) -> NodeRecord {
    var record = configuration.node(entry)
    record.applyBootDefaults()
    let refused = "Could not merge user params"
    for parameter in options.parameters {
      guard !Self.interfaceKeys.contains(parameter.name) else {
        throw IscsiadmError(
          .invalidArgument, "Cannot override interface parameters for firmware logins", refused)
      }
      do throws(RecordError) {
        try record.set(parameter.name, to: parameter.value)
      } catch {
        if case .badValue = error { throw IscsiadmError(.invalidArgument, error.description, refused) }
        throw IscsiadmError(.invalidArgument, "Unknown parameter \(parameter.name).", refused)
      }
    }
    return record
  }

  /// What the firmware alone tells: what is bound to, and by which initiator.
  private static let interfaceKeys: Set<String> = [
    "iface.iscsi_ifacename", "iface.net_ifacename", "iface.hwaddress", "iface.transport_name",
  ]
}

extension NodeRecord {
  /// The same over an interface, which has the firmware's name for us unless it has one of its own.
  fileprivate func bound(to other: InterfaceRecord) -> NodeRecord {
    guard other != .standard else { return self }
    var record = self
    record.interface = other
    record.interface.initiatorName = other.initiatorName ?? interface.initiatorName
    return record
  }
}
