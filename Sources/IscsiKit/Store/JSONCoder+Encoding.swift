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
      try value.encode(to: NodeEncoder(node: node, codingPath: []))
    } catch {
      throw JSONCodingError(error)
    }
    return node.value
  }
}

/// A place in the value that is being encoded. Containers of one place are views of one node, as Codable demands.
private final class JSONNode {
  private enum Content {
    case value(JSONValue)
    case object([String: JSONNode])
    case array([JSONNode])
  }

  private var content = Content.value(.null)

  var value: JSONValue {
    switch content {
    case .value(let value): value
    case .object(let members): .object(members.mapValues(\.value))
    case .array(let elements): .array(elements.map(\.value))
    }
  }

  var count: Int {
    if case .array(let elements) = content { elements.count } else { 0 }
  }

  func set(_ value: JSONValue) { content = .value(value) }

  /// Makes the node an object, so that one without members is not null.
  func becomeObject() {
    if case .object = content { return }
    content = .object([:])
  }

  func becomeArray() {
    if case .array = content { return }
    content = .array([])
  }

  func member(_ key: String) -> JSONNode {
    let node = JSONNode()
    var members: [String: JSONNode] = [:]
    if case .object(let existing) = content { members = existing }
    // The other copy must go, or each member would copy the whole dictionary.
    content = .value(.null)
    members[key] = node
    content = .object(members)
    return node
  }

  func append() -> JSONNode {
    let node = JSONNode()
    var elements: [JSONNode] = []
    if case .array(let existing) = content { elements = existing }
    content = .value(.null)
    elements.append(node)
    content = .array(elements)
    return node
  }
}

private struct NodeEncoder: Encoder {
  let node: JSONNode
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    node.becomeObject()
    return KeyedEncodingContainer(KeyedNodes<Key>(node: node, codingPath: codingPath))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    node.becomeArray()
    return UnkeyedNodes(node: node, codingPath: codingPath)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { self }
}

extension NodeEncoder: SingleValueEncodingContainer {
  func encodeNil() { node.set(.null) }
  func encode(_ value: Bool) { node.set(.bool(value)) }
  func encode(_ value: String) { node.set(.string(value)) }
  func encode(_ value: Float) throws { try encode(Double(value)) }
  func encode(_ value: Int) throws { try encode(integer: value) }
  func encode(_ value: Int8) throws { try encode(integer: value) }
  func encode(_ value: Int16) throws { try encode(integer: value) }
  func encode(_ value: Int32) throws { try encode(integer: value) }
  func encode(_ value: Int64) throws { try encode(integer: value) }
  func encode(_ value: UInt) throws { try encode(integer: value) }
  func encode(_ value: UInt8) throws { try encode(integer: value) }
  func encode(_ value: UInt16) throws { try encode(integer: value) }
  func encode(_ value: UInt32) throws { try encode(integer: value) }
  func encode(_ value: UInt64) throws { try encode(integer: value) }

  func encode(_ value: Double) throws {
    guard value.isFinite else { throw failure(value, "must be finite") }
    node.set(.number(value))
  }

  func encode<Value: Encodable>(_ value: Value) throws {
    // It is a value itself, and its own Codable conformance has another form.
    if let value = value as? JSONValue { node.set(value) } else { try value.encode(to: self) }
  }

  private func encode(integer value: some BinaryInteger) throws {
    guard let integer = Int64(exactly: value) else { throw failure(value, "is out of range: \(value)") }
    node.set(.integer(integer))
  }

  private func failure(_ value: Any, _ text: String) -> EncodingError {
    .invalidValue(value, EncodingError.Context(codingPath: codingPath, debugDescription: text))
  }
}

private struct KeyedNodes<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let node: JSONNode
  let codingPath: [any CodingKey]

  private func encoder(for key: any CodingKey) -> NodeEncoder {
    NodeEncoder(node: node.member(key.stringValue), codingPath: codingPath + [key])
  }

  func encodeNil(forKey key: Key) { encoder(for: key).encodeNil() }
  func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws { try encoder(for: key).encode(value) }

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
  let codingPath: [any CodingKey]
  var count: Int { node.count }

  private func nextEncoder() -> NodeEncoder {
    let key = JSONKey(intValue: count)
    return NodeEncoder(node: node.append(), codingPath: codingPath + [key])
  }

  func encodeNil() { nextEncoder().encodeNil() }
  func encode<Value: Encodable>(_ value: Value) throws { try nextEncoder().encode(value) }

  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
    nextEncoder().container(keyedBy: type)
  }

  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { nextEncoder().unkeyedContainer() }
  func superEncoder() -> any Encoder { nextEncoder() }
}
