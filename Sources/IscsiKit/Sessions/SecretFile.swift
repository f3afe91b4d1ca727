// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// Why a file gives no secret. No case has any of the file's text.
public enum SecretFileError: DiagnosableError, Hashable {
  /// The file cannot be read.
  case unreadable(path: String, Errno)
  /// The first line is empty.
  case empty(path: String)
  /// The first line is longer than 255 octets, has a NUL, or is not UTF-8.
  case badSecret(path: String)

  /// The reason in words.
  public var description: String {
    switch self {
    case .unreadable(let path, let errno): "the secret in \(path) cannot be read: \(errno)"
    case .empty(let path): "the first line of \(path) is empty, it should be the secret"
    case .badSecret(let path): "the first line of \(path) is no secret: 1 to 255 octets of UTF-8 without NUL"
    }
  }

  /// Not allowed, or an argument is wrong.
  public var exitStatus: ExitStatus {
    if case .unreadable(_, .permissionDenied) = self { .access } else { .invalidArgument }
  }
}

/// A file whose first line, without its line end, is a secret.
public struct SecretFile: Hashable, Sendable {
  /// A secret as it was read.
  public struct Contents: Hashable, Sendable {
    /// The secret.
    public let secret: Secret
    /// Whether every user of the machine may read the file, which is worth a warning.
    public let isReadableByOthers: Bool
  }

  /// The most octets that are read.
  private static let sizeLimit = 4096

  /// The file's path; nil is standard input.
  public let path: FilePath?

  /// A file at `path`, or standard input for `-`.
  public init(_ path: String) { self.path = path == "-" ? nil : FilePath(path) }

  /// The path for messages.
  private var name: String { path?.string ?? "standard input" }

  /// Reads the secret. Standard input is read to its end and never counts as readable by others.
  public func read() throws(SecretFileError) -> Contents {
    let contents: FileContents
    do {
      contents =
        if let path { try FileContents(of: path, limit: Self.sizeLimit) } else {
          try FileContents(of: .standardInput, limit: Self.sizeLimit)
        }
    } catch {
      throw .unreadable(path: name, error)
    }
    var line = contents.octets.prefix { $0 != 0x0A }
    if line.last == 0x0D { line.removeLast() }
    guard !line.isEmpty else { throw .empty(path: name) }
    guard let text = String(validating: line, as: UTF8.self), let secret = Secret(text) else {
      throw .badSecret(path: name)
    }
    return Contents(secret: secret, isReadableByOthers: path != nil && contents.isReadableByOthers)
  }
}
