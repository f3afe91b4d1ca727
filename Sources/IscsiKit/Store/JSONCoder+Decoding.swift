// SPDX-License-Identifier: Apache-2.0

/// Turns JSON values into Codable values. Keys that the type does not know are ignored; null is as good as missing for
/// a property that may be nil.
public struct JSONValueDecoder: Sendable {
  /// A decoder; it has no options.
  public init() {}

  /// Reads a value from its JSON form.
  ///
  /// - Parameters:
  ///   - type: The type of the value.
  ///   - value: The JSON form.
  /// - Returns: The value.
  /// - Throws: What does not fit, and where.
  public func decode<Value: Decodable>(
    _ type: Value.Type = Value.self, from value: JSONValue
  ) throws(JSONCodingError) -> Value {
    do {
      return try ValueDecoder(value: value, place: .root).decode(type)
    } catch {
      throw JSONCodingError(error)
    }
  }
}

private struct ValueDecoder: Decoder {
  let value: JSONValue
  let place: JSONPlace
  var codingPath: [any CodingKey] { place.codingPath }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard case .object(let members) = value else { throw mismatch(type, "an object") }
    return KeyedDecodingContainer(KeyedValues(members: members, path: place.path))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    guard case .array(let elements) = value else { throw mismatch([JSONValue].self, "an array") }
    return UnkeyedValues(elements: elements, path: place.path)
  }

  func singleValueContainer() -> any SingleValueDecodingContainer { self }

  private func mismatch(_ type: Any.Type, _ wanted: String) -> DecodingError {
    let context = DecodingError.Context(
      codingPath: codingPath, debugDescription: "must be \(wanted), not \(value.kind)")
    return decodeNil() ? .valueNotFound(type, context) : .typeMismatch(type, context)
  }
}

extension ValueDecoder: SingleValueDecodingContainer {
  func decodeNil() -> Bool { if case .null = value { true } else { false } }

  func decode(_ type: Bool.Type) throws -> Bool {
    guard case .bool(let value) = value else { throw mismatch(type, "a boolean") }
    return value
  }

  func decode(_ type: String.Type) throws -> String {
    guard case .string(let value) = value else { throw mismatch(type, "a string") }
    return value
  }

  func decode(_ type: Double.Type) throws -> Double {
    switch value {
    case .number(let value): return value
    case .integer(let value): return Double(value)
    default: throw mismatch(type, "a number")
    }
  }

  func decode(_ type: Float.Type) throws -> Float { Float(try decode(Double.self)) }
  func decode(_ type: Int.Type) throws -> Int { try decode(integer: type) }
  func decode(_ type: Int8.Type) throws -> Int8 { try decode(integer: type) }
  func decode(_ type: Int16.Type) throws -> Int16 { try decode(integer: type) }
  func decode(_ type: Int32.Type) throws -> Int32 { try decode(integer: type) }
  func decode(_ type: Int64.Type) throws -> Int64 { try decode(integer: type) }
  func decode(_ type: UInt.Type) throws -> UInt { try decode(integer: type) }
  func decode(_ type: UInt8.Type) throws -> UInt8 { try decode(integer: type) }
  func decode(_ type: UInt16.Type) throws -> UInt16 { try decode(integer: type) }
  func decode(_ type: UInt32.Type) throws -> UInt32 { try decode(integer: type) }
  func decode(_ type: UInt64.Type) throws -> UInt64 { try decode(integer: type) }

  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    // It is a value itself, and its own Codable conformance has another form. The types are compared first, which is cheap.
    if type == JSONValue.self, let value = value as? Value { value } else { try Value(from: self) }
  }

  private func decode<Integer: FixedWidthInteger>(integer type: Integer.Type) throws -> Integer {
    guard case .integer(let value) = value else { throw mismatch(type, "an integer") }
    guard let integer = Integer(exactly: value) else {
      throw DecodingError.dataCorrupted(
        DecodingError.Context(
          codingPath: codingPath, debugDescription: "must be from \(Integer.min) to \(Integer.max), not \(value)"))
    }
    return integer
  }
}

/// The members of an object. A function for each plain type, since the one for all types has the value make a container to read
/// itself from, which costs more than the value.
private struct KeyedValues<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let members: [String: JSONValue]
  let path: JSONPath?
  var codingPath: [any CodingKey] { path?.keys ?? [] }

  var allKeys: [Key] { members.keys.compactMap(Key.init(stringValue:)) }
  func contains(_ key: Key) -> Bool { members[key.stringValue] != nil }

  private func decoder(for key: any CodingKey) throws -> ValueDecoder {
    guard let value = members[key.stringValue] else {
      throw DecodingError.keyNotFound(
        key, DecodingError.Context(codingPath: codingPath, debugDescription: "is missing"))
    }
    return ValueDecoder(value: value, place: JSONPlace(path, key))
  }

  /// The decoder of a member that is there and not null.
  private func present(_ key: Key) -> ValueDecoder? {
    guard let value = members[key.stringValue] else { return nil }
    if case .null = value { return nil }
    return ValueDecoder(value: value, place: JSONPlace(path, key))
  }

  func decodeNil(forKey key: Key) throws -> Bool { try decoder(for: key).decodeNil() }
  func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try decoder(for: key).decode(type) }
  func decode(_ type: String.Type, forKey key: Key) throws -> String { try decoder(for: key).decode(type) }
  func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try decoder(for: key).decode(type) }
  func decode(_ type: Float.Type, forKey key: Key) throws -> Float { try decoder(for: key).decode(type) }
  func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try decoder(for: key).decode(type) }
  func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try decoder(for: key).decode(type) }
  func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { try decoder(for: key).decode(type) }
  func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { try decoder(for: key).decode(type) }
  func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try decoder(for: key).decode(type) }
  func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try decoder(for: key).decode(type) }
  func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { try decoder(for: key).decode(type) }
  func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { try decoder(for: key).decode(type) }
  func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { try decoder(for: key).decode(type) }
  func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { try decoder(for: key).decode(type) }
  func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
    try decoder(for: key).decode(type)
  }

  func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? { try present(key)?.decode(type) }
  func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? { try present(key)?.decode(type) }
  func decodeIfPresent(_ type: Double.Type, forKey key: Key) throws -> Double? { try present(key)?.decode(type) }
  func decodeIfPresent(_ type: Float.Type, forKey key: Key) throws -> Float? { try present(key)?.decode(type) }
  func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? { try present(key)?.decode(type) }
  func decodeIfPresent(_ type: Int8.Type, forKey key: Key) throws -> Int8? { try present(key)?.decode(type) }
  func decodeIfPresent(_ type: Int16.Type, forKey key: Key) throws -> Int16? { try present(key)?.decode(type) }
  func decodeIfPresent(_ type: Int32.Type, forKey key: Key) throws -> Int32? { try present(key)?.decode(type) }
  func decodeIfPresent(_ type: Int64.Type, forKey key: Key) throws -> Int64? { try present(key)?.decode(type) }
  func decodeIfPresent(_ type: UInt.Type, forKey key: Key) throws -> UInt? { try present(key)?.decode(type) }
  func decodeIfPresent(_ type: UInt8.Type, forKey key: Key) throws -> UInt8? { try present(key)?.decode(type) }
  func decodeIfPresent(_ type: UInt16.Type, forKey key: Key) throws -> UInt16? { try present(key)?.decode(type) }
  func decodeIfPresent(_ type: UInt32.Type, forKey key: Key) throws -> UInt32? { try present(key)?.decode(type) }
  func decodeIfPresent(_ type: UInt64.Type, forKey key: Key) throws -> UInt64? { try present(key)?.decode(type) }
  func decodeIfPresent<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value? {
    try present(key)?.decode(type)
  }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<Nested> {
    try decoder(for: key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try decoder(for: key).unkeyedContainer()
  }

  func superDecoder() throws -> any Decoder { try decoder(for: JSONKey.super) }
  func superDecoder(forKey key: Key) throws -> any Decoder { try decoder(for: key) }
}

private struct UnkeyedValues: UnkeyedDecodingContainer {
  let elements: [JSONValue]
  let path: JSONPath?
  var codingPath: [any CodingKey] { path?.keys ?? [] }
  var currentIndex = 0
  var count: Int? { elements.count }
  var isAtEnd: Bool { currentIndex >= elements.count }

  /// Hands out the next element; the index moves on only if `body` succeeds, as Codable demands.
  private mutating func next<Value>(_ body: (ValueDecoder) throws -> Value) throws -> Value {
    let place = JSONPlace(path, JSONKey.index(currentIndex))
    guard !isAtEnd else {
      throw DecodingError.valueNotFound(
        Value.self, DecodingError.Context(codingPath: place.codingPath, debugDescription: "is missing"))
    }
    let value = try body(ValueDecoder(value: elements[currentIndex], place: place))
    currentIndex += 1
    return value
  }

  mutating func decodeNil() throws -> Bool {
    guard !isAtEnd, case .null = elements[currentIndex] else { return false }
    currentIndex += 1
    return true
  }

  mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try next { try $0.decode(type) } }

  mutating func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type
  ) throws -> KeyedDecodingContainer<Nested> {
    try next { try $0.container(keyedBy: type) }
  }

  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    try next { try $0.unkeyedContainer() }
  }

  mutating func superDecoder() throws -> any Decoder { try next { $0 } }
}
