// SPDX-License-Identifier: Apache-2.0

/// A session that is to be made by the record of a node.
public struct NodeLogin: Hashable, Sendable {
  /// The record.
  public let record: NodeRecord
  /// How many sessions of the record's target, portal and interface there may be with it.
  public let sessionCount: Int

  /// A login that is made unless there are so many sessions.
  public init(record: NodeRecord, sessionCount: Int) {
    self.record = record
    self.sessionCount = min(max(sessionCount, 1), LoginDescription.sessionLimit)
  }

  /// The login.
  public var description: LoginDescription {
    get throws(LoginDescriptionError) {
      var description = try LoginDescription(record)
      description.sessionCount = sessionCount
      return description
    }
  }
}

/// What a record's number of sessions (`node.session.nr_sessions`) comes to beside those that there are.
public struct NodeLoginPlan: Hashable, Sendable {
  /// The record.
  public let record: NodeRecord
  /// How many sessions there are.
  public let present: Int
  /// A login for each session that is missing.
  public internal(set) var logins: [NodeLogin]

  /// Plans the logins of records, in their order.
  ///
  /// Records of one portal that differ in their tags stand for the same sessions: where a record may have several, each of them
  /// gets its own.
  ///
  /// - Parameters:
  ///   - records: The records.
  ///   - sessions: How many sessions there are of each target, portal and interface.
  /// - Returns: A plan for each record.
  public static func plans(for records: [NodeRecord], beside sessions: [SessionKey: Int] = [:]) -> [NodeLoginPlan] {
    var planned = sessions
    let missing = records.map { record in
      let key = SessionKey(record)
      let count = max(min(Int(record.sessionCount), LoginDescription.sessionLimit) - (sessions[key] ?? 0), 0)
      planned[key, default: 0] += count
      return count
    }
    return zip(records, missing).map { record, count in
      let key = SessionKey(record)
      let limit = record.sessionCount == 1 ? 1 : planned[key] ?? count
      let login = NodeLogin(record: record, sessionCount: limit)
      return NodeLoginPlan(
        record: record, present: sessions[key] ?? 0, logins: Array(repeating: login, count: count))
    }
  }
}
