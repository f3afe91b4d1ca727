// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// A session with all that open-iscsi's listings show of it.
struct ListedSession {
  /// What sysfs shows.
  var session: SessionSnapshot
  /// What the daemon knows; nil if there is none, or it does not know the session.
  var states: DaemonStates?
  /// The CHAP secrets, if they are to be shown.
  var secrets: (outgoing: Secret?, incoming: Secret?)?

  init(_ session: SessionSnapshot) { self.session = session }
}

/// The words of open-iscsi's daemon for a connection's and a session's state.
struct DaemonStates: Hashable, Sendable {
  let connection: String
  let session: String

  /// The words for what our daemon says of a session; nil for a phase that this program does not know.
  init?(_ recovery: InitiatorTypes.Recovery, of session: SessionSnapshot) {
    guard let phase = Supervision.Phase(rawValue: recovery.phase) else { return nil }
    self.init(phase: phase, connectionState: session.connection?.state?.rawValue)
  }

  /// The words for where a session is.
  ///
  /// - Parameters:
  ///   - phase: The daemon's phase.
  ///   - connectionState: The kernel's word, which tells whether a login has a connection yet.
  init(phase: Supervision.Phase, connectionState: String?) {
    let login = connectionState == KernelConnectionState.bound.rawValue ? "IN LOGIN" : "TRANSPORT WAIT"
    (connection, session) =
      switch phase {
      case .up: ("LOGGED IN", "NO CHANGE")
      case .loggingIn: (login, "NO CHANGE")
      case .recovering: (login, "REOPEN")
      case .loggingOut: ("IN LOGOUT", "CLEANUP")
      case .gone: ("FREE", "CLEANUP")
      }
  }
}

/// The parts of a session's tree beyond its interface and states.
struct SessionTreeParts: OptionSet {
  let rawValue: UInt8

  static let timeouts = SessionTreeParts(rawValue: 1)
  static let authentication = SessionTreeParts(rawValue: 2)
  static let negotiated = SessionTreeParts(rawValue: 4)
  static let host = SessionTreeParts(rawValue: 8)
  static let devices = SessionTreeParts(rawValue: 16)

  init(rawValue: UInt8) { self.rawValue = rawValue }

  /// What `session -P` shows.
  init(sessionLevel level: Int) {
    self = level < 2 ? [] : [.timeouts, .authentication, .negotiated]
    if level > 2 { formUnion([.host, .devices]) }
  }

  /// What `host -P` shows of a host's sessions.
  init(hostLevel level: Int) {
    self = level < 3 ? [] : .negotiated
    if level > 3 { formUnion(.devices) }
  }
}

extension String {
  /// The address as open-iscsi writes it before a port: what has no dot is taken for IPv6, names too.
  var bracketed: String { utf8.contains(UInt8(ascii: ".")) ? self : "[\(self)]" }
}

/// What stands for nothing.
let emptyValue = "<empty>"

/// The version whose behaviour is shown.
let openISCSIVersion = "2.1.8"

/// The lines above the most detailed trees; none if the kernel does not tell its version.
func versionLines(of transportClass: String?) -> String {
  transportClass.map { "iSCSI Transport Class version \($0.printable)\nversion \(openISCSIVersion)\n" } ?? ""
}

/// A session's line in `iscsiadm -m session`.
func sessionLine(_ session: SessionSnapshot) -> String {
  let portal = "\(session.shownPersistentAddress.bracketed):\(session.shownPersistentPort),\(session.tag ?? 0)"
  return
    "\(session.transport ?? emptyValue): [\(session.id)] \(portal) \(session.targetName ?? "") \(session.flashWord)"
    .printable + "\n"
}

/// The tree of sessions, in the order given: a target's name stands above its first session, and a portal above the
/// sessions that follow each other at it.
///
/// - Parameters:
///   - sessions: The sessions.
///   - parts: What is shown of each.
///   - indent: What every line that is not empty begins with.
/// - Returns: The lines.
func sessionTree(_ sessions: [ListedSession], _ parts: SessionTreeParts, indent: String = "") -> String {
  var lines: [String] = []
  var before: SessionSnapshot?
  for listed in sessions {
    let session = listed.session
    let isSameTarget = before?.targetName == session.targetName
    if !isSameTarget { lines.append("Target: \(session.targetName ?? "") \(session.flashWord)") }
    if isSameTarget, before?.shownCurrentPortal == session.shownCurrentPortal {
      lines.append("")
    } else {
      lines.append("\tCurrent Portal: \(session.shownCurrentPortal),\(session.tag ?? 0)")
      let persistent = "\(session.shownPersistentAddress.bracketed):\(session.shownPersistentPort)"
      lines.append("\tPersistent Portal: \(persistent),\(session.tag ?? 0)")
    }
    lines += sessionLines(listed, parts).map { "\t\t\($0)" }
    before = session
  }
  return lines.map { $0.isEmpty ? "\n" : "\(indent)\($0.printableBesidesTabs)\n" }.joined()
}

private func sessionLines(_ listed: ListedSession, _ parts: SessionTreeParts) -> [String] {
  let session = listed.session
  var lines = heading("Interface:", stars: 10)
  lines += [
    "Iface Name: \(session.shownInterfaceName)",
    "Iface Transport: \(session.transport ?? emptyValue)",
    "Iface Initiatorname: \(session.initiatorName ?? session.host?.initiatorName ?? emptyValue)",
    "Iface IPaddress: \((session.host?.ipAddress ?? "default").bracketed)",
    "Iface HWaddress: \(session.host?.hardwareAddress ?? "default")",
    "Iface Netdev: \(session.host?.networkDevice ?? "default")",
    "SID: \(session.id)",
    "iSCSI Connection State: \(listed.states?.connection ?? "Unknown")",
    "iSCSI Session State: \(session.state?.rawValue ?? "Unknown")",
    "Internal iscsid Session State: \(listed.states?.session ?? "Unknown")",
  ]
  if parts.contains(.timeouts) { lines += timeoutLines(session) }
  if parts.contains(.authentication) { lines += authenticationLines(listed) }
  if parts.contains(.negotiated) { lines += negotiatedLines(session.negotiated) }
  if parts.contains(.devices) { lines += deviceLines(session, showsHost: parts.contains(.host)) }
  return lines
}

private func timeoutLines(_ session: SessionSnapshot) -> [String] {
  let shown = { (value: Int32?) in value.map(String.init) ?? emptyValue }
  // The kernel's word for "for ever" is no number, which is taken for 0.
  let recovery = session.replacementTimeout.map { $0 == -1 ? "0" : String($0) } ?? "-1"
  return heading("Timeouts:", stars: 9) + [
    "Recovery Timeout: \(recovery)",
    "Target Reset Timeout: \(shown(session.targetResetTimeout))",
    "LUN Reset Timeout: \(shown(session.luResetTimeout))",
    "Abort Timeout: \(shown(session.abortTimeout))",
  ]
}

private func authenticationLines(_ listed: ListedSession) -> [String] {
  let mask = "********"
  let clear = { (secret: Secret?) in secret.map { String(decoding: $0.octets, as: UTF8.self) } ?? emptyValue }
  return heading("CHAP:", stars: 5) + [
    "username: \(listed.session.userName ?? emptyValue)",
    "password: \(listed.secrets.map { clear($0.outgoing) } ?? mask)",
    "username_in: \(listed.session.userNameIn ?? emptyValue)",
    // 2.1.8 calls it `password:` where it is shown, and programs take one secret for the other.
    "password_in: \(listed.secrets.map { clear($0.incoming) } ?? mask)",
  ]
}

/// What the kernel does not tell is left out.
private func negotiatedLines(_ negotiated: NegotiatedSnapshot) -> [String] {
  let flag = { (value: Bool?) in value.map { $0 ? "Yes" : "No" } }
  let number = { (value: UInt32?) in value.map(String.init) }
  let values: [(String, String?)] = [
    ("HeaderDigest", negotiated.headerDigest?.rawValue),
    ("DataDigest", negotiated.dataDigest?.rawValue),
    ("MaxRecvDataSegmentLength", number(negotiated.maxRecvDataSegmentLength)),
    ("MaxXmitDataSegmentLength", number(negotiated.maxXmitDataSegmentLength)),
    ("FirstBurstLength", number(negotiated.firstBurstLength)),
    ("MaxBurstLength", number(negotiated.maxBurstLength)),
    ("ImmediateData", flag(negotiated.immediateData)),
    ("InitialR2T", flag(negotiated.initialR2T)),
    ("MaxOutstandingR2T", negotiated.maxOutstandingR2T.map(String.init)),
  ]
  return heading("Negotiated iSCSI params:", stars: 24)
    + values.compactMap { name, value in value.map { "\(name): \($0)" } }
}

private func deviceLines(_ session: SessionSnapshot, showsHost: Bool) -> [String] {
  var lines = heading("Attached SCSI devices:", stars: 24)
  if showsHost, let host = session.host {
    lines.append("Host Number: \(host.number)\tState: \(host.state ?? "Unknown")")
  }
  // In the order of the names of their directories.
  for device in session.devices.sorted(by: { $0.address < $1.address }) {
    let channel = (device.channel < 10 ? "0" : "") + String(device.channel)
    lines.append("scsi\(device.host) Channel \(channel) Id \(device.target) Lun: \(device.lun)")
    if let disk = device.blockDevice {
      lines.append("\tAttached scsi disk \(disk)\t\tState: \(device.state ?? "Unknown")")
    }
  }
  return lines
}

/// A title between two lines of asterisks.
func heading(_ title: String, stars count: Int) -> [String] {
  let stars = String(repeating: "*", count: count)
  return [stars, title, stars]
}

extension SessionSnapshot {
  /// Whether a card made the session from its own memory, or a program did.
  fileprivate var flashWord: String { creator == -1 ? "(flash)" : "(non-flash)" }

  /// The configured address, or the present one without it.
  var shownPersistentAddress: String { connection?.persistentAddress ?? connection?.address ?? "" }
  /// The configured port, or the present one without it.
  var shownPersistentPort: UInt16 { connection?.persistentPort ?? connection?.port ?? 0 }

  /// Where the connection is, or will be again.
  fileprivate var shownCurrentPortal: String {
    let address = connection?.address ?? shownPersistentAddress
    return "\(address.bracketed):\(connection?.port ?? shownPersistentPort)"
  }

  /// The interface's name; one that was made up from a card's address, if the program that logged in gave none.
  fileprivate var shownInterfaceName: String {
    if let interfaceName { return interfaceName }
    guard let address = host?.hardwareAddress else { return "default" }
    let family = host?.ipAddress?.contains(":") == true ? "ipv6" : "ipv4"
    return "\(transport ?? emptyValue).\(address).\(family).0"
  }
}

extension String {
  /// Fit for a terminal, but with the tabs that are the layout.
  var printableBesidesTabs: String {
    if utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F || $0 == 0x09 }) { return self }
    return split(separator: "\t", omittingEmptySubsequences: false).map { String($0).printable }.joined(separator: "\t")
  }
}
