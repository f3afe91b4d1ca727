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

  /// How many sessions a record stands for. A name is looked up only where a session of the target may be meant.
  func count(of record: NodeRecord) -> Int {
    guard let candidates = sessions[record.target.description] else { return 0 }
    var selection = NodeSelection(record)
    selection.nodes.isSameHost = { [names] in names.areSame($0, $1) }
    return candidates.count(where: selection.includes)
  }

  /// The same of several records, by what makes their sessions the same.
  func counts(of records: [NodeRecord]) -> [SessionKey: Int] {
    records.reduce(into: [:]) { counts, record in
      let key = SessionKey(record)
      if counts[key] == nil { counts[key] = count(of: record) }
    }
  }
}
