// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// Why there is no initiator name.
public enum InitiatorNameFileError: DiagnosableError, Hashable {
  /// The file cannot be read.
  case unreadable(path: String, Errno)
  /// The file has no line `InitiatorName=...`.
  case noName(path: String)
  /// The name in the file is wrong.
  case badName(path: String, ISCSINameError)

  /// The reason in words.
  public var description: String {
    switch self {
    case .unreadable(let path, let errno): "no initiator name: \(path) cannot be read: \(errno)"
    case .noName(let path): "no initiator name: \(path) has no line InitiatorName=iqn..."
    case .badName(let path, let reason): "the initiator name in \(path) is refused: \(reason)"
    }
  }

  /// Not allowed, or an unusable configuration.
  public var exitStatus: ExitStatus {
    if case .unreadable(_, .permissionDenied) = self { .access } else { .invalidArgument }
  }

  /// How to make a name.
  public var advice: String? {
    if case .unreadable(_, .permissionDenied) = self { return "give one with --initiator-name, or ask as root" }
    return "give one with --initiator-name, or make one: iscsi-admin initiator-name --generate --write"
  }
}

/// The file that holds the name of this machine as an initiator, shared with open-iscsi.
///
/// The name is the value of the first line whose key is `InitiatorName`. Lines are `key=value` with blanks allowed
/// around both; a line that starts with `#` is a comment.
public struct InitiatorNameFile: Hashable, Sendable {
  /// Where open-iscsi and every distribution keep it.
  public static let standardPath: FilePath = "/etc/iscsi/initiatorname.iscsi"

  /// The most octets that are read of a file.
  static let sizeLimit = 65_536

  /// The file's path.
  public let path: FilePath

  /// A file at `path`.
  public init(path: FilePath = InitiatorNameFile.standardPath) { self.path = path }

  /// What a file has at some time: name and alias of one reading.
  public struct Contents: Sendable {
    private let path: FilePath
    private let text: Result<String, Errno>

    fileprivate init(of path: FilePath) {
      self.path = path
      text = Result { () throws(Errno) in
        String(decoding: try FileContents(of: path, limit: sizeLimit).octets, as: UTF8.self)
      }
    }

    /// The machine's name.
    public var name: InitiatorName {
      get throws(InitiatorNameFileError) {
        let text: String
        do throws(Errno) { text = try self.text.get() } catch { throw .unreadable(path: path.string, error) }
        guard let value = InitiatorNameFile.value(in: text) else { throw .noName(path: path.string) }
        do { return try InitiatorName(value) } catch { throw .badName(path: path.string, error) }
      }
    }

    /// What targets' administrators are shown of this machine beside its name: the value of the first line whose key is
    /// `InitiatorAlias`, or else the host's name, as with open-iscsi. Only an alias that can be sent; nil if there is none, or if
    /// the file is there and cannot be read.
    public var alias: String? {
      if case .failure(let error) = text, error != .noSuchFileOrDirectory { return nil }
      let alias = (try? text.get()).flatMap { InitiatorNameFile.value(of: "InitiatorAlias", in: $0) }
      return alias.flatMap { LoginConfiguration.isAlias($0) ? $0 : nil } ?? InitiatorNameFile.hostName
    }
  }

  /// Reads the file. What is wrong with it is told to who asks for the name.
  public func contents() -> Contents { Contents(of: path) }

  /// Reads the name alone.
  public func read() throws(InitiatorNameFileError) -> InitiatorName { try contents().name }

  /// The host's name; nil if it has none.
  static var hostName: String? {
    guard let octets = try? FileContents(of: "/proc/sys/kernel/hostname", limit: 256).octets else { return nil }
    let name = String(decoding: octets.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    return name != "(none)" && LoginConfiguration.isAlias(name) ? name : nil
  }

  /// The value of the first line of a key; nil if there is none.
  static func value(of key: String = "InitiatorName", in text: String) -> String? {
    for line in text.split(whereSeparator: \.isNewline) {
      guard let found = self.key(of: line), found == key else { continue }
      return String(line.drop { $0 != "=" }.dropFirst().trimmingBlanks)
    }
    return nil
  }

  /// The key of a line; nil if it has none.
  static func key(of line: Substring) -> Substring? {
    guard let equals = line.firstIndex(of: "=") else { return nil }
    return line[..<equals].trimmingBlanks
  }
}

extension Substring {
  /// Without blanks and tabs at both ends.
  fileprivate var trimmingBlanks: Substring {
    let isBlank = { (character: Character) in character == " " || character == "\t" }
    guard let last = lastIndex(where: { !isBlank($0) }) else { return "" }
    return self[...last].drop(while: isBlank)
  }
}
