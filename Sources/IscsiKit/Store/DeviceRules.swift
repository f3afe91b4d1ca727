// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// Why the file of udev rules is not read or written.
public enum DeviceRulesError: DiagnosableError, Hashable {
  /// A file of this name is there, and is not ours.
  case foreign(path: String)
  /// A line of it is none of ours.
  case damaged(path: String, line: Int)
  /// A rule cannot name this target: udev would read its name as something else.
  case unusableName(TargetName)
  /// Another program is writing the file for too long.
  case busy(path: String)
  /// The system refuses it.
  case failed(path: String, Errno)

  /// What is in the way.
  public var description: String {
    switch self {
    case .foreign(let path): "\(path) is not ours: its first line is not that of iscsi-admin"
    case .damaged(let path, let line): "line \(line) of \(path) is not as iscsi-admin writes it"
    case .unusableName(let name): "a udev rule cannot name \(name): it may have letters, digits, '.', ':' and '-' only"
    case .busy(let path): "\(path) is being written by another program"
    case .failed(let path, let error): "\(path) cannot be read or written: \(error)"
    }
  }

  /// 15, 7, 28, 13 or 1.
  public var exitStatus: ExitStatus {
    switch self {
    case .foreign, .damaged: .sessionExists
    case .unusableName: .invalidArgument
    case .busy: .busy
    case .failed(_, .permissionDenied), .failed(_, .notPermitted), .failed(_, .readOnlyFileSystem): .access
    case .failed: .failure
    }
  }

  /// How to get on.
  public var advice: String? {
    switch self {
    case .foreign, .damaged: "move it out of the way; what it does can go into a file of another name"
    case .unusableName: "write a rule by hand, by ID_SERIAL or ID_WWN of its disks"
    case .busy, .failed: nil
    }
  }
}

/// What the disks of targets are set to whenever they appear: at boot, at a login and at a scan, whoever makes it.
///
/// It stands in a file of udev rules that is ours alone, which is recognised by its first line. A rule names the target by
/// `ID_PATH`, as `/dev/disk/by-path` does (systemd: `udev-builtin-path_id.c`), and is for the event `add` only: later ones,
/// as each program causes that has written to the disk, must not undo what has been set since.
public struct DeviceRules: Hashable, Sendable {
  /// Where the rules are. The number puts them behind those that find the disk's paths.
  public static let standardPath: FilePath = "/etc/udev/rules.d/61-iscsi-admin.rules"

  private static let header = "# Written by iscsi-admin tune --persist, which replaces this file as a whole."
  private static let start = [
    #"ACTION!="add", GOTO="iscsi_admin_end""#,
    #"SUBSYSTEM!="block", GOTO="iscsi_admin_end""#,
    #"ENV{DEVTYPE}!="disk", GOTO="iscsi_admin_end""#,
    #"ENV{ID_PATH}=="", IMPORT{builtin}="path_id""#,
  ]
  private static let end = #"LABEL="iscsi_admin_end""#
  /// The most octets that are read: some thousands of targets.
  private static let sizeLimit = 4 << 20

  private var settings: [TargetName: DeviceSettings] = [:]

  /// No rules.
  public init() {}

  /// The targets that have rules, by name, and what their disks are set to.
  public var all: [(target: TargetName, settings: DeviceSettings)] {
    settings.sorted { $0.key.description < $1.key.description }.map { ($0.key, $0.value) }
  }

  /// Sets what the disks of a target are to have; nothing takes its rule away.
  ///
  /// - Throws: `unusableName` for a target that no rule can name.
  public mutating func set(_ new: DeviceSettings, of target: TargetName) throws(DeviceRulesError) {
    if !new.isEmpty, !target.description.utf8.allSatisfy({ $0.isNameOctet }) { throw .unusableName(target) }
    settings[target] = new.isEmpty ? nil : new
  }

  /// The file's contents.
  var text: String {
    let rules = all.flatMap { ["# \($0.target)\($0.settings.comment)", Self.rule($0.target, $0.settings)] }
    return ([Self.header] + Self.start + rules + [Self.end]).map { $0 + "\n" }.joined()
  }

  private static func rule(_ target: TargetName, _ settings: DeviceSettings) -> String {
    // The second match leaves out targets whose names go on with "-lun-".
    [
      #"ENV{ID_PATH}=="*-iscsi-\#(target)-lun-*""#, #"ENV{ID_PATH}!="*-iscsi-\#(target)-lun-*-lun-*""#,
      settings.timeout.map { #"ATTR{device/timeout}="\#($0)""# },
      settings.errorHandlingTimeout.map { #"ATTR{device/eh_timeout}="\#($0)""# },
      settings.scheduler.map { #"ATTR{queue/scheduler}="\#($0)""# },
    ].compactMap(\.self).joined(separator: ", ")
  }

  /// Reads a file's contents.
  ///
  /// - Throws: `foreign` or `damaged`.
  init(_ text: String, path: String) throws(DeviceRulesError) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.first.map(String.init) == Self.header else { throw .foreign(path: path) }
    for (number, line) in lines.enumerated() where number > 0 && line.hasPrefix("# ") {
      let words = line.dropFirst(2).split(separator: " ")
      guard let name = words.first.flatMap({ try? TargetName(String($0)) }),
        let found = DeviceSettings(comment: words.dropFirst())
      else { throw .damaged(path: path, line: number + 1) }
      settings[name] = found
    }
    // What somebody has added would be lost with the next change.
    let (ours, theirs) = (self.text.split(separator: "\n", omittingEmptySubsequences: false), lines)
    if let line = zip(ours, theirs).enumerated().first(where: { $0.element.0 != $0.element.1 })?.offset {
      throw .damaged(path: path, line: line + 1)
    }
    guard ours.count == theirs.count else { throw .damaged(path: path, line: min(ours.count, theirs.count)) }
  }

  // MARK: - The file

  /// Reads the rules; none if there is no file.
  ///
  /// - Throws: `foreign`, `damaged` or `failed`.
  public init(path: FilePath = standardPath) throws(DeviceRulesError) {
    let octets: [UInt8]
    do throws(Errno) {
      octets = try FileContents(of: path, limit: Self.sizeLimit, isPlain: true).octets
    } catch .noSuchFileOrDirectory {
      self.init()
      return
    } catch {
      throw .failed(path: path.string, error)
    }
    try self.init(String(decoding: octets, as: UTF8.self), path: path.string)
  }

  /// How long another writer is waited for, which takes moments.
  private static let patience = Duration.seconds(10)

  /// Changes the rules. The file has the old ones or the new ones, whenever the machine stops; without rules there is none.
  /// udev takes them up by itself, within three seconds.
  ///
  /// - Parameters:
  ///   - path: The file. Its folder is made if it is not there.
  ///   - change: What to do to the rules that are there.
  /// - Returns: Whether that changed anything.
  /// - Throws: `DeviceRulesError`; the file is as it was then.
  @discardableResult
  public static func update(
    path: FilePath = standardPath, _ change: (inout DeviceRules) throws(DeviceRulesError) -> Void
  ) throws(DeviceRulesError) -> Bool {
    guard let last = path.lastComponent?.string else { throw .failed(path: path.string, .invalidArgument) }
    let folder = try lockedFolder(of: path)
    let old = try DeviceRules(path: path)
    var new = old
    try change(&new)
    guard new != old else { return false }
    do throws(Errno) {
      if new.settings.isEmpty {
        try folder.remove(last)
      } else {
        let temporary = ".\(last).new"
        // What a writer has left there that died.
        try? folder.remove(temporary)
        try folder.create(temporary, Array(new.text.utf8), isFlushed: true)
        try folder.move(temporary, to: folder, as: last, keepsPermissions: true)
      }
      try folder.flush()
    } catch {
      throw .failed(path: path.string, error)
    }
    return true
  }

  private static func lockedFolder(of path: FilePath) throws(DeviceRulesError) -> Directory {
    do throws(Errno) {
      try AtomicFile.makeDirectory(path.removingLastComponent())
      let folder = try Directory(path: path.removingLastComponent())
      try folder.lock(until: .now + patience)
      return folder
    } catch {
      throw error == .wouldBlock ? .busy(path: path.string) : .failed(path: path.string, error)
    }
  }
}

extension DeviceSettings {
  /// Each setting as ` NAME=VALUE`, by which the file of rules is read again.
  fileprivate var comment: String {
    [
      timeout.map { " \(Timeout.device)=\($0)" }, errorHandlingTimeout.map { " \(Timeout.deviceErrorHandling)=\($0)" },
      scheduler.map { " \(IOScheduler.settingName)=\($0)" },
    ].compactMap(\.self).joined()
  }

  /// Reads the words of a comment; nil for what is none.
  fileprivate init?(comment words: ArraySlice<Substring>) {
    var settings = TimeoutSettings()
    for word in words {
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, (try? settings.add(parts[0], parts[1])) != nil else { return nil }
    }
    self.init(settings)
    guard !isEmpty else { return nil }
  }
}

extension UInt8 {
  /// Whether an octet of a name is nothing special in udev's rules.
  fileprivate var isNameOctet: Bool {
    isDigit || (0x61...0x7A).contains(self) || (0x41...0x5A).contains(self) || [0x2D, 0x2E, 0x3A, 0x5F].contains(self)
  }
}
