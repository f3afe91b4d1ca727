// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// What the modes work on that go by records.
struct RecordMachine {
  let base: Iscsiadm.Machine
  /// What new records are like.
  let configuration: InitiatorConfiguration
  let database: RecordDatabase

  /// The machine's records, where the environment or the configuration says.
  init(_ base: Iscsiadm.Machine) throws(IscsiadmError) {
    self.base = base
    var database: RecordDatabase
    do throws(DatabaseError) {
      configuration = try InitiatorConfiguration(path: base.configurationFile)
      database =
        if let given = base.database { given } else {
          try RecordDatabase(
            override: ProcessEnvironment.value(of: RecordStore.variable), configuration: configuration)
        }
    } catch {
      throw IscsiadmError(error.exitStatus, error.description)
    }
    database.order = .asStored
    self.database = database
  }

  /// The records in an order: open-iscsi sorts what it lists, and takes the rest as it comes.
  func database(in order: RecordDatabase.Order) -> RecordDatabase {
    var database = database
    database.order = order
    return database
  }

  /// Reads from the database.
  func reading<Result>(_ body: () throws(DatabaseError) -> Result) throws(IscsiadmError) -> Result {
    do throws(DatabaseError) { return try body() } catch { throw IscsiadmError(error.exitStatus, error.description) }
  }

  /// Changes the database.
  func changing<Result>(
    _ body: (inout RecordDatabase.Changes) throws(DatabaseError) -> Result
  ) throws(IscsiadmError) -> Result {
    try reading { () throws(DatabaseError) in try database.change(body) }
  }

  /// Changes the database if that is meant. Otherwise nothing comes of the changes, and they need no right to be made and wait for nobody.
  func changing<Result>(
    if isMeant: Bool, _ body: (inout RecordDatabase.Changes) throws(DatabaseError) -> Result
  ) throws(IscsiadmError) -> Result {
    try reading { () throws(DatabaseError) in isMeant ? try database.change(body) : try database.preview(body) }
  }

  /// Changes the database by what is read of it under the same lock, so that nobody else's change is lost. What is thrown
  /// changes nothing.
  func changing<Value>(
    orRefusing body: (inout RecordDatabase.Changes) throws(IscsiadmError) -> Value
  ) throws(IscsiadmError) -> Value {
    try changing { (changes) throws(DatabaseError) -> Result<Value, IscsiadmError> in
      let none = changes
      do throws(IscsiadmError) { return .success(try body(&changes)) } catch {
        changes = none
        return .failure(error)
      }
    }.get()
  }

  /// Takes over what a discovery finds. The records of vanished nodes that sessions may use stay, and are told of.
  func mergingFound(
    _ effects: DiscoveryEffects, _ console: IscsiadmConsole,
    _ body: (inout RecordDatabase.Changes, (NodeRecord) -> Bool) throws(DatabaseError) -> [NodeRecord]
  ) throws(IscsiadmError) -> [NodeRecord] {
    let present = PresentSessions(effects.contains(.remove) ? try sessions() : [])
    try present.lookUpNames(in: self, .init())
    var kept: [NodeRecord] = []
    let nodes = try changing(if: !effects.isEmpty) { (changes) throws(DatabaseError) in
      try body(&changes) { record in
        let isKept = present.mayUse(record)
        if isKept { kept.append(record) }
        return isKept
      }
    }
    for record in kept { console.warn(NodeText.refusedRemoval(record)) }
    return nodes
  }

  /// The interface of a name, from its file or built in; nil if there is none.
  func interface(named text: String) throws(IscsiadmError) -> InterfaceRecord? {
    guard let name = InterfaceName(text) else { return nil }
    if let record = InterfaceRecord.builtIn.first(where: { $0.name == name }) { return record }
    return try reading { () throws(DatabaseError) in try database.interfaces(name).records.first?.record }
  }

  /// The sessions of the kernel; none if there is no transport.
  func sessions() throws(IscsiadmError) -> [SessionSnapshot] {
    do throws(SysfsError) { return try base.sysfs.sessions(.summary) } catch {
      throw IscsiadmError(.sysfsLookup, error.description)
    }
  }
}

extension Iscsiadm.Machine {
  /// Whether sessions whose disks are in use are not logged out: so unless the configuration says that they are.
  var protectsUsedDisks: Bool { (try? InitiatorConfiguration(path: configurationFile))?.protectsUsedDisks ?? true }
}

extension IscsiadmConsole {
  /// Tells of files that are no records.
  func warn(of problems: [RecordProblem]) { for problem in problems { warn(problem.description) } }
}

extension IscsiadmPortal {
  /// The port, or the one that is taken without one.
  var shownPort: Int? { port == -1 ? Int(Portal.defaultPort) : port ?? Int(Portal.defaultPort) }

  /// The portal, if host, port and tag are such.
  func checked(defaultPort: UInt16 = Portal.defaultPort) throws(IscsiadmError) -> Portal {
    let port = port == -1 ? Int(defaultPort) : port ?? Int(defaultPort)
    guard let host = try? PortalHost(host) else {
      throw IscsiadmError(.invalidArgument, "\(host.debugDescription) is neither an address nor the name of a host")
    }
    guard let number = UInt16(exactly: port), number > 0 else {
      throw IscsiadmError(.invalidArgument, "\(port) is no TCP port (1 to 65535)")
    }
    guard let tag, tag != -1 else { return Portal(host: host, port: number) }
    guard let group = PortalGroupTag(exactly: tag) else {
      throw IscsiadmError(.invalidArgument, "\(tag) is no portal group tag (0 to 65535)")
    }
    return Portal(host: host, port: number, tag: group)
  }
}

/// Why a record cannot be changed, in open-iscsi's words.
struct RecordUpdateFailure: Error, Hashable {
  let lines: [String]

  init(_ error: RecordError, _ parameter: IscsiadmOptions.Parameter, isSecret: Bool) {
    switch error {
    case .unknownKey(let key) where !key.isEmpty, .otherIPVersion(let key):
      lines = ["Cannot modify \(key). Invalid param name."]
    case .identity(let key), .unknownKey(let key):
      lines = ["Cannot modify \(key). It is used to look up the record and cannot be changed."]
    case .badValue(let key, _):
      let value = isSecret ? "********" : parameter.value
      lines = ["unknown value format '\(value)' for parameter name '\(key)'", "Unknown parameter \(key)."]
    case .missing: lines = [error.description]
    }
  }
}

extension KeyedRecord {
  /// The record with other settings. Digests of CHAP that are not known are told of and left out.
  func updated(
    by parameters: [IscsiadmOptions.Parameter], _ warn: (String) -> Void
  ) throws(RecordUpdateFailure) -> Self {
    var record = self
    for var parameter in parameters {
      if parameter.name.hasSuffix("auth.chap_algs") { parameter = parameter.withKnownDigests(warn) }
      do throws(RecordError) {
        try record.set(parameter.name, to: parameter.value)
      } catch {
        let isSecret = shownKeys.contains { $0.name == parameter.name && $0.role == .secret }
        throw RecordUpdateFailure(error, parameter, isSecret: isSecret)
      }
    }
    return record
  }
}

extension IscsiadmOptions.Parameter {
  /// The list without the words that name no digest.
  fileprivate func withKnownDigests(_ warn: (String) -> Void) -> Self {
    let words = value.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    let known = words.filter { CHAPAlgorithm(name: $0) != nil }
    for word in words where !known.contains(word) {
      warn("Ignoring unknown value '\(word)' for '\(name)'")
    }
    return Self(name: name, value: known.joined(separator: ","))
  }
}
