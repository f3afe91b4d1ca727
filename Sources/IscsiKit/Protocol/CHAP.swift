// SPDX-License-Identifier: Apache-2.0

/// The arithmetic and the limits of CHAP (RFC 1994; RFC 7143, section 12.1.3).
public enum CHAP {
  /// How many octets a challenge may have.
  public static let challengeLengths = 1...1024
  /// How many octets a name may have.
  public static let nameLengths = 1...255
  /// The least octets of a secret that RFC 7143, section 9.2.1, wants on a link without IPsec: 96 bits.
  public static let recommendedSecretLength = 12

  /// CHAP_R: the digest of identifier, secret and challenge.
  public static func response(
    algorithm: CHAPAlgorithm, identifier: UInt8, secret: Secret, challenge: [UInt8]
  ) -> [UInt8] {
    algorithm.digest(of: [identifier] + secret.octets + challenge)
  }
}

/// What about credentials works but should not be.
public enum CHAPWarning: Hashable, Sendable, CustomStringConvertible {
  /// The secret that we prove has this many octets only.
  case shortOutgoingSecret(octets: Int)
  /// The secret that the target proves has this many octets only.
  case shortIncomingSecret(octets: Int)
  /// We have a secret to prove and no name to prove it for.
  case nameless
  /// The target has a secret to prove and no name to prove it for.
  case namelessTarget

  /// The warning in words.
  public var description: String {
    switch self {
    case .shortOutgoingSecret(let octets): "the CHAP secret has \(octets) octets; RFC 7143 wants 12 at least"
    case .shortIncomingSecret(let octets):
      "the CHAP secret of the target has \(octets) octets; RFC 7143 wants 12 at least"
    case .nameless: "there is a CHAP secret and no name: if the target wants CHAP the login fails"
    case .namelessTarget: "there is a CHAP secret of the target and no name of it: the login fails"
    }
  }
}

extension Authentication {
  /// Weaknesses that are not refused, because targets and open-iscsi accept them.
  public var warnings: [CHAPWarning] {
    var found: [CHAPWarning] = []
    if let octets = outgoing?.secret.octets.count, octets < CHAP.recommendedSecretLength {
      found.append(.shortOutgoingSecret(octets: octets))
    }
    if let octets = incoming?.secret.octets.count, octets < CHAP.recommendedSecretLength {
      found.append(.shortIncomingSecret(octets: octets))
    }
    return found
  }

  /// Refuses what must not be sent. Equal secrets would let a target answer our challenge with what it can have us
  /// compute (RFC 7143, section 9.2.1). With a name that is empty CHAP is offered all the same, for
  /// targets that do not take it up; no login by it succeeds.
  ///
  /// - Throws: `incompleteCredentials`, `noAlgorithms`, `badCHAPName` or `equalSecrets`.
  public func validate() throws(LoginFailure) {
    guard let outgoing else {
      guard incoming == nil else { throw .incompleteCredentials }
      return
    }
    guard !algorithms.isEmpty else { throw .noAlgorithms }
    guard Self.isName(outgoing.name), incoming.map({ Self.isName($0.name) }) ?? true else { throw .badCHAPName }
    if let incoming, incoming.secret.octets.isEqualInConstantTime(to: outgoing.secret.octets) { throw .equalSecrets }
  }

  private static func isName(_ name: String) -> Bool {
    name.isEmpty || CHAP.nameLengths.contains(name.utf8.count) && !name.utf8.contains(0)
  }
}

/// The challenge that we send to a target for mutual CHAP; a new one for each login.
struct CHAPChallenge: Hashable, Sendable {
  /// CHAP_I.
  var identifier: UInt8
  /// 32 random octets; as many as the chosen algorithm's digest has are sent.
  var octets: [UInt8]

  init(using generator: inout some RandomNumberGenerator) {
    // Eight octets at a time: each number is a call of the kernel.
    octets = (0..<4).flatMap { _ in
      let number: UInt64 = generator.next()
      return (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }
    identifier = UInt8.random(in: .min ... .max, using: &generator)
  }
}
