// SPDX-License-Identifier: Apache-2.0

/// What the random names of initiators begin with: a name that has room for the rest.
public struct InitiatorNamePrefix: Hashable, Sendable, CustomStringConvertible {
  /// Why a text is no such beginning.
  public enum Refusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// It is longer than `maximumLength`.
    case tooLong
    /// With more behind it, it is no name.
    case noName(ISCSINameError)

    /// The reason in words.
    public var description: String {
      switch self {
      case .tooLong: "it is longer than \(InitiatorNamePrefix.maximumLength) octets"
      case .noName(let error): error.description
      }
    }
  }

  /// The most octets; a colon and twelve digits follow.
  public static let maximumLength = ISCSIName.maximumLength - 13
  /// What open-iscsi's names begin with.
  public static let standard = InitiatorNamePrefix(checked: "iqn.2016-04.com.open-iscsi")

  /// The text.
  public let description: String

  private init(checked text: String) { description = text }

  /// Checks a text, such as `iqn.yyyy-mm.reversed.domain`.
  public init(_ text: String) throws(Refusal) {
    guard text.utf8.count <= Self.maximumLength else { throw .tooLong }
    do throws(ISCSINameError) {
      _ = try InitiatorName(text + ":0")
    } catch {
      throw .noName(error)
    }
    self.init(checked: text)
  }

  /// A name that no other machine has: the beginning, a colon and 48 random bits as hexadecimal digits.
  public func randomName() throws(ISCSINameError) -> InitiatorName {
    try InitiatorName("\(description):\(Self.randomDigits())")
  }

  /// Twelve random hexadecimal digits.
  public static func randomDigits() -> String {
    let digits = String(UInt64.random(in: 0..<1 << 48), radix: 16)
    return String(repeating: "0", count: 12 - digits.count) + digits
  }
}
