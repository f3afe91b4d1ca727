// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// `iscsiadm -m host`. Cards that log in by themselves are not driven here: their submodes answer as they do for a host
/// of a driver that has none of this.
struct HostMode {
  let machine: Iscsiadm.Machine
  let console: IscsiadmConsole
  let options: IscsiadmOptions
  /// The host that `-H` names; listings show all hosts nevertheless.
  let host: HostNumber?

  private var number: HostNumber { host ?? HostNumber(rawValue: 0) }
  private var operations: IscsiadmOptions.Operations { options.operations }
  private var index: Int? { options.index.flatMap { $0 < 0 ? nil : $0 } }

  func run() throws(IscsiadmError) -> ExitStatus {
    switch options.submode {
    case .chap: return try runCHAP()
    case .flashnode: return try runFlashNode()
    case .stats:
      try checkHost()
      throw IscsiadmError(.failure, "get_host_stats failed. errno=0")
    case .ping:
      console.warn("Invalid Sub Mode")
      return .success
    case nil: return try list()
    }
  }

  private func list() throws(IscsiadmError) -> ExitStatus {
    let level = max(0, options.printLevel ?? 0)
    guard level <= 4 else { throw IscsiadmError(.invalidArgument, "Invalid info level \(level). Try 0 - 4.") }
    if level == 4 { console.say(versionLines(of: machine.sysfs.transportClassVersion)) }
    let hosts = try readingSysfs { () throws(SysfsError) in try machine.sysfs.hosts() }
      .sorted { $0.number.description < $1.number.description }
    guard !hosts.isEmpty else { throw IscsiadmError(.noObjectsFound, "No iSCSI hosts.") }
    guard level > 0 else {
      console.say(hosts.map(hostLine).joined())
      return .success
    }
    let sessions = level > 1 ? listed(try sessions()) : []
    for host in hosts {
      console.say(hostTree(host, sessions.filter { $0.session.host?.number == host.number }, level: level))
    }
    return .success
  }

  private func listed(_ sessions: [SessionSnapshot]) -> [ListedSession] {
    guard !sessions.isEmpty else { return [] }
    let states = DaemonAnswer(on: machine)
    states.warnIfThereIsNone(of: sessions.count, console)
    return sessions.map { session in
      var listed = ListedSession(session)
      listed.states = states.states(of: session)
      return listed
    }
  }

  private func sessions() throws(IscsiadmError) -> [SessionSnapshot] {
    try readingSysfs { () throws(SysfsError) in try machine.sysfs.sessions(.parameters) }.filter(\.isListed)
      .inListingOrder
  }

  // MARK: - What cards have

  /// The CHAP secrets in a card's memory.
  private func runCHAP() throws(IscsiadmError) -> ExitStatus {
    switch operations {
    case []: throw IscsiadmError(.invalidArgument, "CHAP mode requires host no and valid operation")
    case .show:
      try checkHost()
      throw IscsiadmError(.failure, "Received iferror -22: Invalid argument.", "get_chap_info failed. errno=0")
    case .new, .update:
      guard !options.parameters.isEmpty else {
        console.warn("Chap username/password not provided.")
        return .success
      }
      throw IscsiadmError(
        .invalidArgument,
        "Invalid username/password pair passed. Unable to determine the type of chap entry")
    case .delete:
      guard let index else {
        console.warn("Invalid chap table index.")
        return .success
      }
      try checkHost()
      console.say("Deleting CHAP index: \(index)\n")
      throw IscsiadmError(.failure, "CHAP Delete failed.")
    default: throw IscsiadmError(.invalidArgument, "Invalid operation.")
    }
  }

  /// The targets in a card's memory.
  private func runFlashNode() throws(IscsiadmError) -> ExitStatus {
    try checkHost()
    switch operations {
    case [], .show:
      guard let index else { throw IscsiadmError(.noObjectsFound, "No flashnodes attached to host \(number).") }
      throw IscsiadmError(
        .sessionNotFound, "Could not read info for flashnode \(index) of host \(number), No such file or directory")
    case .new:
      guard ["ipv4", "ipv6"].contains(options.portalType) else {
        throw IscsiadmError(.invalidArgument, "Invalid type mentioned for flashnode")
      }
      console.say("Create new flashnode for host \(number).\n")
      throw IscsiadmError(.failure, "Creation of flashnode for host \(number) failed.")
    default: return try changeFlashNode()
    }
  }

  private func changeFlashNode() throws(IscsiadmError) -> ExitStatus {
    guard let index else { throw IscsiadmError(.invalidArgument, "Invalid flashnode index") }
    let place = "flashnode \(index) of host \(number)"
    switch operations {
    case .delete:
      console.say("Delete flashnode \(index).\n")
      throw IscsiadmError(.failure, "Deletion of \(place) failed.")
    case .login:
      console.say("Login to flashnode \(index).\n")
      throw IscsiadmError(.login, "Login to \(place) failed.")
    case .logout:
      console.say("Logout flashnode \(index).\n")
      throw IscsiadmError(.logout, "Logout of \(place) failed.")
    case .update:
      throw IscsiadmError(
        .sessionNotFound, "Could not read info for flashnode \(index), No such file or directory",
        "Update for \(place) failed.")
    default: throw IscsiadmError(.invalidArgument, "Invalid operation")
    }
  }

  /// The host must be there, and of a driver that has a transport.
  private func checkHost() throws(IscsiadmError) {
    let hosts = try readingSysfs { () throws(SysfsError) in try machine.sysfs.hosts() }
    guard hosts.contains(where: { $0.number == number && $0.driver != nil }) else {
      throw IscsiadmError(
        .driverNotFound, "Could not read proc_name for host\(number) rc 5.",
        "Could not match hostno \(number) to transport.")
    }
  }
}
