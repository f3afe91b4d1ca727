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
  init?(_ phase: String, of session: SessionSnapshot) {
    guard let phase = Supervision.Phase(rawValue: phase) else { return nil }
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

/// A session in a tree: what stands under it, and above it where it does not follow another one of its target or portal.
struct SessionBranch: Sendable {
  /// The session's number as text, by which listings are sorted: 10 comes before 2.
  let name: String
  private let target: String?
  private let portal: String
  /// The line of the target, the lines of the portals, and what is shown of the session.
  fileprivate let lines: TreeText
  private let portalsStart: Int
  private let sessionStart: Int

  /// Writes the lines.
  ///
  /// - Parameters:
  ///   - listed: The session.
  ///   - parts: What is shown of it.
  ///   - indent: What every line that is not empty begins with.
  init(_ listed: ListedSession, _ parts: SessionTreeParts, indent: String = "") {
    let session = listed.session
    name = session.id.description
    target = session.targetName
    portal = session.shownCurrentPortal
    var lines = TreeText(indent: indent, spaceFor: 2048)
    lines.line("Target: ", session.targetName ?? "", " ", session.flashWord)
    portalsStart = lines.count
    let tag = String(session.tag ?? 0)
    lines.line("\tCurrent Portal: ", portal, ",", tag)
    let port = String(session.shownPersistentPort)
    lines.line("\tPersistent Portal: ", session.shownPersistentAddress.bracketed, ":", port, ",", tag)
    sessionStart = lines.count
    lines.indented(by: "\t\t") { $0.add(listed, parts) }
    self.lines = lines
  }

  /// Adds its lines to a tree, without those that another one before has above it; an empty line is between two at one portal.
  fileprivate func add(to tree: inout TreeText, after before: SessionBranch?) {
    guard let before, before.target == target else { return tree.append(lines, from: 0) }
    guard before.portal == portal else { return tree.append(lines, from: portalsStart) }
    tree.emptyLine()
    tree.append(lines, from: sessionStart)
  }
}

/// The tree of sessions, in the order given: a target's name stands above its first session, and a portal above the
/// sessions that follow each other at it. Other lines may be before it.
func sessionTree(_ branches: [SessionBranch], after lines: String = "") -> String {
  var tree = TreeText(lines, spaceFor: branches.reduce(0) { $0 + $1.lines.count })
  for (index, branch) in branches.enumerated() { branch.add(to: &tree, after: index > 0 ? branches[index - 1] : nil) }
  return tree.text
}

/// The tree of sessions that have no lines yet, of the parts given, with what every line that is not empty begins with.
func sessionTree(_ sessions: [ListedSession], _ parts: SessionTreeParts, indent: String = "") -> String {
  sessionTree(sessions.map { SessionBranch($0, parts, indent: indent) })
}

extension TreeText {
  fileprivate mutating func add(_ listed: ListedSession, _ parts: SessionTreeParts) {
    let session = listed.session
    heading("Interface:", stars: 10)
    line(label: "Iface Name: ", session.shownInterfaceName)
    line(label: "Iface Transport: ", session.transport ?? emptyValue)
    line(label: "Iface Initiatorname: ", session.initiatorName ?? session.host?.initiatorName ?? emptyValue)
    line(label: "Iface IPaddress: ", (session.host?.ipAddress ?? "default").bracketed)
    line(label: "Iface HWaddress: ", session.host?.hardwareAddress ?? "default")
    line(label: "Iface Netdev: ", session.host?.networkDevice ?? "default")
    line(label: "SID: ", session.id.description)
    line(label: "iSCSI Connection State: ", listed.states?.connection ?? "Unknown")
    line(label: "iSCSI Session State: ", session.state?.rawValue ?? "Unknown")
    line(label: "Internal iscsid Session State: ", listed.states?.session ?? "Unknown")
    if parts.contains(.timeouts) { addTimeouts(of: session) }
    if parts.contains(.authentication) { addAuthentication(of: listed) }
    if parts.contains(.negotiated) { add(session.negotiated) }
    if parts.contains(.devices) { addDevices(of: session, showsHost: parts.contains(.host)) }
  }

  private mutating func addTimeouts(of session: SessionSnapshot) {
    let shown = { (value: Int32?) in value.map(String.init) ?? emptyValue }
    heading("Timeouts:", stars: 9)
    // The kernel's word for "for ever" is no number, which is taken for 0.
    line(label: "Recovery Timeout: ", session.replacementTimeout.map { $0 == -1 ? "0" : String($0) } ?? "-1")
    line(label: "Target Reset Timeout: ", shown(session.targetResetTimeout))
    line(label: "LUN Reset Timeout: ", shown(session.luResetTimeout))
    line(label: "Abort Timeout: ", shown(session.abortTimeout))
  }

  private mutating func addAuthentication(of listed: ListedSession) {
    let mask = "********"
    let clear = { (secret: Secret?) in secret.map { String(decoding: $0.octets, as: UTF8.self) } ?? emptyValue }
    heading("CHAP:", stars: 5)
    line(label: "username: ", listed.session.userName ?? emptyValue)
    line(label: "password: ", listed.secrets.map { clear($0.outgoing) } ?? mask)
    line(label: "username_in: ", listed.session.userNameIn ?? emptyValue)
    // 2.1.8 calls it `password:` where it is shown, and programs take one secret for the other.
    line(label: "password_in: ", listed.secrets.map { clear($0.incoming) } ?? mask)
  }

  /// What the kernel does not tell is left out.
  private mutating func add(_ negotiated: NegotiatedSnapshot) {
    let flag = { (value: Bool?) in value.map { $0 ? "Yes" : "No" } }
    let number = { (value: UInt32?) in value.map(String.init) }
    heading("Negotiated iSCSI params:", stars: 24)
    addIfKnown("HeaderDigest: ", negotiated.headerDigest?.rawValue)
    addIfKnown("DataDigest: ", negotiated.dataDigest?.rawValue)
    addIfKnown("MaxRecvDataSegmentLength: ", number(negotiated.maxRecvDataSegmentLength))
    addIfKnown("MaxXmitDataSegmentLength: ", number(negotiated.maxXmitDataSegmentLength))
    addIfKnown("FirstBurstLength: ", number(negotiated.firstBurstLength))
    addIfKnown("MaxBurstLength: ", number(negotiated.maxBurstLength))
    addIfKnown("ImmediateData: ", flag(negotiated.immediateData))
    addIfKnown("InitialR2T: ", flag(negotiated.initialR2T))
    addIfKnown("MaxOutstandingR2T: ", negotiated.maxOutstandingR2T.map(String.init))
  }

  private mutating func addIfKnown(_ label: String, _ value: String?) {
    if let value { line(label: label, value) }
  }

  private mutating func addDevices(of session: SessionSnapshot, showsHost: Bool) {
    heading("Attached SCSI devices:", stars: 24)
    if showsHost, let host = session.host {
      line("Host Number: ", host.number.description, "\tState: ", host.state ?? "Unknown")
    }
    // In the order of the names of their directories.
    let devices = session.devices.map { (address: $0.address, device: $0) }.sorted { $0.address < $1.address }
    for (_, device) in devices {
      let channel = (device.channel < 10 ? "0" : "") + String(device.channel)
      let (host, target, lun) = (device.host.description, String(device.target), String(device.lun))
      line("scsi", host, " Channel ", channel, " Id ", target, " Lun: ", lun)
      if let disk = device.blockDevice {
        line("\tAttached scsi disk ", disk, "\t\tState: ", device.state ?? "Unknown")
      }
    }
  }
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
