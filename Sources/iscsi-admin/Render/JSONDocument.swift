// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials

/// The content of a JSON document. Its keys stand beside those of the envelope; docs/json.md describes them.
protocol JSONDocument: Encodable {
  /// What the document is, such as `session-list`.
  static var kind: String { get }
}

extension JSONDocument {
  /// The document as JSON, with sorted keys and a line end; `failures` are what the command could not do.
  func json(with failures: [Failure] = []) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let envelope = JSONEnvelope(failures: failures, document: self)
    return String(decoding: try encoder.encode(envelope), as: UTF8.self) + "\n"
  }
}

/// A document between its braces, with the keys that every document has.
private struct JSONEnvelope<Document: JSONDocument>: Encodable {
  /// Rises when a key changes its meaning or goes away; new keys do not count.
  private static var version: Int { 1 }

  let failures: [Failure]
  let document: Document

  private enum CodingKeys: String, CodingKey {
    case version
    case kind
    case failures
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(Self.version, forKey: .version)
    try container.encode(Document.kind, forKey: .kind)
    try container.encode(failures, forKey: .failures)
    // The document asks the same encoder for a container and so adds its keys to this object.
    try document.encode(to: encoder)
  }
}
