// SPDX-License-Identifier: Apache-2.0
public import IscsiKit

/// The CHAP side of a target that asks for authentication (RFC 7143, section 12.1.3).
public struct TargetCHAP: Sendable {
  /// What the initiator must prove.
  public var initiator: CHAPCredentials
  /// What the target proves in return if it is asked; nil fails a login that asks for it.
  public var target: CHAPCredentials?
  /// The algorithms that the target takes. Of those, the first one in the initiator's list is used.
  public var algorithms: [CHAPAlgorithm]
  /// CHAP_I of the target.
  public var identifier: UInt8 = 0x5A
  /// CHAP_C of the target. It is always the same, so that a failing test can be run again.
  public var challenge: [UInt8] = (1...16).map { UInt8($0) }

  private var algorithm: CHAPAlgorithm?

  /// Authentication from its parts.
  public init(initiator: CHAPCredentials, target: CHAPCredentials? = nil, algorithms: [CHAPAlgorithm] = [.md5]) {
    self.initiator = initiator
    self.target = target
    self.algorithms = algorithms
  }

  /// What a step of the exchange came to.
  enum Step {
    /// Not finished: answer with these entries.
    case goOn(TextEntries)
    /// The initiator proved itself: answer with these entries.
    case passed(TextEntries)
    /// The initiator did not.
    case failed
  }

  /// Takes the initiator's keys of one step.
  mutating func step(_ keys: TextEntries) -> Step {
    if algorithm == nil {
      guard keys["CHAP_A"] != nil else { return .goOn(TextEntries()) }
      let offered = keys.list("CHAP_A").compactMap(UInt8.init).compactMap(CHAPAlgorithm.init(rawValue:))
      guard let chosen = offered.first(where: algorithms.contains) else { return .failed }
      algorithm = chosen
      var answer = TextEntries()
      answer.append("CHAP_A", String(chosen.rawValue))
      answer.append("CHAP_I", String(identifier))
      answer.append("CHAP_C", Self.hexadecimal(challenge))
      return .goOn(answer)
    }
    return verify(keys)
  }

  private func verify(_ keys: TextEntries) -> Step {
    guard let algorithm, keys["CHAP_N"] == initiator.name, let response = keys["CHAP_R"].flatMap(Self.octets) else {
      return .failed
    }
    guard response == algorithm.digest(of: [identifier] + initiator.secret.octets + challenge) else { return .failed }
    guard let challenge = keys["CHAP_C"].flatMap(Self.octets) else { return .passed(TextEntries()) }
    guard let target, let identifier = keys["CHAP_I"].flatMap(UInt8.init), challenge != self.challenge else {
      return .failed
    }
    var answer = TextEntries()
    answer.append("CHAP_N", target.name)
    answer.append("CHAP_R", Self.hexadecimal(algorithm.digest(of: [identifier] + target.secret.octets + challenge)))
    return .passed(answer)
  }

  /// A hexadecimal constant of RFC 7143 section 6.1.
  static func hexadecimal(_ octets: [UInt8]) -> String {
    "0x" + octets.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// The octets of a hexadecimal or base64 constant; nil if it is neither.
  static func octets(_ text: String) -> [UInt8]? {
    let body = Array(text.utf8.dropFirst(2))
    switch text.prefix(2).lowercased() {
    case "0x":
      let padded = body.count % 2 == 0 ? body : [UInt8(ascii: "0")] + body
      let digits = padded.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
      guard digits.count == padded.count else { return nil }
      return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    case "0b": return base64(body)
    default: return nil
    }
  }

  private static func base64(_ body: [UInt8]) -> [UInt8]? {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var result: [UInt8] = []
    var bits: UInt32 = 0
    var count = 0
    for octet in body where octet != UInt8(ascii: "=") {
      guard let value = alphabet.firstIndex(of: octet) else { return nil }
      bits = bits << 6 | UInt32(value)
      count += 6
      if count >= 8 {
        count -= 8
        result.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
      }
    }
    return result
  }
}
