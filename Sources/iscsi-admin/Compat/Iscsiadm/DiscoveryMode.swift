// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// `iscsiadm -m discovery` and `-m discoverydb`.
struct DiscoveryMode {
  let machine: RecordMachine
  let console: IscsiadmConsole
  let options: IscsiadmOptions
  /// Whether it works on the record of a discovery (`discoverydb`), or asks at once.
  let isOnRecord: Bool

  /// Does what the options say.
  func run() throws(IscsiadmError) -> ExitStatus {
    guard let type = options.discoveryType else { return try runWithoutType() }
    let kind: DiscoveryRecord.Kind
    switch type {
    case .sendTargets: kind = .sendTargets
    case .isns: kind = .isns
    case .slp: throw IscsiadmError(.invalidArgument, "SLP discovery is not fully implemented yet.")
    case .firmware:
      if isOnRecord, !options.flags.contains(.discover) {
        throw IscsiadmError(.invalidArgument, "Invalid command. Possibly missing --discover argument.")
      }
      return try FirmwareMode(machine: machine.base, console: console, options: options).discover(machine, effects)
    }
    guard let text = options.portal, !text.host.isEmpty, !text.host.hasPrefix("[") else {
      let form = kind == .isns ? "<ipaddr>:[<ipport>]" : "<ipaddr>[:<ipport>]"
      throw IscsiadmError(.invalidArgument, "Please specify portal as \(form)")
    }
    let portal = try text.checked(defaultPort: kind.defaultPort)
    guard isOnRecord else {
      let interfaces = try interfaces()
      let record = machine.configuration.discovery(kind, at: portal.host, port: portal.port)
      // open-iscsi keeps no record of an iSNS server here.
      if kind == .sendTargets, !options.operations.contains(.nonpersistent) {
        try machine.changing { (changes) throws(DatabaseError) in
          changes.save(record, over: try machine.database.discoveries(kind, at: portal).records.first)
        }
      }
      return try discover(record, over: interfaces)
    }
    return try runOnRecord(kind, portal)
  }

  // MARK: - Without a type

  private func runWithoutType() throws(IscsiadmError) -> ExitStatus {
    guard let text = options.portal, !text.host.isEmpty else {
      if !isOnRecord, options.operations.contains(.delete) {
        throw IscsiadmError(.invalidArgument, "Invalid operation.")
      }
      if isOnRecord, !options.operations.isSubset(of: .show) {
        throw IscsiadmError(.invalidArgument, "Invalid operation. Operation not supported.")
      }
      return try list()
    }
    if isOnRecord {
      let suspicion = options.operations.isEmpty ? "Portal not needed or Possibly" : "Possibly"
      throw IscsiadmError(.invalidArgument, "Invalid command. \(suspicion) missing discovery --type.")
    }
    let portal = try text.checked()
    guard let stored = try record(.sendTargets, portal) else {
      throw IscsiadmError(.invalidArgument, "Discovery record \(Self.label(portal)) not found!")
    }
    if !options.flags.isDisjoint(with: [.discover, .login]) {
      return try discover(stored.record, over: try interfaces())
    }
    switch options.operations {
    case [], .show: return show(stored.record)
    case .delete: return try delete(.sendTargets, portal)
    case .new, .update:
      throw IscsiadmError(
        .invalidArgument, "Operations new and update for discovery mode is not supported. Use discoverydb mode.")
    default: throw IscsiadmError(.invalidArgument, "Invalid operation.")
    }
  }

  /// All discoveries, a line each (`-P 0`) or with what they have found (`-P 1`).
  private func list() throws(IscsiadmError) -> ExitStatus {
    let found = try machine.reading { () throws(DatabaseError) in
      (try machine.database.discoveries(.sendTargets), try machine.database.discoveries(.isns))
    }
    console.warn(of: found.0.problems + found.1.problems)
    let discoveries = (found.0.records + found.1.records).map(\.record)
    guard max(options.printLevel ?? 0, 0) > 0 else {
      console.say(discoveries.map { "\($0.address):\($0.port) via \($0.kind.rawValue)\n" }.joined())
      return discoveries.isEmpty ? .noObjectsFound : .success
    }
    var trees: [DiscoveryText.Found] = []
    for discovery in discoveries { trees.append((discovery, try nodes(from: .discovery(discovery)))) }
    let (isns, firmware) = (try nodes(from: .isns), try nodes(from: .firmware))
    let byHand = try olderNodes() + nodes(from: .byHand)
    console.say(DiscoveryText.tree(trees, isns: isns, byHand: byHand, firmware: firmware))
    let isEmpty = discoveries.isEmpty && isns.isEmpty && byHand.isEmpty && firmware.isEmpty
    return isEmpty ? .noObjectsFound : .success
  }

  private func nodes(from origin: RecordDatabase.Origin) throws(IscsiadmError) -> [NodeRecord] {
    let listing = try machine.reading { () throws(DatabaseError) in try machine.database.nodes(from: origin) }
    console.warn(of: listing.problems)
    return listing.records.map(\.record)
  }

  /// The nodes that were made by hand whose records are in the older form: they have no links.
  private func olderNodes() throws(IscsiadmError) -> [NodeRecord] {
    let listing = try machine.reading { () throws(DatabaseError) in try machine.database.nodes() }
    return listing.records.filter(\.isInOlderForm).map(\.record).filter { $0.discoveryKind == .byHand }
  }

  // MARK: - On a record

  private func runOnRecord(_ kind: DiscoveryRecord.Kind, _ portal: Portal) throws(IscsiadmError) -> ExitStatus {
    let standard = machine.configuration.discovery(kind, at: portal.host, port: portal.port)
    if options.flags.contains(.discover) {
      let interfaces = try interfaces()
      let isKept = !options.operations.contains(.nonpersistent)
      let listing = try machine.changing(if: isKept) { (changes) throws(DatabaseError) in
        let listing = try machine.database.discoveries(kind, at: portal)
        if listing.records.isEmpty, listing.problems.isEmpty { changes.save(standard) }
        return listing
      }
      console.warn(of: listing.problems)
      let stored = listing.records.first?.record
      // The target is not asked in another way than a record says that cannot be used.
      guard stored != nil || listing.problems.isEmpty else {
        throw IscsiadmError(.database, "Discovery record \(Self.label(portal)) not found.")
      }
      return try discover(stored ?? standard, over: interfaces)
    }
    if options.operations.contains(.new) {
      try machine.changing { (changes) throws(DatabaseError) in
        changes.save(standard, over: try machine.database.discoveries(kind, at: portal).records.first)
      }
      console.say("New discovery record for \(Self.label(portal)) added.\n")
      return .success
    }
    // That there is no record is told first, whatever is asked for: programs go by it.
    let stored = try found(kind, portal)
    switch options.operations {
    case [], .show: return show(stored.record)
    case .delete: return try delete(kind, portal)
    case .update where options.parameters.isEmpty:
      throw IscsiadmError(.invalidArgument, "Update requires name and value.")
    case .update: return try update(kind, portal)
    default: throw IscsiadmError(.invalidArgument, "Operation is not supported.")
    }
  }

  private func update(_ kind: DiscoveryRecord.Kind, _ portal: Portal) throws(IscsiadmError) -> ExitStatus {
    try machine.changing { (changes) throws(IscsiadmError) in
      let stored = try found(kind, portal)
      do throws(RecordUpdateFailure) {
        changes.save(try stored.record.updated(by: options.parameters, console.warn), over: stored)
        return .success
      } catch {
        // This mode has no second line for a value.
        error.lines.prefix(1).forEach(console.warn)
        return .invalidArgument
      }
    }
  }

  private func delete(_ kind: DiscoveryRecord.Kind, _ portal: Portal) throws(IscsiadmError) -> ExitStatus {
    try machine.changing { (changes) throws(IscsiadmError) in
      let stored = try found(kind, portal)
      do throws(DatabaseError) { try changes.delete(stored) { _ in false } } catch {
        throw IscsiadmError(error.exitStatus, error.description)
      }
    }
    return .success
  }

  private func show(_ record: DiscoveryRecord) -> ExitStatus {
    console.say(RecordDump.text(of: record, showsSecrets: options.flags.contains(.showSecrets)))
    return .success
  }

  private func found(
    _ kind: DiscoveryRecord.Kind, _ portal: Portal
  ) throws(IscsiadmError) -> RecordDatabase.Stored<DiscoveryRecord> {
    guard let stored = try record(kind, portal) else {
      throw IscsiadmError(.database, "Discovery record \(Self.label(portal)) not found.")
    }
    return stored
  }

  private func record(
    _ kind: DiscoveryRecord.Kind, _ portal: Portal
  ) throws(IscsiadmError) -> RecordDatabase.Stored<DiscoveryRecord>? {
    let listing = try machine.reading { () throws(DatabaseError) in try machine.database.discoveries(kind, at: portal) }
    console.warn(of: listing.problems)
    return listing.records.first
  }

  private static func label(_ portal: Portal) -> String { "[\(portal.host),\(portal.port)]" }
}

extension DiscoveryRecord.Kind {
  /// The port of whoever is asked.
  fileprivate var defaultPort: UInt16 { self == .isns ? ISNSDiscovery.defaultPort : Portal.defaultPort }
}
