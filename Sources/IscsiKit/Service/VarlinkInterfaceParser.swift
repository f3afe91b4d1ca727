// SPDX-License-Identifier: Apache-2.0

/// Why a text is no interface description.
public struct VarlinkInterfaceError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong.
  public enum Problem: Hashable, Sendable {
    /// This is needed here: "a type", "`->`".
    case expected(String)
    /// A name that is not formed as it must be.
    case badName(String)
    /// The name stands for something already.
    case duplicate(String)
    /// No type has this name.
    case unknownType(String)
    /// Types are nested deeper than 32 levels.
    case tooDeep
  }

  /// The line, from 1.
  public let line: Int
  /// What is wrong there.
  public let problem: Problem

  /// `line 3: a type is expected`.
  public var description: String {
    switch problem {
    case .expected(let what): "line \(line): \(what) is expected"
    case .badName(let name): "line \(line): \(name) is no name for this"
    case .duplicate(let name): "line \(line): \(name) is there already"
    case .unknownType(let name): "line \(line): there is no type \(name)"
    case .tooDeep: "line \(line): types are nested too deep"
    }
  }
}

extension VarlinkInterface {
  /// Reads a description.
  ///
  /// - Parameter text: The description.
  /// - Throws: What is wrong with the text, and in which line.
  public init(_ text: String) throws(VarlinkInterfaceError) {
    var parser = VarlinkInterfaceParser(text)
    self = try parser.parse()
  }
}

/// A parser of one description, by recursive descent with a limit.
private struct VarlinkInterfaceParser {
  private static let maxDepth = 32

  private let octets: [UInt8]
  private var position = 0
  private var line = 1
  /// Names that were used as types, and where, to be looked up in the end.
  private var references: [(name: String, line: Int)] = []

  private var types: [String: VarlinkType] = [:]
  private var methods: [String: VarlinkInterface.Method] = [:]
  private var errors: [String: VarlinkType] = [:]

  init(_ text: String) { octets = Array(text.utf8) }

  mutating func parse() throws(VarlinkInterfaceError) -> VarlinkInterface {
    guard word() == "interface" else { throw failure(.expected("the word interface")) }
    let name = characters { Self.isLetterOrDigit($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    guard Self.isInterfaceName(name) else { throw failure(.badName(name)) }
    skipBlanks()
    while position < octets.count {
      try parseMember()
      skipBlanks()
    }
    for reference in references where types[reference.name] == nil {
      throw VarlinkInterfaceError(line: reference.line, problem: .unknownType(reference.name))
    }
    return VarlinkInterface(name: name, types: types, methods: methods, errors: errors)
  }

  private mutating func parseMember() throws(VarlinkInterfaceError) {
    switch word() {
    case "type":
      let name = try newMemberName()
      types[name] = try parseStructureOrEnumeration(depth: 0)
    case "method":
      let name = try newMemberName()
      let input = try parseStructure()
      guard take("->") else { throw failure(.expected("`->`")) }
      methods[name] = VarlinkInterface.Method(input: input, output: try parseStructure())
    case "error":
      let name = try newMemberName()
      errors[name] = try parseStructure()
    default: throw failure(.expected("one of the words type, method and error"))
    }
  }

  private mutating func newMemberName() throws(VarlinkInterfaceError) -> String {
    let name = word()
    guard Self.isTypeName(name) else { throw failure(.badName(name)) }
    guard types[name] == nil, methods[name] == nil, errors[name] == nil else { throw failure(.duplicate(name)) }
    return name
  }

  // MARK: - Types

  private mutating func parseType(depth: Int, mayBeOptional: Bool = true) throws(VarlinkInterfaceError) -> VarlinkType {
    guard depth < Self.maxDepth else { throw failure(.tooDeep) }
    if mayBeOptional, take("?") { return .optional(try parseType(depth: depth + 1, mayBeOptional: false)) }
    if take("[]") { return .array(try parseType(depth: depth + 1)) }
    if take("[string]") { return .dictionary(try parseType(depth: depth + 1)) }
    if isNext("(") { return try parseStructureOrEnumeration(depth: depth + 1) }
    switch word() {
    case "bool": return .bool
    case "int": return .int
    case "float": return .float
    case "string": return .string
    case "object": return .object
    case "any": return .any
    case let name where Self.isTypeName(name):
      references.append((name, line))
      return .named(name)
    default: throw failure(.expected("a type"))
    }
  }

  private mutating func parseStructure() throws(VarlinkInterfaceError) -> VarlinkType {
    let type = try parseStructureOrEnumeration(depth: 0)
    guard case .structure = type else { throw failure(.expected("a structure")) }
    return type
  }

  /// `()`, `(name: type, ...)` or `(word, ...)`; the first colon or its lack decides.
  private mutating func parseStructureOrEnumeration(depth: Int) throws(VarlinkInterfaceError) -> VarlinkType {
    guard depth < Self.maxDepth else { throw failure(.tooDeep) }
    guard take("(") else { throw failure(.expected("`(`")) }
    if take(")") { return .structure([]) }
    var names: Set<String> = []
    var order: [String] = []
    var fields: [VarlinkField] = []
    repeat {
      let name = word()
      guard Self.isFieldName(name) else { throw failure(.badName(name)) }
      guard names.insert(name).inserted else { throw failure(.duplicate(name)) }
      order.append(name)
      if order.count == 1 || !fields.isEmpty, take(":") {
        fields.append(VarlinkField(name: name, type: try parseType(depth: depth + 1)))
      } else if !fields.isEmpty {
        throw failure(.expected("`:`"))
      }
    } while take(",")
    guard take(")") else { throw failure(.expected("`)`")) }
    return fields.isEmpty ? .enumeration(order) : .structure(fields)
  }

  // MARK: - Tokens

  private mutating func skipBlanks() {
    while position < octets.count {
      switch octets[position] {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): position += 1
      case UInt8(ascii: "\n"):
        position += 1
        line += 1
      case UInt8(ascii: "#"):
        while position < octets.count, octets[position] != UInt8(ascii: "\n") { position += 1 }
      default: return
      }
    }
  }

  private mutating func word() -> String { characters { Self.isLetterOrDigit($0) || $0 == UInt8(ascii: "_") } }

  /// The longest text of such octets, which are ASCII, after blanks; empty if there is none.
  private mutating func characters(_ isPart: (UInt8) -> Bool) -> String {
    skipBlanks()
    let text = octets[position...].prefix(while: isPart)
    position = text.endIndex
    return String(decoding: text, as: UTF8.self)
  }

  private mutating func isNext(_ token: String) -> Bool {
    skipBlanks()
    return octets[position...].starts(with: token.utf8)
  }

  private mutating func take(_ token: String) -> Bool {
    guard isNext(token) else { return false }
    position += token.utf8.count
    return true
  }

  private func failure(_ problem: VarlinkInterfaceError.Problem) -> VarlinkInterfaceError {
    VarlinkInterfaceError(line: line, problem: problem)
  }

  // MARK: - Names

  private static func isLetter(_ octet: UInt8) -> Bool {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(octet) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(octet)
  }

  private static func isLetterOrDigit(_ octet: UInt8) -> Bool {
    isLetter(octet) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(octet)
  }

  /// At least two parts with dots between them; parts do not begin or end with a dash, the first one begins with a
  /// letter.
  private static func isInterfaceName(_ name: String) -> Bool {
    let parts = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return parts.count > 1 && name.utf8.first.map(isLetter) == true
      && parts.allSatisfy { part in
        part.first.map(isLetterOrDigit) == true && part.last.map(isLetterOrDigit) == true
      }
  }

  private static func isTypeName(_ name: String) -> Bool {
    name.utf8.first.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) } == true && !name.contains("_")
  }

  /// Begins with a letter; an underscore stands between letters or digits only.
  private static func isFieldName(_ name: String) -> Bool {
    name.utf8.first.map(isLetter) == true && name.utf8.last != UInt8(ascii: "_") && !name.contains("__")
  }
}
