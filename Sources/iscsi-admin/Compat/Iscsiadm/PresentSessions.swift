// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// The sessions that there are, as records of nodes stand for them: the name of a host counts as its addresses.
struct PresentSessions {
  private let sessions: [String?: [SessionSnapshot]]
  private let names = HostNames()

  /// Of these sessions.
  init(_ sessions: [SessionSnapshot]) {
    self.sessions = Dictionary(grouping: sessions, by: \.targetName)
  }

  /// How many sessions a record stands for. A name is looked up only where a session of the target may be meant; one that has no
  /// address stands for none.
  func count(of record: NodeRecord) -> Int {
    candidates(of: record, unknownNames: false).count
  }

  /// Whether a session may be that of a record. A name that has no address now may have had the session's before: what is deleted
  /// by mistake is gone.
  func mayUse(_ record: NodeRecord) -> Bool { !candidates(of: record, unknownNames: true).isEmpty }

  /// The sessions that a record stands for, or may stand for if names without an address count as the host that is asked for.
  private func candidates(of record: NodeRecord, unknownNames areMeant: Bool) -> [SessionSnapshot] {
    guard let sessions = sessions[record.target.description] else { return [] }
    var selection = NodeSelection(record)
    selection.nodes.isSameHost = { [names] in names.areSame($0, $1) ?? areMeant }
    return sessions.filter(selection.includes)
  }

  /// Looks up the names that records of the sessions' targets have, as far as a filter lets them through. A name server that does not
  /// answer must not keep others from the database, so it is asked before a change begins.
  func lookUpNames(in machine: RecordMachine, _ filter: RecordDatabase.NodeFilter) throws(IscsiadmError) {
    for target in sessions.keys.compactMap({ $0.flatMap { try? TargetName($0) } }) {
      var filter = filter
      guard filter.target == nil || filter.target == target else { continue }
      filter.target = target
      let wanted = filter
      let found = try machine.reading { () throws(DatabaseError) in try machine.database.nodes(wanted).records }
      for stored in found { _ = mayUse(stored.record) }
    }
  }

  /// The same of several records, by what makes their sessions the same.
  func counts(of records: [NodeRecord]) -> [SessionKey: Int] {
    records.reduce(into: [:]) { counts, record in
      let key = SessionKey(record)
      if counts[key] == nil { counts[key] = count(of: record) }
    }
  }
}
