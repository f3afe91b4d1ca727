// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// Why the record database cannot be used.
public enum DatabaseError: DiagnosableError, Hashable {
  /// This cannot be done with that file or folder.
  case failed(String, path: String, Errno)
  /// Another program has held open-iscsi's lock for half a minute.
  case locked(path: String)
  /// The folder of the locks is one that other users can change, so that a lock in it would mean nothing.
  case unsafeLocks(path: String, reason: String)
  /// The environment or the configuration, of which this is the key, does not say whence its path goes.
  case relativeRoot(String, path: String)

  /// What failed, on what, and why.
  public var description: String {
    switch self {
    case .failed(let action, let path, let errno): "cannot \(action) \(path): \(errno.label)"
    case .locked(let path): "the record database is locked: another program holds \(path)"
    case .unsafeLocks(let path, let reason): "the record database cannot be locked in \(path): \(reason)"
    case .relativeRoot(let key, let path): "\(key) is no absolute path: \(path.debugDescription)"
    }
  }

  /// 6; 13 where root's rights are missing, and 7 for a path that cannot be.
  public var exitStatus: ExitStatus {
    switch self {
    case .failed(_, _, .permissionDenied), .failed(_, _, .notPermitted): .access
    case .failed, .locked, .unsafeLocks: .database
    case .relativeRoot: .invalidArgument
    }
  }

  /// How to mend it.
  public var advice: String? {
    switch self {
    case .locked: "end the iscsiadm that hangs; a lock without a living owner is removed by itself"
    // What others may have put there is no lock either; the next writer makes the folder anew.
    case .unsafeLocks(let path, _): "find out who made it so, then remove it: rm -r \(path)"
    case .failed(_, _, .permissionDenied), .failed(_, _, .notPermitted): "run it as root"
    case .relativeRoot(let key, _): "give \(key) a path that begins with /"
    case .failed: nil
    }
  }
}

/// A file of the database that is no record, or that has something which cannot be used; the others are as good as ever.
public struct RecordProblem: Hashable, Sendable, CustomStringConvertible {
  /// What is wrong with a file.
  public enum Reason: Hashable, Sendable {
    /// It has no line of a record: whoever wrote it was interrupted.
    case empty
    /// A key or a value is wrong.
    case record(RecordError)
    /// A setting's value is none; the record is used with the usual one.
    case setting(RecordError)
    /// It is the record of another target than the folder's.
    case misplaced
    /// Its name is none that the database has.
    case stray
    /// It cannot be read.
    case unreadable(Errno)
  }

  /// The file, from the database's root on.
  public let path: String
  /// What is wrong with it.
  public let reason: Reason

  /// Path and reason.
  public var description: String {
    switch reason {
    case .setting(let error): "\(path) has a value that is not used: \(error)"
    case .empty: "\(path) is no record: it is empty"
    case .record(let error): "\(path) is no record: \(error)"
    case .misplaced: "\(path) is no record: it names another target or interface than its place does"
    case .stray: "\(path) is no record: it does not belong there"
    case .unreadable(let errno): "\(path) is no record: \(errno.label)"
    }
  }
}
