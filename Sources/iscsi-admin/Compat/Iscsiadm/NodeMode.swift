// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// `iscsiadm -m node`, and what session mode does with the record of a session.
struct NodeMode {
  let machine: RecordMachine
  let console: IscsiadmConsole
  let options: IscsiadmOptions
  /// The session whose record is meant, in session mode.
  var session: SessionSnapshot?

  /// Does what the options say.
  func run() throws(IscsiadmError) -> ExitStatus {
    if let word = options.loginAll { return try logInAll(word) }
    if let word = options.logoutAll { return try logOutAll(word) }
    if options.interfaces.count > 1 {
      console.warn("NODE mode only accepts one interface. Using the first one driver  hwaddress  ipaddress .")
    }
    if session == nil, !selectsNodes, options.operations.isEmpty, options.flags.isDisjoint(with: Self.actions) {
      return try list()
    }
    let filter = try filter()
    if options.operations == .new {
      return if let session { try addSession(session) } else { try add() }
    }
    if options.flags.contains(.rescan) { return try rescan(filter) }
    if options.flags.contains(.statistics) { return try showStatistics(filter) }
    let logsIn = options.flags.contains(.login), logsOut = options.flags.contains(.logout)
    if logsIn, logsOut {
      throw IscsiadmError(.invalidArgument, "Invalid parameters. Both login and logout passed in")
    }
    if logsIn || logsOut, !options.operations.isEmpty {
      throw IscsiadmError(.invalidArgument, "Invalid parameters. Login/logout and op passed in")
    }
    if logsIn { return try logIn(try records(filter).map(\.record)) }
    if logsOut { return try logOut(filter) }
    switch options.operations {
    case [], .show: return try show(filter)
    case .update: return try update(filter)
    case .delete: return try delete(filter)
    default: throw IscsiadmError(.invalidArgument, "operation is not supported.")
    }
  }

  private static let actions: IscsiadmOptions.Flags = [.login, .logout, .rescan, .statistics]

  // MARK: - Which nodes

  private var target: String? { options.target?.isEmpty == true ? nil : options.target }

  private var selectsNodes: Bool {
    target != nil || options.portal.map { !$0.host.isEmpty } ?? false || !options.interfaces.isEmpty
  }

  /// The nodes that the options name. Names that cannot be those of a record match none.
  func filter() throws(IscsiadmError) -> NodeSelection {
    if let session {
      var selection = NodeSelection(session: session)
      lookUpNames(of: &selection)
      return selection
    }
    var selection = NodeSelection()
    if let target {
      guard let name = try? TargetName(target) else { return .none }
      selection.nodes.target = name
    }
    if let portal = options.portal, !portal.host.isEmpty {
      guard let host = try? PortalHost(portal.host) else { return .none }
      selection.nodes.host = host
      lookUpNames(of: &selection)
      selection.nodes.port = portal.shownPort.flatMap(UInt16.init(exactly:)) ?? 0
    }
    if let interface = try interface() { selection.nodes.interface = interface.name }
    return selection
  }

  /// Lets names count as their addresses, but not for what is only shown, nor for what is made anew: what was set in it would be lost.
  private func lookUpNames(of selection: inout NodeSelection) {
    let isMeant = options.operations.isSubset(of: [.show, .new]) ? !options.flags.isDisjoint(with: Self.actions) : true
    guard isMeant else { return }
    let names = HostNames()
    selection.nodes.isSameHost = { names.areSame($0, $1) ?? false }
  }

  /// The interface that `-I` names; nil without it.
  func interface() throws(IscsiadmError) -> InterfaceRecord? {
    guard let name = options.interfaces.first else { return nil }
    guard let record = try machine.interface(named: name) else {
      throw IscsiadmError(.noMemory, "Could not read iface info for \(name).")
    }
    return record
  }

  /// The records of a selection; files that are none are told of.
  func records(_ selection: NodeSelection) throws(IscsiadmError) -> [RecordDatabase.Stored<NodeRecord>] {
    guard !selection.isEmpty else { throw Self.noRecords }
    let listing = try machine.reading { () throws(DatabaseError) in try machine.database.nodes(selection.nodes) }
    console.warn(of: listing.problems)
    guard !listing.records.isEmpty else { throw Self.noRecords }
    return listing.records
  }

  /// Hands over what is made of the records of a selection, in the order of listings; files that are none are told of.
  private func forEachRecord<Value: Sendable>(
    _ selection: NodeSelection, make makeBody: @escaping @Sendable () -> (NodeRecord) -> Value,
    _ deliver: ([Value]) -> Void
  ) throws(IscsiadmError) {
    guard !selection.isEmpty else { throw Self.noRecords }
    var isEmpty = true
    let problems = try machine.reading { () throws(DatabaseError) in
      try machine.database(in: .byName).forEachNode(
        selection.nodes, collectingInto: [Value](),
        by: {
          let body = makeBody()
          return { $1.append(body($0.record)) }
        }
      ) { values in
        if !values.isEmpty { isEmpty = false }
        deliver(values)
      }
    }
    console.warn(of: problems)
    if isEmpty { throw Self.noRecords }
  }

  static var noRecords: IscsiadmError { IscsiadmError(.noObjectsFound, "No records found") }

  // MARK: - Looking

  /// All records, a line each (`-P 0`) or as a tree (`-P 1`).
  private func list() throws(IscsiadmError) -> ExitStatus {
    let level = max(options.printLevel ?? 0, 0)
    guard level <= 1 else {
      throw IscsiadmError(.invalidArgument, "Invalid info level \(level). Try 0 or 1.")
    }
    var text = ""
    if level == 0 {
      try forEachRecord(NodeSelection(), make: { { NodeText.line($0, tag: .unsigned) } }) { lines in
        for line in lines { text += line }
      }
    } else {
      var tree = NodeText.Tree()
      try forEachRecord(NodeSelection(), make: { { $0 } }) { records in
        for record in records { text += tree.lines(of: record) }
      }
    }
    console.say(text)
    return .success
  }

  private func show(_ selection: NodeSelection) throws(IscsiadmError) -> ExitStatus {
    let form = NodeLines.Form.shown(hidesSecrets: !options.flags.contains(.showSecrets))
    try forEachRecord(selection) {
      var lines = NodeLines(form)
      return { lines.octets(of: $0) }
    } _: { records in
      // A write for each of thousands would take as long as the reading.
      var text: [UInt8] = []
      for lines in records { RecordDump.append(lines, to: &text) }
      if !text.isEmpty { console.say(String(decoding: text, as: UTF8.self)) }
    }
    return .success
  }

  // MARK: - Changing

  /// Makes the record that the options name; with less than a target and a portal, makes those anew that there are.
  private func add() throws(IscsiadmError) -> ExitStatus {
    let interface = try interface()
    guard let target, let portal = options.portal, !portal.host.isEmpty else {
      return try addAgain(over: interface)
    }
    let name: TargetName
    do throws(ISCSINameError) { name = try TargetName(target) } catch {
      throw IscsiadmError(.invalidArgument, "\(target.debugDescription) is refused as a target's name: \(error)")
    }
    let record = machine.configuration.node(name, at: try portal.checked(), over: interface ?? .standard)
    try machine.changing { (changes) throws(DatabaseError) in
      let stored = try machine.database.nodes(NodeSelection(record).nodes).records
      // Another tag is another record, unless the older form has none.
      let old = stored.first { $0.record.portal.tag == record.portal.tag || $0.isInOlderForm }
      changes.save(record, over: old, isNew: true)
    }
    console.say(NodeText.added(record))
    return .success
  }

  private func addAgain(over interface: InterfaceRecord?) throws(IscsiadmError) -> ExitStatus {
    let selection = try filter()
    let added = try machine.changing { (changes) throws(DatabaseError) -> [NodeRecord] in
      guard !selection.isEmpty else { return [] }
      return try machine.database.nodes(selection.nodes).records.map { stored in
        let old = stored.record
        let record = machine.configuration.node(old.target, at: old.portal, over: interface ?? old.interface)
        changes.save(record, over: stored, isNew: true)
        return record
      }
    }
    for record in added { console.say(NodeText.added(record)) }
    // open-iscsi says no more, and takes it for done.
    if added.isEmpty { console.warn("Error while adding record: ") }
    return .success
  }

  private func update(_ selection: NodeSelection) throws(IscsiadmError) -> ExitStatus {
    let parameters = options.parameters
    guard !parameters.isEmpty else { throw IscsiadmError(.invalidArgument, "update requires name and value") }
    for parameter in parameters {
      let isTransport = ["iface.transport_name", "node.transport_name"].contains(parameter.name)
      if isTransport, try machine.sessions().contains(where: selection.includes) {
        throw IscsiadmError(
          .sessionExists,
          "Cannot modify node/iface transport name while a session is using it. Log out the session then update record."
        )
      }
      guard isTransport || !parameter.name.hasPrefix("iface.") else {
        throw IscsiadmError(
          .invalidArgument, "Cannot modify \(parameter.name). Use iface mode to update this value.")
      }
    }
    guard !selection.isEmpty else { throw Self.noRecords }
    let (parts, problems) = try machine.changing { (changes) throws(DatabaseError) in
      let found = try changes.forEachNode(selection.nodes, collectingInto: UpdateReport()) { stored, changes, report in
        report.count += 1
        do throws(RecordUpdateFailure) {
          changes.save(try stored.record.updated(by: parameters) { report.warnings.append($0) }, over: stored)
        } catch {
          report.failures.append(error)
        }
      }
      for part in found.parts { part.warnings.forEach(console.warn) }
      return found
    }
    console.warn(of: problems)
    guard parts.contains(where: { $0.count > 0 }) else { throw Self.noRecords }
    guard parts.contains(where: { !$0.failures.isEmpty }) else { return .success }
    for failure in parts.flatMap(\.failures) { failure.lines.forEach(console.warn) }
    throw Self.notAll(.invalidArgument)
  }

  /// What has come of the updates of some records.
  private struct UpdateReport: Sendable {
    var count = 0
    var warnings: [String] = []
    var failures: [RecordUpdateFailure] = []
  }

  private func delete(_ selection: NodeSelection) throws(IscsiadmError) -> ExitStatus {
    guard !selection.isEmpty else { throw Self.noRecords }
    let present = PresentSessions(try machine.sessions())
    try present.lookUpNames(in: machine, selection.nodes)
    var kept: [NodeRecord] = []
    var problems: [RecordProblem] = []
    var count = 0
    try machine.changing { (changes) throws(DatabaseError) in
      problems = try machine.database.forEachNode(selection.nodes) { stored in
        count += 1
        if present.mayUse(stored.record) { kept.append(stored.record) } else { changes.delete(stored) }
      }
    }
    console.warn(of: problems)
    guard count > 0 else { throw Self.noRecords }
    guard !kept.isEmpty else { return .success }
    for record in kept {
      console.warn(NodeText.refusedRemoval(record))
    }
    throw Self.notAll(.sessionExists)
  }

  static func notAll(_ status: ExitStatus) -> IscsiadmError {
    IscsiadmError(status, "Could not execute operation on all records: \(status.openISCSIText)")
  }
}

/// Which nodes and sessions are meant.
struct NodeSelection {
  var nodes = RecordDatabase.NodeFilter()
  /// Whether none can be meant.
  var isEmpty = false

  /// All.
  init() {}

  /// None: a name that is none of a record was given.
  static var none: NodeSelection {
    var selection = NodeSelection()
    selection.isEmpty = true
    return selection
  }

  /// The node of a session.
  init(session: SessionSnapshot) {
    nodes.target = session.targetName.flatMap { try? TargetName($0) }
    nodes.host = session.configuredPortal?.host
    nodes.port = session.configuredPortal?.port
    nodes.interface = session.interfaceName.flatMap(InterfaceName.init) ?? .standard
    isEmpty = nodes.target == nil || nodes.host == nil
  }

  /// The node of a record.
  init(_ record: NodeRecord) {
    nodes.target = record.target
    nodes.host = record.portal.host
    nodes.port = record.portal.port
    nodes.interface = record.interface.name
  }

  /// Whether a session is one to a node that is meant.
  func includes(_ session: SessionSnapshot) -> Bool {
    guard !isEmpty, let portal = session.configuredPortal else { return false }
    // The host last, as a name may have to be looked up.
    return (nodes.target == nil || nodes.target?.description == session.targetName)
      && (nodes.port == nil || nodes.port == portal.port)
      && (nodes.interface == nil || nodes.interface?.description == session.interfaceName ?? "default")
      && nodes.host.map { nodes.isSameHost(portal.host, $0) } != false
  }
}
