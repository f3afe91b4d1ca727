// SPDX-License-Identifier: Apache-2.0
import SystemPackage

/// Reads sessions for one answer of ``Sysfs``.
struct SysfsSessionReader {
  private let detail: Sysfs.Detail
  /// The hosts read so far: sessions of an offload card share one. The memory cannot go stale within an answer: only
  /// a session made after the listing could have a host of the same number, and that session is not in the listing.
  private var hosts = HostMemory()

  init(detail: Sysfs.Detail) { self.detail = detail }

  /// Reads one session of the class directory `sessions`; nil if it is gone, even if that happened half way.
  mutating func session(
    _ id: SessionID, in sessions: borrowing SysfsDirectory
  ) throws(Errno) -> SessionSnapshot? {
    guard let directory = try sessions.directory("session\(id)") else { return nil }
    var session = SessionSnapshot(id: id)
    session.targetName = try directory.text("targetname")
    session.tag = try directory.number("tpgt")
    session.interfaceName = try directory.text("ifacename")
    session.creator = try directory.number("creator")
    if detail >= .summary { session.targetState = try directory.text("target_state").flatMap(KernelTargetState.init) }
    if detail >= .parameters { try readDetails(of: &session, in: directory) }
    if let device = try directory.directory("device") {
      let names = try device.names()
      session.connection = try connection(of: &session, in: device, names)
      if detail >= .summary { session.devices = try devices(in: device, names) }
      if let number = Self.hostNumber(of: id, in: sessions) {
        session.host = try host(number, of: device)
        session.transport = session.host?.transport
      }
    }
    // Last: as long as this can be read, all that was read before belongs to a living session.
    guard let state = try directory.contents("state") else { return nil }
    session.state = KernelSessionState(rawValue: state)
    return session
  }

  /// Reads the state and the devices of a session; nil if it is gone.
  func devices(
    of id: SessionID, in sessions: borrowing SysfsDirectory
  ) throws(Errno) -> (state: KernelSessionState?, devices: [DeviceSnapshot])? {
    guard let directory = try sessions.directory("session\(id)") else { return nil }
    var found: [DeviceSnapshot] = []
    if let device = try directory.directory("device") { found = try devices(in: device, try device.names()) }
    // Last: then it is alive, and its state is not older than the devices.
    guard let state = try directory.contents("state") else { return nil }
    return (KernelSessionState(rawValue: state), found)
  }

  /// Reads the state of a session, and which disks have no block device yet, by their paths below the session's device; nil if it
  /// is gone. Of those that are known to have had none before it looks at no others.
  func unattachedDisks(
    among known: [String]?, of id: SessionID, in sessions: borrowing SysfsDirectory
  ) throws(Errno) -> (state: KernelSessionState?, disks: [String])? {
    var found: [String] = []
    if let known {
      for path in known where try Self.isUnattached("session\(id)/device/\(path)", in: sessions) { found.append(path) }
    } else if let device = try sessions.directory("session\(id)/device") {
      for path in try Self.devicePaths(in: device) where try device.names(in: "\(path)/block").isEmpty {
        let type: UInt32? = try device.number("\(path)/type")
        if type == 0 { found.append(path) }
      }
    }
    guard let state = try sessions.contents("session\(id)/state") else { return nil }
    return (KernelSessionState(rawValue: state), found)
  }

  /// Whether a disk is there and has no block device. The directory of that comes a moment before it: nothing is listed as long
  /// as there is none, since hundreds may wait and look again and again.
  private static func isUnattached(_ path: String, in sessions: borrowing SysfsDirectory) throws(Errno) -> Bool {
    let block = "\(path)/block"
    return sessions.exists(block) ? try sessions.names(in: block).isEmpty : sessions.exists(path)
  }

  private static func devicePaths(in session: borrowing SysfsDirectory) throws(Errno) -> [String] {
    var found: [String] = []
    for target in try session.names() where target.hasPrefix("target") {
      for name in try session.names(in: target) where DeviceSnapshot(address: name) != nil {
        found.append("\(target)/\(name)")
      }
    }
    return found
  }

  /// Finds the host of a session: the link of its class entry ends in `hostH/sessionS/iscsi_session/sessionS`.
  static func hostNumber(of id: SessionID, in sessions: borrowing SysfsDirectory) -> HostNumber? {
    let name = "session\(id)"
    guard let target = sessions.linkTarget(name) else { return nil }
    // By octets: the names are ASCII, and finding out what a character is takes longer than all else here.
    let (path, session) = (Array(target.utf8), Array(name.utf8))
    var (before, start) = (0..<0, 0)
    while start < path.count {
      let end = path[start...].firstIndex(of: UInt8(ascii: "/")) ?? path.count
      if path[start..<end] == session[...] {
        return Sysfs.number(of: String(decoding: path[before], as: UTF8.self), after: "host").map(HostNumber.init)
      }
      (before, start) = (start..<end, end + 1)
    }
    return nil
  }

  /// The number in `recovery_tmo` or `eh_deadline`, which is a word for none.
  static func seconds(_ text: String?) -> Int32? { text.flatMap { $0 == "off" ? -1 : Int32($0) } }

  /// The word in brackets of a choice such as `[mq-deadline] none`; the only word of a queue that leaves no choice.
  static func chosen(in text: String?) -> String? {
    let words = text?.split(separator: " ") ?? []
    guard let chosen = words.first(where: { $0.hasPrefix("[") && $0.hasSuffix("]") }) else {
      return words.count == 1 ? words.first.map(String.init) : nil
    }
    return chosen.count > 2 ? String(chosen.dropFirst().dropLast()) : nil
  }

  /// All words of such a choice.
  static func choices(in text: String?) -> [String] {
    (text?.split(separator: " ") ?? []).map { String($0.drop { $0 == "[" }.prefix { $0 != "]" }) }
  }

  private func readDetails(
    of session: inout SessionSnapshot, in directory: borrowing SysfsDirectory
  ) throws(Errno) {
    session.initiatorName = try directory.text("initiatorname")
    session.userName = try directory.text("username")
    session.userNameIn = try directory.text("username_in")
    session.replacementTimeout = Self.seconds(try directory.text("recovery_tmo"))
    session.abortTimeout = try directory.number("abort_tmo")
    session.luResetTimeout = try directory.number("lu_reset_tmo")
    session.targetResetTimeout = try directory.number("tgt_reset_tmo")
    session.negotiated.initialR2T = try directory.flag("initial_r2t")
    session.negotiated.immediateData = try directory.flag("immediate_data")
    session.negotiated.firstBurstLength = try directory.number("first_burst_len")
    session.negotiated.maxBurstLength = try directory.number("max_burst_len")
    session.negotiated.maxOutstandingR2T = try directory.number("max_outstanding_r2t")
    guard detail >= .full else { return }
    session.targetNumber = try directory.number("target_id")
    session.fastAbort = try directory.flag("fast_abort")
    session.negotiated.errorRecoveryLevel = try directory.number("erl")
    session.negotiated.dataPDUInOrder = try directory.flag("data_pdu_in_order")
    session.negotiated.dataSequenceInOrder = try directory.flag("data_seq_in_order")
  }

  /// Reads the leading connection, the one with the lowest number, and its part of the negotiated parameters.
  private func connection(
    of session: inout SessionSnapshot, in device: borrowing SysfsDirectory, _ names: [String]
  ) throws(Errno) -> ConnectionSnapshot? {
    let prefix = "connection\(session.id):"
    guard let number = names.compactMap({ Sysfs.number(of: $0, after: prefix) }).min() else { return nil }
    let name = prefix + String(number)
    let path = name + "/iscsi_connection/" + name
    guard let directory = try device.directory(path) else { return nil }
    var connection = ConnectionSnapshot(id: ConnectionID(rawValue: number))
    connection.persistentAddress = try directory.text("persistent_address")
    connection.persistentPort = try directory.number("persistent_port")
    connection.address = try directory.text("address")
    connection.port = try directory.number("port")
    var negotiated = session.negotiated
    if detail >= .parameters {
      negotiated.headerDigest = try directory.flag("header_digest").map { $0 ? .crc32c : .none }
      negotiated.dataDigest = try directory.flag("data_digest").map { $0 ? .crc32c : .none }
      negotiated.maxRecvDataSegmentLength = try directory.number("max_recv_dlength")
      negotiated.maxXmitDataSegmentLength = try directory.number("max_xmit_dlength")
    }
    if detail >= .full {
      connection.localPort = try directory.number("local_port")
      connection.noopTimeout = try directory.number("ping_tmo")
      connection.noopInterval = try directory.number("recv_tmo")
      connection.expStatSN = try directory.number("exp_statsn")
    }
    let state = detail >= .summary ? try directory.contents("state") : nil
    // Kernels before 5.7 have no `state` here, so that its absence alone does not mean that the connection is gone.
    guard state != nil || device.exists(path) else { return nil }
    connection.state = state.flatMap(KernelConnectionState.init)
    session.negotiated = negotiated
    return connection
  }

  private func devices(in session: borrowing SysfsDirectory, _ names: [String]) throws(Errno) -> [DeviceSnapshot] {
    var found: [DeviceSnapshot] = []
    for target in names where target.hasPrefix("target") {
      for name in try session.names(in: target) {
        guard var device = DeviceSnapshot(address: name) else { continue }
        guard let directory = try session.directory("\(target)/\(name)") else { continue }
        if try read(&device, in: directory) { found.append(device) }
      }
    }
    return found.sorted { ($0.channel, $0.target, $0.lun) < ($1.channel, $1.target, $1.lun) }
  }

  /// Fills in a device; false if it is gone.
  private func read(_ device: inout DeviceSnapshot, in directory: borrowing SysfsDirectory) throws(Errno) -> Bool {
    device.blockDevice = try directory.names(in: "block").min()
    if detail >= .devices {
      device.type = try directory.number("type")
      device.vendor = try directory.trimmedText("vendor")
      device.model = try directory.trimmedText("model")
      device.revision = try directory.trimmedText("rev")
      if let block = device.blockDevice, let sectors: UInt64 = try directory.number("block/\(block)/size") {
        // Always in units of 512 octets, whatever the block size of the device is.
        let (octets, overflow) = sectors.multipliedReportingOverflow(by: 512)
        device.size = overflow ? nil : octets
      }
    }
    if detail >= .full {
      device.timeout = try directory.number("timeout")
      device.errorHandlingTimeout = try directory.number("eh_timeout")
      device.queueDepth = try directory.number("queue_depth")
      if detail >= .complete, let block = device.blockDevice {
        device.scheduler = Self.chosen(in: try directory.text("block/\(block)/queue/scheduler"))
      }
    }
    guard let state = try directory.contents("state") else { return false }
    device.state = state.isEmpty ? nil : state
    return true
  }

  private mutating func host(
    _ number: HostNumber, of session: borrowing SysfsDirectory
  ) throws(Errno) -> HostSnapshot? {
    if let host = hosts.host(number) { return host }
    guard let directory = try session.directory(".."),
      let host = try HostSnapshot(number, in: directory, detail)
    else { return nil }
    hosts.remember(host)
    return host
  }
}

/// Hosts by number. They come in that order, but for few: a dictionary would be no faster, and the first one of a type takes
/// the runtime longer than reading a session.
private struct HostMemory {
  private var hosts: [HostSnapshot] = []

  /// The host of a number, if it is here.
  func host(_ number: HostNumber) -> HostSnapshot? {
    let place = place(of: number)
    return place < hosts.count && hosts[place].number == number ? hosts[place] : nil
  }

  /// Takes a host that is not here yet.
  mutating func remember(_ host: HostSnapshot) { hosts.insert(host, at: place(of: host.number)) }

  /// Where a number is, or would be: how many lower ones there are.
  private func place(of number: HostNumber) -> Int {
    var (first, end) = (0, hosts.count)
    if let last = hosts.last, last.number < number { return end }
    while first < end {
      let middle = (first + end) / 2
      if hosts[middle].number < number { first = middle + 1 } else { end = middle }
    }
    return first
  }
}

extension HostSnapshot {
  /// Reads the host whose device directory (`.../hostH`) is `directory`; nil if it is gone.
  init?(_ number: HostNumber, in directory: borrowing SysfsDirectory, _ detail: Sysfs.Detail) throws(Errno) {
    self.init(number: number)
    driver = try directory.text("scsi_host/host\(number)/proc_name")
    if detail >= .parameters, let iscsi = try directory.directory("iscsi_host/host\(number)") {
      ipAddress = try iscsi.text("ipaddress")
      hardwareAddress = try iscsi.text("hwaddress")
      networkDevice = try iscsi.text("netdev")
      initiatorName = try iscsi.text("initiatorname")
    }
    if detail >= .full {
      errorHandlingDeadline = SysfsSessionReader.seconds(try directory.text("scsi_host/host\(number)/eh_deadline"))
    }
    guard detail >= .summary else { return }
    guard let word = try directory.contents("scsi_host/host\(number)/state") else { return nil }
    state = word.isEmpty ? nil : word
  }
}

extension DeviceSnapshot {
  /// A device from the name of its directory, `H:C:T:L`.
  init?(address: String) {
    var numbers = InlineArray<4, UInt64>(repeating: 0)
    var (index, digits) = (0, 0)
    for octet in address.utf8 {
      if octet == UInt8(ascii: ":") {
        guard digits > 0, index < 3 else { return nil }
        (index, digits) = (index + 1, 0)
        continue
      }
      let (tens, overflow) = numbers[index].multipliedReportingOverflow(by: 10)
      guard octet.isDigit, !overflow else { return nil }
      let (sum, carry) = tens.addingReportingOverflow(UInt64(octet - UInt8(ascii: "0")))
      guard !carry else { return nil }
      numbers[index] = sum
      digits += 1
    }
    guard index == 3, digits > 0, let host = UInt32(exactly: numbers[0]), let channel = UInt32(exactly: numbers[1]),
      let target = UInt32(exactly: numbers[2])
    else { return nil }
    self.init(host: HostNumber(rawValue: host), channel: channel, target: target, lun: numbers[3])
  }
}
