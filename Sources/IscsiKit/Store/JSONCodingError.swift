// SPDX-License-Identifier: Apache-2.0

/// Why a Swift value and a JSON value do not fit each other, and where.
public struct JSONCodingError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong at the path.
  public enum Problem: Hashable, Sendable, CustomStringConvertible {
    /// Something that must be there is not, or is null.
    case missing
    /// The value is of another kind than the one that is needed; in words.
    case wrongKind(String)
    /// The value is of the right kind, but not one of those that are allowed; in words.
    case badValue(String)

    /// The problem in words.
    public var description: String {
      switch self {
      case .missing: "is missing"
      case .wrongKind(let text), .badValue(let text): text
      }
    }
  }

  /// The keys and indices that lead to the value, outermost first: `["logins", "2", "portal"]`.
  public let path: [String]
  /// What is wrong there.
  public let problem: Problem

  /// An error from its parts.
  public init(path: [String], problem: Problem) {
    self.path = path
    self.problem = problem
  }

  /// `logins.2.portal: is missing`.
  public var description: String { "\(path.isEmpty ? "the value" : path.joined(separator: ".")): \(problem)" }
}

extension JSONCodingError {
  /// What a `Decodable` threw.
  init(_ error: any Error) {
    switch error {
    case DecodingError.keyNotFound(let key, let context):
      self.init(context.codingPath + [key], .missing)
    case DecodingError.valueNotFound(_, let context):
      self.init(context.codingPath, .missing)
    case DecodingError.typeMismatch(_, let context):
      self.init(context.codingPath, .wrongKind(Self.words(context.debugDescription)))
    case DecodingError.dataCorrupted(let context):
      self.init(context.codingPath, .badValue(Self.words(context.debugDescription)))
    case EncodingError.invalidValue(_, let context):
      self.init(context.codingPath, .badValue(Self.words(context.debugDescription)))
    default:
      // The words of another type's own error.
      self.init([], .badValue(Self.words("\(error)")))
    }
  }

  /// The standard library quotes a value that is none of an enumeration's, however long it is.
  private static func words(_ text: String) -> String { String(text.prefix(200)) }

  private init(_ path: [any CodingKey], _ problem: Problem) {
    self.init(path: path.map { $0.intValue.map(String.init) ?? $0.stringValue }, problem: problem)
  }
}
