// SPDX-License-Identifier: Apache-2.0

/// A type of Varlink's interface description language (varlink.org, "Interface Definition").
public indirect enum VarlinkType: Hashable, Sendable {
  /// `bool`
  case bool
  /// `int`: 64 bits with sign.
  case int
  /// `float`: a double.
  case float
  /// `string`
  case string
  /// `object`: an object of any members.
  case object
  /// `any`: any value.
  case any
  /// A type of the interface by its name.
  case named(String)
  /// `(name: type, ...)`
  case structure([VarlinkField])
  /// `(a, b)`: one of these strings.
  case enumeration([String])
  /// `?type`: may be missing or null.
  case optional(VarlinkType)
  /// `[]type`
  case array(VarlinkType)
  /// `[string]type`: an object of any keys.
  case dictionary(VarlinkType)
}

/// A member of a structure.
public struct VarlinkField: Hashable, Sendable {
  /// Its name.
  public let name: String
  /// Its type.
  public let type: VarlinkType

  /// A field from its parts.
  public init(name: String, type: VarlinkType) {
    self.name = name
    self.type = type
  }
}

/// An interface: what the description language can say, without the comments.
public struct VarlinkInterface: Hashable, Sendable {
  /// The parameters of a method, as structures.
  public struct Method: Hashable, Sendable {
    /// The input parameters.
    public let input: VarlinkType
    /// The output parameters.
    public let output: VarlinkType
  }

  /// The name: `org.varlink.service`.
  public let name: String
  /// The types by their names; structures and enumerations.
  public let types: [String: VarlinkType]
  /// The methods by their names.
  public let methods: [String: Method]
  /// The parameters of the errors by the errors' names, as structures.
  public let errors: [String: VarlinkType]

  init(
    name: String, types: [String: VarlinkType], methods: [String: Method], errors: [String: VarlinkType]
  ) {
    self.name = name
    self.types = types
    self.methods = methods
    self.errors = errors
  }
}

/// Where a value does not fit a type.
public struct VarlinkMismatch: Error, Hashable, Sendable, CustomStringConvertible {
  /// The keys and indices that lead to the value, outermost first.
  public let path: [String]
  /// What is wrong there.
  public let problem: String

  /// `logins.2.portal: must be a string, not null`.
  public var description: String { "\(path.isEmpty ? "the value" : path.joined(separator: ".")): \(problem)" }
}

extension VarlinkInterface {
  /// Checks that a value is of a type.
  ///
  /// - Parameters:
  ///   - value: The value.
  ///   - type: The type; names in it are those of this interface.
  ///   - allowsUnknown: Whether structures may have members that the type does not name.
  /// - Throws: The first place where it is not.
  public func validate(
    _ value: JSONValue, against type: VarlinkType, allowsUnknown: Bool = false
  ) throws(VarlinkMismatch) {
    try Check(interface: self, allowsUnknown: allowsUnknown).check(value, type, [])
  }
}

/// Walks down a value and a type. The value's depth bounds the recursion: only `?` and names take no step into it,
/// `?` cannot stand before another, and a name stands for a structure or an enumeration.
private struct Check {
  let interface: VarlinkInterface
  let allowsUnknown: Bool

  func check(_ value: JSONValue, _ type: VarlinkType, _ path: [String]) throws(VarlinkMismatch) {
    switch (type, value) {
    case (.any, _), (.bool, .bool), (.int, .integer), (.float, .number), (.float, .integer), (.string, .string),
      (.object, .object), (.optional, .null):
      return
    case (.optional(let type), _): try check(value, type, path)
    case (.named(let name), _):
      guard let type = interface.types[name] else { throw VarlinkMismatch(path: path, problem: "no type \(name)") }
      try check(value, type, path)
    case (.array(let type), .array(let elements)):
      for (index, element) in elements.enumerated() { try check(element, type, path + ["\(index)"]) }
    case (.dictionary(let type), .object(let members)):
      for (key, member) in members { try check(member, type, path + [key]) }
    case (.structure(let fields), .object(let members)): try check(members, fields, path)
    case (.enumeration(let words), .string(let word)):
      guard words.contains(word) else {
        throw VarlinkMismatch(path: path, problem: "must be one of \(words.joined(separator: ", "))")
      }
    default:
      throw VarlinkMismatch(path: path, problem: "must be \(Self.words(for: type)), not \(value.kind)")
    }
  }

  private func check(
    _ members: [String: JSONValue], _ fields: [VarlinkField], _ path: [String]
  ) throws(VarlinkMismatch) {
    for field in fields {
      if let member = members[field.name] {
        try check(member, field.type, path + [field.name])
      } else {
        guard case .optional = field.type else {
          throw VarlinkMismatch(path: path + [field.name], problem: "is missing")
        }
      }
    }
    guard !allowsUnknown else { return }
    let known = Set(fields.map(\.name))
    if let unknown = members.keys.filter({ !known.contains($0) }).min() {
      throw VarlinkMismatch(path: path + [unknown], problem: "is not in the interface")
    }
  }

  private static func words(for type: VarlinkType) -> String {
    switch type {
    case .bool: "a boolean"
    case .int: "an integer"
    case .float: "a number"
    case .string, .enumeration: "a string"
    case .array: "an array"
    case .object, .structure, .dictionary: "an object"
    case .any, .named, .optional: "a value"
    }
  }
}
