// SPDX-License-Identifier: Apache-2.0

/// A CHAP secret. Its text is never part of a description, a dump or a mirror.
public struct Secret: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The octets of the secret, for the computation of a response only.
  public let octets: [UInt8]

  /// A secret of 1 to 255 octets; nil for another length, or if it has a NUL or a line end.
  public init?(_ text: String) {
    guard (1...255).contains(text.utf8.count) else { return nil }
    guard !text.utf8.contains(where: { $0 == 0 || $0 == 10 || $0 == 13 }) else { return nil }
    octets = Array(text.utf8)
  }

  /// Always eight stars.
  public var description: String { "********" }
  /// Always eight stars.
  public var debugDescription: String { "********" }
  /// No children, so that `dump` shows nothing.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// A CHAP name and its secret.
public struct CHAPCredentials: Hashable, Sendable {
  /// CHAP_N: 0 to 255 octets. Empty, it is nobody's: CHAP is offered, and fails if the target takes it up.
  public let name: String
  /// The secret that belongs to the name.
  public let secret: Secret

  /// Credentials from their parts.
  public init(name: String, secret: Secret) {
    self.name = name
    self.secret = secret
  }
}

/// A CHAP digest algorithm (RFC 7143, section 12.1.3, and IANA's "PPP Authentication Algorithms").
public enum CHAPAlgorithm: UInt8, Hashable, Sendable, CaseIterable, CustomStringConvertible {
  /// 5: MD5, the only one that every target knows.
  case md5 = 5
  /// 6: SHA-1.
  case sha1 = 6
  /// 7: SHA-256.
  case sha256 = 7
  /// 8: SHA3-256.
  case sha3 = 8

  /// The word that open-iscsi uses in `node.session.auth.chap_algs`.
  public var description: String {
    switch self {
    case .md5: "MD5"
    case .sha1: "SHA1"
    case .sha256: "SHA256"
    case .sha3: "SHA3-256"
    }
  }

  /// Reads the word that open-iscsi uses, in any case.
  public init?(name: some StringProtocol) {
    guard let match = Self.allCases.first(where: { $0.description == name.uppercased() }) else { return nil }
    self = match
  }
}

/// How the two sides of a login prove who they are.
public struct Authentication: Hashable, Sendable {
  /// What we answer the target's challenge with; nil logs in without authentication.
  public var outgoing: CHAPCredentials?
  /// What the target must answer our challenge with (mutual CHAP); needs `outgoing`.
  public var incoming: CHAPCredentials?
  /// The algorithms to offer, best first.
  public var algorithms: [CHAPAlgorithm]

  /// Authentication from its parts. Some targets reject a list that has more than MD5, so MD5 alone is the default.
  public init(outgoing: CHAPCredentials? = nil, incoming: CHAPCredentials? = nil, algorithms: [CHAPAlgorithm] = [.md5])
  {
    self.outgoing = outgoing
    self.incoming = incoming
    self.algorithms = algorithms
  }

  /// No authentication.
  public static let none = Authentication()
}
