// SPDX-License-Identifier: Apache-2.0

/// A portal group tag (RFC 7143, section 13.9): 0 to 65535.
public typealias PortalGroupTag = UInt16

/// Why a text is not a portal.
public enum PortalError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The text has no host.
  case noHost
  /// This is neither an IP address nor a host name (RFC 1123).
  case badHost(String)
  /// This is not a TCP port, 1 to 65535.
  case badPort(String)
  /// This is not a portal group tag, 0 to 65535.
  case badTag(String)
  /// An IPv6 address with a port needs brackets: `[fe80::1%eth0]:3260`.
  case badBrackets

  /// The reason in words.
  public var description: String {
    switch self {
    case .noHost: "the portal names no host"
    case .badHost(let text): "\(text.debugDescription) is neither an IP address nor a host name"
    case .badPort(let text): "\(text.debugDescription) is not a TCP port (1 to 65535)"
    case .badTag(let text): "\(text.debugDescription) is not a portal group tag (0 to 65535)"
    case .badBrackets: "an IPv6 address with a port is written [address]:port"
    }
  }
}

/// The host part of a portal.
public enum PortalHost: Hashable, Sendable, CustomStringConvertible {
  /// A numeric address; `scope` is the interface of an IPv6 link-local one, by name or number.
  case address(IPAddress, scope: String?)
  /// A host name to resolve.
  case name(String)

  /// Parses an address with optional `%scope`, or a host name of RFC 1123 (underscores let through).
  public init(_ text: String) throws(PortalError) {
    guard !text.isEmpty else { throw .noHost }
    if let address = IPAddress(text) {
      self = .address(address, scope: nil)
      return
    }
    let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    if parts.count == 2, let address = IPAddress(parts[0]) {
      guard address.isIPv6, Self.isInterfaceName(parts[1]) else { throw .badHost(text) }
      self = .address(address, scope: String(parts[1]))
      return
    }
    let isName =
      text.utf8.count <= 253
      && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
        (1...63).contains(label.utf8.count) && label.utf8.first != UInt8(ascii: "-")
          && label.utf8.allSatisfy { $0.isDigit || (0x61...0x7A).contains($0 | 0x20) || $0 == 0x2D || $0 == 0x5F }
      }
    // A name of digits and dots only is a mistyped address.
    guard isName, !text.utf8.allSatisfy({ $0.isDigit || $0 == 0x2E }) else { throw .badHost(text) }
    self = .name(text)
  }

  /// The host as text, without brackets.
  public var description: String {
    switch self {
    case .address(let address, let scope?): "\(address)%\(scope)"
    case .address(let address, nil): address.description
    case .name(let name): name
    }
  }

  /// Whether `text` can be the name of a network device: 1 to 15 octets, no slash, blank, colon or percent sign.
  static func isInterfaceName(_ text: some StringProtocol) -> Bool {
    (1...15).contains(text.utf8.count)
      && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x2F && $0 != 0x3A && $0 != 0x25 }
      && text != "." && text != ".."
  }
}

/// A network portal of a target: host, TCP port and, if known, its portal group tag.
public struct Portal: Hashable, Sendable, CustomStringConvertible {
  /// The port that IANA assigned to iSCSI.
  public static let defaultPort: UInt16 = 3260

  /// The address or the name of the host.
  public var host: PortalHost
  /// The TCP port.
  public var port: UInt16
  /// The portal group tag, where it is known (from discovery or a record).
  public var tag: PortalGroupTag?

  /// A portal from its parts.
  public init(host: PortalHost, port: UInt16 = Portal.defaultPort, tag: PortalGroupTag? = nil) {
    self.host = host
    self.port = port
    self.tag = tag
  }

  /// Parses `host`, `host:port`, `host:port,tag`, `[v6]`, `[v6%scope]:port,tag` or a bare IPv6 address.
  public init(_ text: String) throws(PortalError) { try self.init(text, defaultPort: Self.defaultPort) }

  /// The same with another port where the text names none.
  public init(_ text: String, defaultPort: UInt16) throws(PortalError) {
    let (address, tagText) = Self.split(text, at: UInt8(ascii: ","))
    var tag: PortalGroupTag?
    if let tagText {
      guard tagText.utf8.allSatisfy(\.isDigit), let value = PortalGroupTag(tagText) else { throw .badTag(tagText) }
      tag = value
    }
    var host = address
    var portText: String?
    let colon = UInt8(ascii: ":")
    if address.utf8.first == UInt8(ascii: "[") {
      guard let close = address.firstIndex(of: "]") else { throw .badBrackets }
      host = String(address[address.utf8.index(after: address.startIndex)..<close])
      guard host.contains(":") else { throw .badHost(host) }
      let rest = address[address.index(after: close)...]
      guard rest.isEmpty || rest.hasPrefix(":") else { throw .badBrackets }
      portText = rest.isEmpty ? nil : String(rest.dropFirst())
    } else if address.utf8.count(where: { $0 == colon }) == 1 {
      (host, portText) = Self.split(address, at: colon)
    }
    var port = defaultPort
    if let portText {
      guard portText.utf8.allSatisfy(\.isDigit), let value = UInt16(portText), value > 0 else {
        throw .badPort(portText)
      }
      port = value
    }
    self.init(host: try PortalHost(host), port: port, tag: tag)
  }

  /// `host:port`, with brackets around IPv6; the tag is left out.
  public var address: String {
    if case .address(let ip, _) = host, ip.isIPv6 { "[\(host)]:\(port)" } else { "\(host):\(port)" }
  }

  /// `host:port,tag`, or `host:port` where the tag is not known.
  public var description: String { tag.map { "\(address),\($0)" } ?? address }

  /// By octets: finding out what a character is takes longer than all else here.
  private static func split(_ text: String, at separator: UInt8) -> (String, String?) {
    guard let index = text.utf8.firstIndex(of: separator) else { return (text, nil) }
    return (String(text[..<index]), String(text[text.utf8.index(after: index)...]))
  }
}

extension PortalHost {
  /// The address, if it is no name.
  public var numeric: IPAddress? {
    if case .address(let address, _) = self { address } else { nil }
  }
}
