// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// Where the daemon reads and keeps records. All its functions block.
public struct RecordSource: Sendable {
  /// What the administrator has configured for new records.
  public var configurationFile: FilePath
  /// The environment's word on where the database is (`ISCSI_DBROOT`).
  public var databaseOverride: String?
  /// The targets that are never logged out of.
  public var exclusionsFile: FilePath
  /// How long answers must lack a node of a repeated discovery before it is taken for gone; six times as long if they have
  /// no node at all.
  public var minimumAbsence = Duration.seconds(10)
  /// Where writers of the database lock each other out.
  var lockDirectory: FilePath?

  /// The machine's records, or those that the parameters say.
  public init(
    configurationFile: FilePath = InitiatorConfiguration.standardPath, databaseOverride: String? = nil,
    exclusionsFile: FilePath = Exclusions.standardPath
  ) {
    self.configurationFile = configurationFile
    self.databaseOverride = databaseOverride
    self.exclusionsFile = exclusionsFile
  }

  /// Configuration and database, as they are now: either may be elsewhere than it was.
  private func open() throws(DatabaseError) -> (InitiatorConfiguration, RecordDatabase) {
    let configuration = try InitiatorConfiguration(path: configurationFile)
    let database = try RecordDatabase(override: databaseOverride, configuration: configuration)
    guard let lockDirectory else { return (configuration, database) }
    return (configuration, RecordDatabase(root: database.root, lockDirectory: lockDirectory))
  }

  /// The records of all discoveries, and the files that are none.
  func discoveries() throws(DatabaseError) -> RecordDatabase.Listing<DiscoveryRecord> {
    try DiscoveryQuery().find(in: open().1)
  }

  /// A discovery to make.
  struct Question: Sendable {
    /// Whom to ask, and how.
    let record: DiscoveryRecord
    /// Over what.
    let interfaces: [InterfaceRecord]
  }

  /// A discovery as its record is now; nil if it is not to be repeated any more.
  func question(_ key: DiscoverySchedule.Key) throws(DatabaseError) -> Question? {
    let (_, database) = try open()
    let found = try database.discoveries(key.kind, at: key.portal)
    guard let record = found.records.first?.record else {
      // One that is just being written is not gone.
      guard let problem = found.problems.first else { return nil }
      throw .failed("use", path: problem.path, .invalidArgument)
    }
    guard record.isRepeated else { return nil }
    return Question(record: record, interfaces: try database.discoveryInterfaces())
  }

  /// The records of the nodes that sessions are to, by target, portal and interface; of several that differ in their tags
  /// the one with the session's. What cannot be read is no record.
  func nodes(of sessions: [SessionSnapshot]) -> [SessionID: NodeRecord] {
    guard let (_, database) = try? open() else { return [:] }
    return sessions.reduce(into: [:]) { found, session in
      guard let target = session.targetName.flatMap({ try? TargetName($0) }), let portal = session.configuredPortal,
        let interface = InterfaceName(session.interfaceName ?? InterfaceName.standard.description)
      else { return }
      let filter = RecordDatabase.NodeFilter(
        target: target, host: portal.host, port: portal.port, interface: interface)
      let records = (try? database.nodes(filter))?.records.map(\.record) ?? []
      found[session.id] = records.first { $0.portal.tag == session.tag } ?? records.first
    }
  }

  /// What an answer came to.
  struct Outcome: Sendable {
    /// The records of the nodes that were found.
    var found: [NodeRecord]
    /// Which of them are new, and which have another portal group tag, in words.
    var changes: [String]
    /// All nodes that the discovery has found, now or before.
    var recorded: [NodeRecord]
    /// The sessions that there are.
    var sessions: [SessionSnapshot]
    /// What was done with the disks of those whose nodes were not found.
    var activity: [SessionID: String]
    /// The targets that are never logged out of, or why they are not known.
    var exclusions: Result<Exclusions, ExclusionsError>
  }

  /// Makes records of what was found and is new; nil if the discovery is not to be repeated any more.
  func takeOver(_ answer: DiscoveryAnswer, of record: DiscoveryRecord, sysfs: Sysfs) throws -> Outcome? {
    let (configuration, database) = try open()
    guard try database.isRepeated(record) else { return nil }
    let edit = FoundNodesEdit(answer.found, foundBy: record, configuration: configuration)
    var plan = try database.carryOut(edit, isTrial: true)
    // The lock is for who has something to write: mostly there is nothing new.
    if plan.steps.contains(where: { $0.action != .unchanged }) { plan = try database.carryOut(edit) }
    let exclusions = Result { () throws(ExclusionsError) in try Exclusions(path: exclusionsFile) }
    let recorded = try database.nodes(foundBy: record)
    let missing = Set(recorded.map { SessionKey($0) }).subtracting(plan.nodes.map { SessionKey($0) })
    let sessions = try sysfs.sessions(.summary)
    var activity: [SessionID: String] = [:]
    for session in sessions where missing.contains(SessionKey(session)) {
      activity[session.id] = DiskActivity.text(of: session.devices, sysfs: sysfs.root)
    }
    return Outcome(
      found: plan.nodes,
      changes: plan.steps.filter { $0.action != .unchanged }.map { step in
        let settings = step.settings.map(\.description).joined(separator: ", ")
        return step.action == .created ? "found \(step.subject)" : "\(step.subject): \(settings)"
      },
      recorded: recorded, sessions: sessions, activity: activity, exclusions: exclusions)
  }

  /// Removes the records of nodes that are gone, but those in use and those that were edited.
  func remove(_ nodes: [NodeRecord], of record: DiscoveryRecord, sysfs: Sysfs) throws -> RecordPlan {
    let (configuration, database) = try open()
    let edit = VanishedNodesEdit(nodes: nodes, discovery: record, configuration: configuration) {
      () throws(SysfsError) in try sysfs.sessions(.summary)
    }
    let plan = try database.carryOut(edit, isTrial: true)
    // An edited record is looked at after each answer, and the lock is for who has something to write.
    return plan.steps.contains { $0.action == .deleted } ? try database.carryOut(edit) : plan
  }
}
