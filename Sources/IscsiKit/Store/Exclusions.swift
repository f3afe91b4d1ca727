// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// Why the list of exclusions cannot be used. Nothing is logged out of then: an unread list must not pass for an empty one.
public enum ExclusionsError: DiagnosableError, Hashable {
  /// The file cannot be read.
  case unreadable(path: String, Errno)
  /// The file has more octets than are read.
  case tooLarge(path: String, limit: Int)
  /// This line is no target name and no beginning of one.
  case badLine(path: String, line: Int, text: String)

  /// What is wrong, and where.
  public var description: String {
    switch self {
    case .unreadable(let path, let errno): "the list of excluded targets \(path) cannot be read: \(errno.label)"
    case .tooLarge(let path, let limit): "the list of excluded targets \(path) has more than \(limit) octets"
    case .badLine(let path, let line, let text):
      "line \(line) of \(path) is no target name and no beginning of one: \(text.debugDescription)"
    }
  }

  /// Not allowed, or an unusable configuration.
  public var exitStatus: ExitStatus {
    switch self {
    case .unreadable(_, .permissionDenied), .unreadable(_, .notPermitted): .access
    default: .invalidArgument
    }
  }

  /// How to mend it.
  public var advice: String? {
    switch self {
    case .badLine: "write one name a line; a * at its end stands for any end, # begins a comment"
    case .unreadable(let path, .isDirectory): "put a file in the place of the folder \(path), or remove it"
    case .unreadable(let path, .permissionDenied), .unreadable(let path, .notPermitted):
      "run as root, and let root read it: chmod u+r \(path)"
    case .unreadable(let path, _): "look at it with: ls -l \(path); if no target is to be excluded, remove it"
    case .tooLarge: "use a * for the ends of many names"
    }
  }
}

/// The targets that a logout of all sessions leaves alone, such as the one with the root file system.
///
/// A line of the file is a target's name, or the beginning of names followed by `*`. `#` at the start of a line or after
/// a blank begins a comment. Names are compared octet by octet, as iSCSI does.
public struct Exclusions: Hashable, Sendable {
  /// Where the list is kept.
  public static let standardPath: FilePath = "/etc/iscsi-admin/exclusions.conf"

  /// The most octets that a file may have.
  static let sizeLimit = 1 << 20

  private var names: Set<String> = []
  private var beginnings: [String] = []

  /// No exclusions.
  public init() {}

  /// Reads a file. A missing file has no exclusions.
  public init(path: FilePath) throws(ExclusionsError) {
    let octets: [UInt8]
    do throws(Errno) {
      octets = try FileContents(of: path, limit: Self.sizeLimit + 1).octets
    } catch {
      if error == .noSuchFileOrDirectory {
        self.init()
        return
      }
      throw .unreadable(path: path.string, error)
    }
    guard octets.count <= Self.sizeLimit else { throw .tooLarge(path: path.string, limit: Self.sizeLimit) }
    try self.init(String(decoding: octets, as: UTF8.self), path: path.string)
  }

  /// Reads a text; the path is for messages.
  init(_ text: String, path: String) throws(ExclusionsError) {
    self.init()
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      let words = line.split(whereSeparator: \.isWhitespace)
      guard let word = words.first, !word.hasPrefix("#") else { continue }
      let isAlone = words.count == 1 || words[1].hasPrefix("#")
      guard isAlone, add(word) else { throw .badLine(path: path, line: index + 1, text: String(line.prefix(80))) }
    }
  }

  /// Whether the target is to be left alone.
  public func contains(_ target: some StringProtocol) -> Bool {
    names.contains(String(target)) || beginnings.contains { target.utf8.starts(with: $0.utf8) }
  }

  private mutating func add(_ word: Substring) -> Bool {
    if word.hasSuffix("*") {
      let beginning = String(word.dropLast())
      // A further star would be taken for a pattern, which this is not. A beginning need not be a whole name.
      guard !beginning.contains("*"), beginning.utf8.count <= ISCSIName.maximumLength else { return false }
      beginnings.append(beginning)
    } else {
      guard (try? ISCSIName(String(word))) != nil else { return false }
      names.insert(String(word))
    }
    return true
  }
}
