// SPDX-License-Identifier: Apache-2.0
import CJansson
import Glibc

/// Why a text is no JSON that we take, or a value cannot be printed.
public enum JSONTextError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The text breaks JSON's grammar, or is no UTF-8, at about this octet.
  case malformed(offset: Int)
  /// Something follows the value at about this octet.
  case trailingText(offset: Int)
  /// An object has a key twice.
  case duplicateKey
  /// Arrays and objects are nested deeper than `JSONText.maxDepth`.
  case tooDeep
  /// A string has a NUL, which many readers of JSON cut a text at.
  case embeddedNUL
  /// A number is out of the range of a 64 bit integer or of a double, or is not finite.
  case numberOutOfRange
  /// No memory.
  case noMemory

  /// The reason in words.
  public var description: String {
    switch self {
    case .malformed(let offset): "malformed JSON near octet \(offset)"
    case .trailingText(let offset): "text after the JSON value near octet \(offset)"
    case .duplicateKey: "an object has a key twice"
    case .tooDeep: "nested deeper than \(JSONText.maxDepth) levels"
    case .embeddedNUL: "a string has a NUL"
    case .numberOutOfRange: "a number is out of range"
    case .noMemory: "no memory"
    }
  }
}

/// JSON as text, read and printed by jansson.
public enum JSONText {
  /// How deep arrays and objects may be nested. Reading and printing recurse, on stacks of unknown size.
  public static let maxDepth = 32

  /// Reads one JSON value of any kind; blanks around it are allowed.
  ///
  /// The caller bounds the size of the text: what it is read into can take a hundred times as much memory.
  public static func parse(_ octets: [UInt8]) throws(JSONTextError) -> JSONValue {
    guard nesting(of: octets) <= maxDepth else { throw .tooDeep }
    var failure = json_error_t()
    // jansson reads the array within its count, fills `failure`, and keeps neither.
    let root = unsafe octets.withUnsafeBytes { buffer in
      unsafe json_loadb(
        buffer.baseAddress, buffer.count, Int(JSON_DECODE_ANY | JSON_REJECT_DUPLICATES), &failure)
    }
    guard let root = unsafe root else { throw JSONTextError(failure) }
    defer { unsafe json_decref(root) }
    return try unsafe value(of: root)
  }

  /// Prints a value without blanks, the members of objects in the order of their keys' octets.
  public static func print(_ value: JSONValue) throws(JSONTextError) -> [UInt8] {
    let root = try unsafe node(of: value, depth: 0)
    defer { unsafe json_decref(root) }
    guard let text = unsafe json_dumps(root, Int(JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY)) else {
      throw .noMemory
    }
    defer { unsafe free(text) }
    // The text ends with a NUL and has no other: strings with NUL were refused.
    return unsafe [UInt8](UnsafeRawBufferPointer(start: text, count: strlen(text)))
  }

  /// The deepest nesting of brackets outside strings, whether they match or not: never less than what a parser of
  /// this text has open at a time.
  private static func nesting(of octets: [UInt8]) -> Int {
    var depth = 0
    var deepest = 0
    var isInString = false
    var isEscaped = false
    for octet in octets {
      if isInString {
        if isEscaped {
          isEscaped = false
        } else if octet == UInt8(ascii: "\\") {
          isEscaped = true
        } else if octet == UInt8(ascii: "\"") {
          isInString = false
        }
        continue
      }
      switch octet {
      case UInt8(ascii: "\""): isInString = true
      case UInt8(ascii: "["), UInt8(ascii: "{"):
        depth += 1
        deepest = max(deepest, depth)
      case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
      default: break
      }
    }
    return deepest
  }

  // MARK: - From jansson's nodes

  /// The value of a node, which must live through the call. The text's nesting bounds the recursion.
  private static func value(of node: UnsafeMutablePointer<json_t>) throws(JSONTextError) -> JSONValue {
    // Each function is called for a node of its own type only; what it returns lives as long as the node.
    switch unsafe node.pointee.type {
    case JSON_OBJECT: return .object(try unsafe members(of: node))
    case JSON_ARRAY:
      var elements: [JSONValue] = []
      elements.reserveCapacity(unsafe json_array_size(node))
      for index in 0..<(unsafe json_array_size(node)) {
        guard let element = unsafe json_array_get(node, index) else { break }
        elements.append(try unsafe value(of: element))
      }
      return .array(elements)
    case JSON_STRING:
      return unsafe .string(text(json_string_value(node), count: json_string_length(node)))
    case JSON_INTEGER: return unsafe .integer(Int64(json_integer_value(node)))
    case JSON_REAL: return unsafe .number(json_real_value(node))
    case JSON_TRUE: return .bool(true)
    case JSON_FALSE: return .bool(false)
    default: return .null
    }
  }

  private static func members(
    of node: UnsafeMutablePointer<json_t>
  ) throws(JSONTextError) -> [String: JSONValue] {
    var members: [String: JSONValue] = [:]
    members.reserveCapacity(unsafe json_object_size(node))
    // The object does not change, so its iterators and keys stay valid.
    var iterator = unsafe json_object_iter(node)
    while let entry = unsafe iterator {
      let key = unsafe text(json_object_iter_key(entry), count: json_object_iter_key_len(entry))
      guard let child = unsafe json_object_iter_value(entry) else { break }
      // Keys of different octets can be the same string: Unicode has several ways to write some letters.
      guard members.updateValue(try unsafe value(of: child), forKey: key) == nil else { throw .duplicateKey }
      unsafe iterator = json_object_iter_next(node, entry)
    }
    return members
  }

  /// The string of `count` octets of UTF-8.
  private static func text(_ start: UnsafePointer<CChar>?, count: Int) -> String {
    unsafe String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
  }

  // MARK: - To jansson's nodes

  /// A new node, which the caller must release or give away.
  private static func node(
    of value: JSONValue, depth: Int
  ) throws(JSONTextError) -> UnsafeMutablePointer<json_t> {
    let made: UnsafeMutablePointer<json_t>?
    switch value {
    case .null: unsafe made = json_null()
    case .bool(let value): unsafe made = value ? json_true() : json_false()
    case .integer(let value): unsafe made = json_integer(json_int_t(value))
    case .number(let value):
      guard value.isFinite else { throw .numberOutOfRange }
      unsafe made = json_real(value)
    case .string(let value):
      // Lent to the calls as a C string, which the count of its octets must agree with; jansson copies it, and need not check
      // that it is UTF-8.
      guard unsafe strlen(value) == value.utf8.count else { throw .embeddedNUL }
      unsafe made = json_stringn_nocheck(value, value.utf8.count)
    case .array(let elements): return try unsafe node(of: elements, depth: depth + 1)
    case .object(let members): return try unsafe node(of: members, depth: depth + 1)
    }
    guard let made = unsafe made else { throw .noMemory }
    return unsafe made
  }

  private static func node(
    of elements: [JSONValue], depth: Int
  ) throws(JSONTextError) -> UnsafeMutablePointer<json_t> {
    guard depth <= maxDepth else { throw .tooDeep }
    guard let array = unsafe json_array() else { throw .noMemory }
    do throws(JSONTextError) {
      for element in elements {
        // The array takes the element over, and releases it if there is no room.
        guard unsafe json_array_append_new(array, try node(of: element, depth: depth)) == 0 else { throw .noMemory }
      }
      return unsafe array
    } catch {
      unsafe json_decref(array)
      throw error
    }
  }

  private static func node(
    of members: [String: JSONValue], depth: Int
  ) throws(JSONTextError) -> UnsafeMutablePointer<json_t> {
    guard depth <= maxDepth else { throw .tooDeep }
    guard let object = unsafe json_object() else { throw .noMemory }
    do throws(JSONTextError) {
      for (key, member) in members {
        guard unsafe strlen(key) == key.utf8.count else { throw .embeddedNUL }
        // The object takes the member over, and releases it if there is no room. It copies the key, which ends with
        // its only NUL, and need not check that it is UTF-8.
        guard unsafe json_object_set_new_nocheck(object, key, try node(of: member, depth: depth)) == 0 else {
          throw .noMemory
        }
      }
      return unsafe object
    } catch {
      unsafe json_decref(object)
      throw error
    }
  }
}

extension JSONTextError {
  /// What jansson did not like.
  init(_ failure: json_error_t) {
    let offset = max(0, Int(failure.position))
    // The structure is lent to the call, which reads the code that its text ends with.
    let code = unsafe withUnsafePointer(to: failure) { unsafe json_error_code($0) }
    self =
      switch code {
      case json_error_duplicate_key: .duplicateKey
      case json_error_end_of_input_expected: .trailingText(offset: offset)
      case json_error_null_character, json_error_null_byte_in_key: .embeddedNUL
      case json_error_numeric_overflow: .numberOutOfRange
      case json_error_stack_overflow: .tooDeep
      case json_error_out_of_memory: .noMemory
      default: .malformed(offset: offset)
      }
  }
}
