// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FoundationEssentials
import IscsiKit
import SystemPackage

/// What is to be explained.
enum ExplainSubject: Hashable, Sendable {
  /// A session by number.
  case session(SessionID)
  /// All sessions of a target.
  case target(TargetName)
  /// A disk or what is made of it, by a name or a path; or a path at which it is mounted.
  case device(String)

  /// Reads an argument.
  init(_ text: String) throws(ValidationError) {
    if text.isDecimal {
      self = .session(try parseSessionID(text))
    } else if let name = try? TargetName(text) {
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
          || session.devices.contains { $0.address == text }
      }
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

/// No session has a device of this name, or a disk that is mounted there.
struct NoSessionOfDevice: DiagnosableError, Hashable {
  /// What was named.
  let device: String
  /// 21.
  var exitStatus: ExitStatus { .noObjectsFound }
  /// What there is not.
  var description: String { "no session has a disk that is \(device), or is part of it, or is mounted there" }
  /// Where the devices are.
  var advice: String? { "iscsi-admin session list shows the sessions and their disks" }
}
