// SPDX-License-Identifier: Apache-2.0

/// The name of an interface record: 1 to 64 octets (open-iscsi's `ISCSI_MAX_IFACE_LEN` without its NUL).
///
/// A value of this type has no slash and no control character and is neither `.` nor `..`, so it can be a file's name and
/// stands on one line. Colons and blanks are allowed: Kubernetes makes names such as `10.0.0.1:3260:volume`.
public struct InterfaceName: Hashable, Sendable, CustomStringConvertible {
  /// The longest name in octets.
  public static let maximumLength = 64

  /// The name.
  public let description: String

  /// Checks a name; nil for a text that is none.
  public init?(_ text: String) {
    guard (1...Self.maximumLength).contains(text.utf8.count), text != ".", text != "..",
      text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F && $0 != 0x2F })
    else { return nil }
    description = text
  }

  private init(builtIn name: StaticString) { description = "\(name)" }

  /// `default`: the interface of software sessions that are bound to nothing. There is always one.
  public static let standard = InterfaceName(builtIn: "default")
  /// `iser`: the same for iSER. There is always one.
  public static let iser = InterfaceName(builtIn: "iser")
}

extension InterfaceName: Comparable {
  /// Orders names by their octets, as listings do.
  public static func < (left: InterfaceName, right: InterfaceName) -> Bool {
    left.description < right.description
  }
}
