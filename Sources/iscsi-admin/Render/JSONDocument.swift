// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials

/// The content of a JSON document. Its keys stand beside `version` and `kind`; docs/json.md describes them.
protocol JSONDocument: Encodable {
  /// What the document is, such as `session-list`.
  static var kind: String { get }
}

extension JSONDocument {
  /// The document as JSON, with sorted keys and a line end.
  func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(JSONEnvelope(document: self)), as: UTF8.self) + "\n"
  }
}

/// A document between its braces.
private struct JSONEnvelope<Document: JSONDocument>: Encodable {
  /// Rises when a key changes its meaning or goes away; new keys do not count.
  private static var version: Int { 1 }

  let document: Document

  private enum CodingKeys: String, CodingKey {
    case version
    case kind
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(Self.version, forKey: .version)
    try container.encode(Document.kind, forKey: .kind)
    // The document asks the same encoder for a container and so adds its keys to this object.
    try document.encode(to: encoder)
  }
}
