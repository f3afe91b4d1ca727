// SPDX-License-Identifier: Apache-2.0

/// A key that is known at run time only: an index, or `super`.
enum JSONKey: CodingKey {
  case name(String)
  case index(Int)

  init(stringValue: String) { self = .name(stringValue) }
  init(intValue: Int) { self = .index(intValue) }

  var stringValue: String {
    switch self {
    case .name(let name): name
    case .index(let index): String(index)
    }
  }

  var intValue: Int? { if case .index(let index) = self { index } else { nil } }

  /// The key that Codable classes keep what they inherit under.
  static let `super` = JSONKey.name("super")
}

/// The way from the outermost value to a container, which every container in it shares.
final class JSONPath: Sendable {
  private let key: any CodingKey
  private let parent: JSONPath?

  init(_ key: any CodingKey, in parent: JSONPath?) {
    self.key = key
    self.parent = parent
  }

  /// The keys on the way, outermost first.
  var keys: [any CodingKey] { (parent?.keys ?? []) + [key] }
}

/// A place in a value: a container's path, and the key in that. It costs nothing as long as nobody asks for the path, which
/// only errors do.
struct JSONPlace: Sendable {
  private let container: JSONPath?
  private let key: (any CodingKey)?

  init(_ container: JSONPath?, _ key: any CodingKey) {
    self.container = container
    self.key = key
  }

  private init() {
    container = nil
    key = nil
  }

  /// The outermost value.
  static let root = JSONPlace()

  /// The path of a container that is here; nil for the outermost.
  var path: JSONPath? { key.map { JSONPath($0, in: container) } }

  /// The keys that lead here, outermost first.
  var codingPath: [any CodingKey] { path?.keys ?? [] }
}
