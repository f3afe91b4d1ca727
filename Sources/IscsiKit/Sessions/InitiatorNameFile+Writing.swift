// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// Why the initiator's name is not stored.
public enum InitiatorNameWriteError: DiagnosableError, Hashable {
  /// The file has a name already.
  case exists(path: String, name: String)
  /// Another program is storing a name for too long.
  case busy(path: String)
  /// The file cannot be written.
  case unwritable(path: String, Errno)

  /// What is in the way.
  public var description: String {
    switch self {
    case .exists(let path, let name): "\(path) has a name already: \(name)"
    case .busy(let path): "\(path) is being written by another program"
    case .unwritable(let path, let errno): "\(path) cannot be written: \(errno.label)"
    }
  }

  /// 15, 28, 13, or 1.
  public var exitStatus: ExitStatus {
    switch self {
    case .exists: .sessionExists
    case .busy: .busy
    case .unwritable(_, .permissionDenied), .unwritable(_, .notPermitted): .access
    case .unwritable: .failure
    }
  }

  /// What to think of first.
  public var advice: String? {
    switch self {
    case .exists: "targets may know this machine by it; --force replaces it"
    case .busy, .unwritable: nil
    }
  }
}

extension InitiatorNameFile {
  /// What stands in the file for a name, good or not; nil if nothing does.
  private var storedText: String? {
    get throws(InitiatorNameWriteError) {
      do throws(InitiatorNameFileError) {
        return try read().description
      } catch {
        switch error {
        case .badName(_, .empty), .noName, .unreadable(_, .noSuchFileOrDirectory): return nil
        case .badName(_, let reason): return "\(reason)"
        case .unreadable(let path, let errno): throw .unwritable(path: path, errno)
        }
      }
    }
  }

  /// How long another writer is waited for, which takes moments.
  private static let patience = Duration.seconds(10)

  /// Stores a name, for root to read alone. The file has the old name or the new one, whenever the machine stops. What else it
  /// says stays, and so does a symbolic link that leads to it.
  ///
  /// Of several that store a name where there is none, one does, and the others are told of it: a machine that has two
  /// names, one in its file and one in what its targets were told, cannot log in.
  ///
  /// - Parameters:
  ///   - name: The name.
  ///   - isReplacing: Whether a name that is there may go.
  /// - Throws: `exists`, `busy`, or `unwritable`.
  public func write(_ name: InitiatorName, isReplacing: Bool = false) throws(InitiatorNameWriteError) {
    let file = InitiatorNameFile(path: linkedPath)
    guard let last = file.path.lastComponent?.string else { throw .unwritable(path: path.string, .invalidArgument) }
    let folder = try file.lockedFolder()
    if !isReplacing, let value = try storedText { throw .exists(path: path.string, name: value) }
    let isStored: Bool
    do throws(Errno) {
      let text = try file.text(with: name)
      let temporary = ".\(last).new"
      // What a writer has left there that died.
      try? folder.remove(temporary)
      try folder.create(temporary, Array(text.utf8), isFlushed: true)
      if isReplacing || folder.identity(of: last) != nil {
        try folder.move(temporary, to: folder, as: last)
        isStored = true
      } else {
        // open-iscsi's programs know nothing of the lock, and their file must not be replaced either.
        isStored = try folder.link(temporary, as: last)
        try folder.remove(temporary)
      }
      try folder.flush()
    } catch {
      throw .unwritable(path: path.string, error)
    }
    guard isStored else { throw .exists(path: path.string, name: try storedText ?? "") }
  }

  /// Where the file is that a symbolic link leads to, if the path is one.
  private var linkedPath: FilePath {
    var path = path
    // As many as the kernel follows.
    for _ in 0..<40 {
      guard let target = Self.linkTarget(of: path) else { break }
      path = path.removingLastComponent().pushing(FilePath(target))
    }
    return path
  }

  /// What a symbolic link has; nil for what is none.
  private static func linkTarget(of path: FilePath) -> String? {
    let folder = path.removingLastComponent()
    guard let last = path.lastComponent?.string, let directory = try? Directory(path: folder.isEmpty ? "." : folder)
    else { return nil }
    return directory.linkTarget(last)
  }

  /// The text of the file with another name.
  private func text(with name: InitiatorName) throws(Errno) -> String {
    var octets: [UInt8] = []
    do throws(Errno) { octets = try FileContents(of: path, limit: Self.sizeLimit + 1).octets } catch {
      guard error == .noSuchFileOrDirectory else { throw error }
    }
    guard octets.count <= Self.sizeLimit else { throw .fileTooLarge }
    var lines = String(decoding: octets, as: UTF8.self).split(
      omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    if lines.last == "" { lines.removeLast() }
    let place = lines.firstIndex { Self.key(of: $0) == "InitiatorName" } ?? lines.endIndex
    lines.insert("InitiatorName=\(name)", at: place)
    // GenerateName=yes lets Debian's open-iscsi make another name.
    let others = lines[(place + 1)...].filter { Self.key(of: $0) != "InitiatorName" }
    return (lines[...place] + others).filter { Self.key(of: $0) != "GenerateName" }.map { $0 + "\n" }.joined()
  }

  /// The file's folder, which is made if it is not there, locked: nobody of ours comes between a look and a new name.
  private func lockedFolder() throws(InitiatorNameWriteError) -> Directory {
    do throws(Errno) {
      let directory = path.removingLastComponent()
      try AtomicFile.makeDirectory(directory)
      let folder = try Directory(path: directory.isEmpty ? "." : directory)
      try folder.lock(until: .now + Self.patience)
      return folder
    } catch {
      throw error == .wouldBlock ? .busy(path: path.string) : .unwritable(path: path.string, error)
    }
  }
}
