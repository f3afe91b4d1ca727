// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// Why the initiator's name is not stored.
public enum InitiatorNameWriteError: DiagnosableError, Hashable {
  /// The file has a name already.
  case exists(path: String, name: String)
  /// The file cannot be written.
  case unwritable(path: String, Errno)

  /// What is in the way.
  public var description: String {
    switch self {
    case .exists(let path, let name): "\(path) has a name already: \(name)"
    case .unwritable(let path, let errno): "\(path) cannot be written: \(errno.label)"
    }
  }

  /// 15, 13, or 1.
  public var exitStatus: ExitStatus {
    switch self {
    case .exists: .sessionExists
    case .unwritable(_, .permissionDenied), .unwritable(_, .notPermitted): .access
    case .unwritable: .failure
    }
  }

  /// What to think of first.
  public var advice: String? {
    switch self {
    case .exists: "targets may know this machine by it; --force replaces it"
    case .unwritable: nil
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
        case .badName(_, let reason): return "\(reason)"
        case .noName, .unreadable(_, .noSuchFileOrDirectory): return nil
        case .unreadable(let path, let errno): throw .unwritable(path: path, errno)
        }
      }
    }
  }

  /// Stores a name, for root to read alone. The file has the old name or the new one, whenever the machine stops.
  ///
  /// - Parameters:
  ///   - name: The name.
  ///   - isReplacing: Whether a name that is there may go, with what else the file has.
  /// - Throws: `exists`, or `unwritable`.
  public func write(_ name: InitiatorName, isReplacing: Bool = false) throws(InitiatorNameWriteError) {
    if !isReplacing, let value = try storedText { throw .exists(path: path.string, name: value) }
    do throws(Errno) {
      let directory = path.removingLastComponent()
      try AtomicFile.makeDirectory(directory)
      let folder = try Directory(path: directory)
      guard let last = path.lastComponent?.string else { throw .invalidArgument }
      let temporary = ".\(last).new"
      // What a writer has left there that died.
      try? folder.remove(temporary)
      try folder.create(temporary, Array("InitiatorName=\(name)\n".utf8), isFlushed: true)
      try folder.move(temporary, to: folder, as: last)
      try folder.flush()
    } catch {
      throw .unwritable(path: path.string, error)
    }
  }
}
