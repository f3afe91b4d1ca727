// SPDX-License-Identifier: Apache-2.0

/// Why a text is not an iSCSI URL. No case has the text itself, because it may hold a secret.
public enum TargetURLError: DiagnosableError, Hashable {
  /// The URL does not start with `iscsi://`.
  case scheme
  /// No target name follows the portal.
  case noTarget
  /// The user part before the at sign is empty, or its secret is.
  case emptyCredentials
  /// The user's name or secret is longer than 255 octets, or has a control character.
  case badCredentials
  /// The host or the port is wrong.
  case portal
  /// A percent sign in the target name is not followed by two hexadecimal digits, or the octets are no UTF-8.
  case badEscape
  /// The target name is wrong.
  case target(ISCSINameError)
  /// The LUN is no number from 0 to 16383.
  case badLUN
  /// Something follows the LUN.
  case trailingText

  /// The reason in words.
  public var description: String {
    switch self {
    case .scheme: "an iSCSI URL starts with iscsi://"
    case .noTarget: "the URL names no target"
    case .emptyCredentials: "the user or the secret before the at sign is empty"
    case .badCredentials: "the user or the secret is longer than 255 octets or has a control character"
    case .portal: "the host or the port in the URL is wrong"
    case .badEscape: "the target name has a percent sign that does not start an escape"
    case .target(let error): error.description
    case .badLUN: "the LUN is not a number from 0 to 16383"
    case .trailingText: "the URL goes on after the LUN"
    }
  }

  /// An argument is wrong.
  public var exitStatus: ExitStatus { .invalidArgument }

  /// The form of a URL.
  public var advice: String? { "write iscsi://[user[%secret]@]host[:port]/target-name[/lun]" }
}

/// An iSCSI URL as libiscsi, QEMU and their users write it: `iscsi://[user[%secret]@]host[:port]/target-name[/lun]`.
///
/// The first percent sign of the user part ends the name, and the secret reaches to the last at sign of the URL; neither
/// is unescaped. The target name may be percent-encoded. IPv6 addresses stand in brackets.
/// A secret in a URL is on the command line, where every user of the machine can read it: prefer a file.
public struct TargetURL: Hashable, Sendable, CustomStringConvertible {
  /// Host and port.
  public var portal: Portal
  /// The target.
  public var target: TargetName
  /// The one unit that the URL names; nil means all.
  public var lun: LUN?
  /// The CHAP name, if the URL has one.
  public var user: String?
  /// The CHAP secret, if the URL has one.
  public var secret: Secret?

  /// A URL from its parts.
  public init(portal: Portal, target: TargetName, lun: LUN? = nil, user: String? = nil, secret: Secret? = nil) {
    self.portal = portal
    self.target = target
    self.lun = lun
    self.user = user
    self.secret = secret
  }

  /// Parses a URL.
  public init(_ text: String) throws(TargetURLError) {
    let scheme = "iscsi://"
    guard text.prefix(scheme.count).lowercased() == scheme else { throw .scheme }
    let rest = text.dropFirst(scheme.count)
    // A secret may have slashes and at signs; no host, target name or LUN has an at sign.
    if let at = rest.lastIndex(of: "@") {
      (user, secret) = try Self.credentials(rest[..<at])
      (portal, target, lun) = try Self.place(rest[rest.index(after: at)...])
    } else {
      (portal, target, lun) = try Self.place(rest)
    }
  }

  private static func credentials(_ text: Substring) throws(TargetURLError) -> (String, Secret?) {
    let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    guard let name = parts.first, !name.isEmpty, parts.last?.isEmpty == false else { throw .emptyCredentials }
    guard name.utf8.count <= 255, name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { throw .badCredentials }
    guard parts.count == 2 else { return (String(name), nil) }
    guard let secret = Secret(String(parts[1])) else { throw .badCredentials }
    return (String(name), secret)
  }

  private static func place(_ text: Substring) throws(TargetURLError) -> (Portal, TargetName, LUN?) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    let portal: Portal
    do { portal = try Portal(String(parts[0])) } catch { throw .portal }
    guard portal.tag == nil else { throw .portal }
    guard parts.count > 1, !parts[1].isEmpty else { throw .noTarget }
    let name = try unescape(parts[1])
    let target: TargetName
    do { target = try TargetName(name) } catch { throw .target(error) }
    guard parts.count > 2, !(parts.count == 3 && parts[2].isEmpty) else { return (portal, target, nil) }
    guard parts.count == 3 else { throw .trailingText }
    guard parts[2].utf8.allSatisfy(\.isDigit), let number = UInt64(parts[2]), let lun = LUN(number: number) else {
      throw .badLUN
    }
    return (portal, target, lun)
  }

  private static func unescape(_ text: Substring) throws(TargetURLError) -> String {
    var octets: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let octet = rest.popFirst() {
      guard octet == UInt8(ascii: "%") else {
        octets.append(octet)
        continue
      }
      guard let high = rest.popFirst()?.hexDigitValue, let low = rest.popFirst()?.hexDigitValue else {
        throw .badEscape
      }
      octets.append(high << 4 | low)
    }
    guard let name = String(validating: octets, as: UTF8.self) else { throw .badEscape }
    return name
  }

  /// The URL without its secret.
  public var description: String {
    let user = user.map { "\($0)@" } ?? ""
    return "iscsi://\(user)\(portal.address)/\(target)" + (lun.map { "/\($0)" } ?? "")
  }
}
