// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FoundationEssentials
import IscsiKit
import SystemPackage

/// Sessions as an argument names them, or what is made of their disks.
enum SessionSubject: Hashable, Sendable {
  /// A session by number.
  case session(SessionID)
  /// All sessions of a target.
  case target(TargetName)
  /// A disk or what is made of it, by a name or a path; or a path at which it is mounted; or a target whose name has none of the
  /// standard's formats, and looks like that of a disk.
  case device(String)

  /// Reads an argument.
  init(_ text: String) throws(ValidationError) {
    if text.isDecimal {
      self = .session(try parseSessionID(text))
    } else if let name = try? TargetName(text), name.iscsiName != nil {
      self = .target(name)
    } else {
      guard !text.isEmpty else { throw ValidationError("an empty name") }
      self = .device(text)
    }
  }

  /// That nothing here is a session's.
  var nothing: any DiagnosableError {
    switch self {
    case .session(let id): NoSession(selector: .id(id))
    case .target(let name): NoSession(selector: .target(name))
    case .device(let text): NoSessionOfDevice(device: text)
    }
  }

  /// The sessions that are meant.
  ///
  /// - Parameters:
  ///   - all: All sessions.
  ///   - inventory: What is made of disks, and where they are mounted; nil if that cannot be read.
  ///   - sysfs: Where sysfs is.
  /// - Returns: The sessions by number.
  func sessions(among all: [SessionSnapshot], _ inventory: DiskInventory?, sysfs: FilePath) -> [SessionSnapshot] {
    switch self {
    case .session(let id): all.filter { $0.id == id }
    case .target(let name): all.filter { $0.targetName == name.description }
    case .device(let text):
      all.filter { session in
        let disks = session.devices.compactMap(\.blockDevice)
        return disks.contains { isMeant(by: text, $0, inventory, sysfs: sysfs) }
          || session.devices.contains { $0.address == text } || session.targetName == text
      }
    }
  }

  /// Whether all of a target is meant, also what is not there. A word that names no disk may be the name of a target.
  func isTarget(_ sessions: [SessionSnapshot]) -> Bool {
    switch self {
    case .session: false
    case .target: true
    case .device: sessions.isEmpty
    }
  }

  /// The targets that it is about: that which is named, or may be, and those of its sessions.
  func targets(of sessions: [SessionSnapshot]) -> [TargetName] {
    switch self {
    case .target(let name): return [name]
    case .device(let text) where sessions.isEmpty: return [try? TargetName(text)].compactMap(\.self)
    case .session, .device: break
    }
    return Set(sessions.compactMap(\.targetName)).sorted().compactMap { try? TargetName($0) }
  }

  /// Where there are records and no session; a record for which another portal of its target will do is no such place.
  static func missing(_ records: [NodeRecord], among all: [SessionSnapshot]) -> [EvidenceCollector.Place] {
    let (keys, targets) = (Set(all.map(SessionKey.init)), Set(all.compactMap(\.targetName)))
    return records.filter { record in
      !keys.contains(SessionKey(record)) && !(record.leadingLogin && targets.contains(record.target.description))
    }.map { record in
      .init(
        target: record.target, portal: record.portal,
        interface: record.interface.name == .standard ? nil : record.interface.name.description,
        binding: record.binding, isAutomatic: record.startup != .manual)
    }
  }

  /// What the records of sessions say of them.
  static func recorded(
    _ sessions: [SessionSnapshot], by records: [NodeRecord]
  ) -> [SessionID: EvidenceCollector.Recorded] {
    sessions.reduce(into: [:]) { found, session in
      guard let record = records.first(where: { SessionKey($0) == SessionKey(session) }) else { return }
      found[session.id] = .init(binding: record.binding, sessionCount: Int(record.sessionCount))
    }
  }

  /// Whether a disk is what a text names.
  private func isMeant(by text: String, _ disk: String, _ inventory: DiskInventory?, sysfs: FilePath) -> Bool {
    let names = Self.names(behind: text)
    if names.contains(disk) { return true }
    // Partitions stand in the folder of their disk.
    let folder = sysfs.appending("class/block").appending(disk).string
    if names.contains(where: { FileManager.default.fileExists(atPath: "\(folder)/\($0)/partition") }) { return true }
    guard let context = try? inventory?.context(of: disk) else { return false }
    if (context.idLinks + context.pathLinks).contains(text) { return true }
    if context.holders.contains(where: { names.contains($0.name) || $0.mapping.map(names.contains) == true }) {
      return true
    }
    return context.uses.contains { use in
      if case .mounted(at: let path) = use.kind { path == Self.withoutSlash(text) } else { false }
    }
  }

  /// The device names that a text can stand for: itself, the end of a path below /dev, and what that is a link to.
  private static func names(behind text: String) -> Set<String> {
    guard text.contains("/") else { return [text] }
    guard text.hasPrefix("/dev/") else { return [] }
    let target = try? FileManager.default.destinationOfSymbolicLink(atPath: text)
    return Set([text, target].compactMap { $0?.split(separator: "/").last.map(String.init) })
  }

  /// A path as the kernel has it.
  private static func withoutSlash(_ path: String) -> String {
    path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
  }
}

extension SysfsLocation {
  /// The sessions that are named, each once, in the order of their naming; what names none is told.
  func ids(of subjects: [SessionSubject], _ output: inout CommandOutput) throws(SysfsError) -> [SessionID] {
    var (ids, known): ([SessionID], Set<SessionID>) = ([], [])
    // Most often a number is given, and nothing has to be looked for.
    let isSearch = subjects.contains { if case .session = $0 { false } else { true } }
    let all = isSearch ? try sysfs.sessions(.summary) : []
    let inventory = isSearch ? try? inventory() : nil
    for subject in subjects {
      var found: [SessionID] = []
      if case .session(let id) = subject {
        found = [id]
      } else {
        found = subject.sessions(among: all, inventory, sysfs: sysfs.root).map(\.id)
        if found.isEmpty { output.fail(subject.nothing) }
      }
      ids += found.filter { known.insert($0).inserted }
    }
    return ids
  }
}

extension NodeRecord {
  /// What its connection is bound to.
  fileprivate var binding: InterfaceBinding {
    (try? interface.binding()) ?? .automatic
  }
}

/// No session has a device of this name, or a disk that is mounted there.
struct NoSessionOfDevice: DiagnosableError, Hashable {
  /// What was named.
  let device: String
  /// 21.
  var exitStatus: ExitStatus { .noObjectsFound }
  /// What there is not.
  var description: String {
    let isMissing = device.contains("/") && !FileManager.default.fileExists(atPath: device)
    return isMissing
      ? "there is no \(device)" : "no session has a disk that is \(device), or is part of it, or is mounted there"
  }
  /// Where the devices are.
  var advice: String? { "iscsi-admin session list shows the sessions and their disks" }
}
