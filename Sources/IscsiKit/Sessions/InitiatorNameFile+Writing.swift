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

  /// Stores a name, for root to read alone. The file has the old name or the new one, whenever the machine stops.
  ///
  /// Of several that store a name where there is none, one does, and the others are told of it: a machine that has two
  /// names, one in its file and one in what its targets were told, cannot log in.
  ///
  /// - Parameters:
  ///   - name: The name.
  ///   - isReplacing: Whether a name that is there may go, with what else the file has.
  /// - Throws: `exists`, `busy`, or `unwritable`.
  public func write(_ name: InitiatorName, isReplacing: Bool = false) throws(InitiatorNameWriteError) {
    guard let last = path.lastComponent?.string else { throw .unwritable(path: path.string, .invalidArgument) }
    let folder = try lockedFolder()
    if !isReplacing, let value = try storedText { throw .exists(path: path.string, name: value) }
    let isStored: Bool
    do throws(Errno) {
      let temporary = ".\(last).new"
      // What a writer has left there that died.
      try? folder.remove(temporary)
      try folder.create(temporary, Array("InitiatorName=\(name)\n".utf8), isFlushed: true)
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
