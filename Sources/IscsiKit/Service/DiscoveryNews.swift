// SPDX-License-Identifier: Apache-2.0

/// What repeated discoveries have told of what, so that it is told once for as long as it lasts. Nothing is kept of what is
/// no more: a value, without I/O.
struct DiscoveryNews: Sendable {
  /// What something is told of.
  enum Subject: Hashable, Sendable {
    /// The records of discoveries.
    case records
    /// The list of targets that are never logged out of.
    case exclusions
    /// A discovery.
    case discovery(DiscoverySchedule.Key)
    /// The removal of the records of a discovery's nodes.
    case removal(DiscoverySchedule.Key)
    /// A node of a discovery, by its name in messages.
    case node(String, DiscoverySchedule.Key)

    fileprivate var key: DiscoverySchedule.Key? {
      switch self {
      case .records, .exclusions: nil
      case .discovery(let key), .removal(let key), .node(_, let key): key
      }
    }
  }

  private var told: [Subject: String] = [:]

  /// How much is remembered.
  var count: Int { told.count }

  /// Whether something was told of a subject that lasts.
  func has(_ subject: Subject) -> Bool { told[subject] != nil }

  /// Whether a text is not what was told of the subject last, which it is from now on. An empty one is that nothing is
  /// wrong any more, and never news.
  mutating func isNews(_ text: String, of subject: Subject) -> Bool {
    let isNew = told[subject] != text
    told[subject] = text.isEmpty ? nil : text
    return isNew && !text.isEmpty
  }

  /// Forgets what was told of a subject.
  mutating func forget(_ subject: Subject) { told[subject] = nil }

  /// Forgets what was told of a discovery and of its nodes.
  mutating func forget(_ key: DiscoverySchedule.Key) { told = told.filter { $0.key.key != key } }

  /// Forgets what was told of those nodes of a discovery that are not among these.
  mutating func keep(nodes: Set<String>, of key: DiscoverySchedule.Key) {
    told = told.filter { subject, _ in
      if case .node(let name, key) = subject { nodes.contains(name) } else { true }
    }
  }
}
