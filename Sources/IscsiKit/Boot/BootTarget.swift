// SPDX-License-Identifier: Apache-2.0

/// Why a parameter of a boot cannot be used. The boot goes on without it.
public struct BootProblem: DiagnosableError, Hashable {
  /// The parameter by its name, or the file and the line.
  public let parameter: String
  /// What is wrong with it. No secret is quoted.
  public let reason: String

  /// A problem from its parts.
  public init(parameter: String, reason: String) {
    self.parameter = parameter
    self.reason = reason
  }

  /// Parameter and reason.
  public var description: String { "\(parameter): \(reason)" }
  /// 7.
  public var exitStatus: ExitStatus { .invalidArgument }
}

/// What is wrong with the value of a parameter, in words without the value.
struct BootParameterFault: Error, Hashable {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

/// A target as one parameter names it: `iscsi:[user:secret[:user:secret]@]server:protocol:port:LUN:name`.
///
/// This is RFC 4173's root path, with dracut's and Debian's credentials before it and dracut's interface in it.
public struct BootTarget: Hashable, Sendable {
  /// Its name.
  public var name: TargetName
  /// Where it is; nil if something else has to tell.
  public var host: PortalHost?
  /// The TCP port; nil if something else may tell.
  public var port: UInt16?
  /// The unit that the system is on; nil if the parameter does not tell.
  public var lun: LUN?
  /// The unit that is meant if the number was written in the decimal way, as Debian and dracut do in spite of RFC 4173; nil where
  /// both ways come to the same, or only one is possible.
  public var decimalLUN: LUN?
  /// Whether `root=` names it: of several targets this one has the root file system.
  public var isRoot = false
  /// What it takes to log in; nothing if something else may tell.
  public var authentication = RecordAuthentication()
  /// The network device to connect through; nil leaves that to the routes.
  public var device: String?
  /// Where this was read; nil if that is not known.
  var origin: String?

  /// A target of which the name is known.
  public init(name: TargetName) { self.name = name }

  /// Whether a text is such a parameter.
  static func isOne(_ text: String) -> Bool { text.hasPrefix("iscsi:") }

  /// Reads a parameter.
  ///
  /// - Throws: What is wrong with it.
  init(rootPath text: String) throws(BootParameterFault) {
    var rest = Substring(text)
    if Self.isOne(text) { rest = rest.dropFirst("iscsi:".count) }
    var authentication = RecordAuthentication()
    // No name and no address has the sign, but a secret may.
    if let at = rest.lastIndex(of: "@") {
      authentication = try Self.credentials(rest[..<at])
      rest = rest[rest.index(after: at)...]
    }
    let fields = rest.fieldsOutsideBrackets
    guard let first = fields.dropFirst(3).firstIndex(where: Self.startsName) else {
      throw BootParameterFault(
        "it has no target's name beginning with iqn., eui. or naa. behind server, protocol, port and LUN; \(Self.otherNames)"
      )
    }
    let lunIndex = first - 1
    guard first == 4 || first == 6 else {
      throw BootParameterFault("it is not iscsi:server:protocol:port:LUN:name")
    }
    let text = fields[first...].joined(separator: ":")
    do throws(ISCSINameError) { name = try TargetName(text) } catch { throw BootParameterFault(error.description) }
    // What only begins like a name may be a secret at the wrong place.
    do throws(ISCSINameError) { _ = try ISCSIName(text) } catch {
      throw BootParameterFault("\(error); \(Self.otherNames)")
    }
    self.authentication = authentication
    if !fields[0].isEmpty {
      let isBracketed = fields[0].hasPrefix("[") && fields[0].hasSuffix("]")
      do throws(PortalError) {
        host = try PortalHost(String(isBracketed ? fields[0].dropFirst().dropLast() : fields[0]))
      } catch {
        throw BootParameterFault(error.description)
      }
    }
    // 6 is TCP.
    guard ["", "6", "tcp", "TCP"].contains(fields[1]) else { throw BootParameterFault("its protocol is not TCP (6)") }
    if !fields[2].isEmpty { port = try Self.port(fields[2]) }
    if !fields[lunIndex].isEmpty {
      lun = try Self.lun(fields[lunIndex])
      decimalLUN = Self.decimalLUN(fields[lunIndex])
    }
    if first == 6, !fields[4].isEmpty {
      guard PortalHost.isInterfaceName(fields[4]) else {
        throw BootParameterFault("its network device has no such name")
      }
      device = String(fields[4])
    }
  }

  /// Reads a TCP port.
  static func port(_ text: some StringProtocol) throws(BootParameterFault) -> UInt16 {
    guard text.utf8.allSatisfy(\.isDigit), let port = UInt16(text), port > 0 else {
      throw BootParameterFault("the port is no TCP port (1 to 65535)")
    }
    return port
  }

  /// Reads a LUN as RFC 4173 writes it: up to four groups of hexadecimal digits with `-`, without zeros that say nothing.
  static func lun(_ text: some StringProtocol) throws(BootParameterFault) -> LUN {
    let groups = text.split(separator: "-", omittingEmptySubsequences: false)
    let numbers = groups.compactMap { group in
      (1...4).contains(group.utf8.count) && group.utf8.allSatisfy(\.isHexDigit) ? UInt64(group, radix: 16) : nil
    }
    guard (1...4).contains(groups.count), numbers.count == groups.count else {
      throw BootParameterFault("the LUN is not up to four groups of hexadecimal digits with -")
    }
    let octets = (0..<4).reduce(UInt64(0)) { $0 << 16 | ($1 < numbers.count ? numbers[$1] : 0) }
    return LUN(rawValue: octets)
  }

  /// Reads a LUN as a decimal number; nil if that is none, or no other one than in the way of RFC 4173. Nobody writes zeros before a
  /// decimal number.
  private static func decimalLUN(_ text: Substring) -> LUN? {
    guard text.utf8.count > 1, !text.hasPrefix("0"), text.utf8.allSatisfy(\.isDigit), let number = UInt64(text) else {
      return nil
    }
    return LUN(linuxNumber: number)
  }

  /// What to do about a name in none of the formats.
  private static let otherNames = "give another one by rd.iscsi.target.name="

  private static func startsName(_ field: Substring) -> Bool {
    ["iqn.", "eui.", "naa."].contains { field.lowercased().hasPrefix($0) }
  }

  private static func credentials(_ text: Substring) throws(BootParameterFault) -> RecordAuthentication {
    // Anaconda writes the sign where there are none.
    if text.isEmpty { return RecordAuthentication() }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2 || parts.count == 4 else {
      throw BootParameterFault("before the @ there are not user:secret or user:secret:user:secret")
    }
    var authentication = RecordAuthentication()
    authentication.name = parts[0]
    authentication.secret = try secret(parts[1])
    if parts.count == 4 {
      authentication.targetName = parts[2]
      authentication.targetSecret = try secret(parts[3])
    }
    return authentication
  }

  /// Reads a secret, which no error quotes.
  static func secret(_ text: String) throws(BootParameterFault) -> Secret {
    guard let secret = Secret(text) else { throw BootParameterFault("a secret has 1 to 255 octets on one line") }
    return secret
  }
}

extension StringProtocol {
  /// What is between colons, but for those within brackets, in which IPv6 addresses stand.
  var fieldsOutsideBrackets: [Substring] {
    var fields: [Substring] = []
    var isBracketed = false
    var start = startIndex
    for index in indices {
      switch self[index] {
      case "[": isBracketed = true
      case "]": isBracketed = false
      case ":" where !isBracketed:
        fields.append(Substring(self[start..<index]))
        start = self.index(after: index)
      default: break
      }
    }
    fields.append(Substring(self[start...]))
    return fields
  }
}
