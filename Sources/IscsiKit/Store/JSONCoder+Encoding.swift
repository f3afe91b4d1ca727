// SPDX-License-Identifier: Apache-2.0

/// Turns Codable values into JSON values. Properties that are nil are left out.
public struct JSONValueEncoder: Sendable {
  /// An encoder; it has no options.
  public init() {}

  /// The JSON form of a value.
  ///
  /// - Parameter value: The value.
  /// - Returns: The JSON value; null if `value` encodes nothing.
  /// - Throws: Which number JSON cannot say, and where: one beyond 64 signed bits, or one that is not finite.
  public func encode(_ value: some Encodable) throws(JSONCodingError) -> JSONValue {
    let node = JSONNode()
    do {
      try value.encode(to: NodeEncoder(node: node, place: .root))
    } catch {
      throw JSONCodingError(error)
    }
    return node.value
  }
}

/// A place in the value that is being encoded. Containers of one place are views of one node, as Codable demands.
private final class JSONNode {
  /// What is in a container: most of it is plain, and needs no node.
  enum Item {
    case plain(JSONValue)
    case node(JSONNode)

    var value: JSONValue {
      switch self {
      case .plain(let value): value
      case .node(let node): node.value
      }
    }
  }

  private var plain = JSONValue.null
  private var members: [(key: String, item: Item)]?
  private var elements: [Item]?

  var value: JSONValue {
    if let members {
      var object: [String: JSONValue] = [:]
      object.reserveCapacity(members.count)
      for (key, item) in members { object[key] = item.value }
      return .object(object)
    }
    return elements.map { .array($0.map(\.value)) } ?? plain
  }

  var count: Int { elements?.count ?? 0 }

  func set(_ value: JSONValue) {
    plain = value
    (members, elements) = (nil, nil)
  }

  /// Makes the node an object, so that one without members is not null.
  func becomeObject() { if members == nil { (members, elements) = ([], nil) } }
  func becomeArray() { if elements == nil { (members, elements) = (nil, []) } }

  /// Adds a member; of a key that is added twice, the last one counts.
  func add(_ item: Item, for key: String) {
    becomeObject()
    members?.append((key, item))
  }

  func append(_ item: Item) {
    becomeArray()
    elements?.append(item)
  }
}

private struct NodeEncoder: Encoder {
  let node: JSONNode
  let place: JSONPlace
  var codingPath: [any CodingKey] { place.codingPath }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    node.becomeObject()
    return KeyedEncodingContainer(KeyedNodes<Key>(node: node, path: place.path))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    node.becomeArray()
    return UnkeyedNodes(node: node, path: place.path)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { self }
}

extension NodeEncoder: SingleValueEncodingContainer {
  func encodeNil() { node.set(.null) }
  func encode(_ value: Bool) { node.set(.bool(value)) }
  func encode(_ value: String) { node.set(.string(value)) }
  func encode(_ value: Double) throws { node.set(try .finite(value, at: place)) }
  func encode(_ value: Float) throws { try encode(Double(value)) }
  func encode(_ value: Int) throws { node.set(try .integer(value, at: place)) }
  func encode(_ value: Int8) throws { node.set(try .integer(value, at: place)) }
  func encode(_ value: Int16) throws { node.set(try .integer(value, at: place)) }
  func encode(_ value: Int32) throws { node.set(try .integer(value, at: place)) }
  func encode(_ value: Int64) throws { node.set(try .integer(value, at: place)) }
  func encode(_ value: UInt) throws { node.set(try .integer(value, at: place)) }
  func encode(_ value: UInt8) throws { node.set(try .integer(value, at: place)) }
  func encode(_ value: UInt16) throws { node.set(try .integer(value, at: place)) }
  func encode(_ value: UInt32) throws { node.set(try .integer(value, at: place)) }
  func encode(_ value: UInt64) throws { node.set(try .integer(value, at: place)) }

  func encode<Value: Encodable>(_ value: Value) throws {
    if let value = JSONValue(asIs: value) { node.set(value) } else { try value.encode(to: self) }
  }
}

extension JSONValue {
  /// A value that is JSON itself, whose own Codable conformance has another form.
  fileprivate init?<Value: Encodable>(asIs value: Value) {
    // Comparing types first is what makes this cheap for all others.
    guard Value.self == JSONValue.self, let value = value as? JSONValue else { return nil }
    self = value
  }

  fileprivate static func integer(_ value: some BinaryInteger, at place: JSONPlace) throws -> JSONValue {
    guard let integer = Int64(exactly: value) else { throw failure(value, "is out of range: \(value)", place) }
    return .integer(integer)
  }

  fileprivate static func finite(_ value: Double, at place: JSONPlace) throws -> JSONValue {
    guard value.isFinite else { throw failure(value, "must be finite", place) }
    return .number(value)
  }

  private static func failure(_ value: Any, _ text: String, _ place: JSONPlace) -> EncodingError {
    .invalidValue(value, EncodingError.Context(codingPath: place.codingPath, debugDescription: text))
  }
}

/// The members of an object. A function for each plain type, since the one for all types needs a node and an encoder for each value.
private struct KeyedNodes<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let node: JSONNode
  let path: JSONPath?
  var codingPath: [any CodingKey] { path?.keys ?? [] }

  private func encoder(for key: any CodingKey) -> NodeEncoder {
    let member = JSONNode()
    node.add(.node(member), for: key.stringValue)
    return NodeEncoder(node: member, place: JSONPlace(path, key))
  }

  private func add(_ value: JSONValue, for key: Key) { node.add(.plain(value), for: key.stringValue) }

  func encodeNil(forKey key: Key) { add(.null, for: key) }
  func encode(_ value: Bool, forKey key: Key) { add(.bool(value), for: key) }
  func encode(_ value: String, forKey key: Key) { add(.string(value), for: key) }
  func encode(_ value: Double, forKey key: Key) throws { add(try .finite(value, at: JSONPlace(path, key)), for: key) }
  func encode(_ value: Float, forKey key: Key) throws { try encode(Double(value), forKey: key) }
  func encode(_ value: Int, forKey key: Key) throws { try encode(integer: value, forKey: key) }
  func encode(_ value: Int8, forKey key: Key) throws { try encode(integer: value, forKey: key) }
  func encode(_ value: Int16, forKey key: Key) throws { try encode(integer: value, forKey: key) }
  func encode(_ value: Int32, forKey key: Key) throws { try encode(integer: value, forKey: key) }
  func encode(_ value: Int64, forKey key: Key) throws { try encode(integer: value, forKey: key) }
  func encode(_ value: UInt, forKey key: Key) throws { try encode(integer: value, forKey: key) }
  func encode(_ value: UInt8, forKey key: Key) throws { try encode(integer: value, forKey: key) }
  func encode(_ value: UInt16, forKey key: Key) throws { try encode(integer: value, forKey: key) }
  func encode(_ value: UInt32, forKey key: Key) throws { try encode(integer: value, forKey: key) }
  func encode(_ value: UInt64, forKey key: Key) throws { try encode(integer: value, forKey: key) }

  private func encode(integer value: some BinaryInteger, forKey key: Key) throws {
    add(try .integer(value, at: JSONPlace(path, key)), for: key)
  }

  func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws {
    if let value = JSONValue(asIs: value) { add(value, for: key) } else { try value.encode(to: encoder(for: key)) }
  }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) -> KeyedEncodingContainer<Nested> {
    encoder(for: key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { encoder(for: key).unkeyedContainer() }
  func superEncoder() -> any Encoder { encoder(for: JSONKey.super) }
  func superEncoder(forKey key: Key) -> any Encoder { encoder(for: key) }
}

private struct UnkeyedNodes: UnkeyedEncodingContainer {
  let node: JSONNode
  let path: JSONPath?
  var codingPath: [any CodingKey] { path?.keys ?? [] }
  var count: Int { node.count }

  private func nextEncoder() -> NodeEncoder {
    let (element, key) = (JSONNode(), JSONKey.index(count))
    node.append(.node(element))
    return NodeEncoder(node: element, place: JSONPlace(path, key))
  }

  func encodeNil() { node.append(.plain(.null)) }
  func encode<Value: Encodable>(_ value: Value) throws { try nextEncoder().encode(value) }

  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
    nextEncoder().container(keyedBy: type)
  }

  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { nextEncoder().unkeyedContainer() }
  func superEncoder() -> any Encoder { nextEncoder() }
}
