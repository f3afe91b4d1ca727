// SPDX-License-Identifier: Apache-2.0
import SystemPackage

/// A change of one name in the database.
enum DatabaseChange: Hashable {
  /// A file has these octets from now on.
  case put([String], [UInt8])
  /// A symbolic link points there from now on.
  case link([String], to: FilePath)
  /// A file, or a link, is gone; so are folders that become empty by it, but those right below the root.
  case remove([String])
}

/// Makes changes so that each is whole or not there, whenever the writer or the machine stops.
///
/// New files are written in a folder of their own below the root, so that no reader of ours or of open-iscsi's takes one
/// for a record; then they are on the disk, and then each gets its name.
struct DatabaseWriter: ~Copyable {
  /// Where new files are written.
  private static let staging = ".iscsi-admin"
  /// From here on the file system is flushed as a whole, rather than file by file.
  private static let many = 16

  private let root: Directory
  private let path: FilePath

  /// Opens the root, which is made if it is not there.
  init(_ path: FilePath) throws(DatabaseError) {
    self.path = path
    do throws(Errno) {
      try AtomicFile.makeDirectory(path)
      root = try Directory(path: path)
    } catch {
      throw .failed("write", path: path.string, error)
    }
  }

  /// Makes the changes, in their order.
  func make(_ changes: [DatabaseChange]) throws(DatabaseError) {
    let files = changes.count { if case .put = $0 { true } else { false } }
    let isFlushedAtOnce = max(files, changes.count / 4) >= Self.many
    let hasFiles = files > 0
    do throws(Errno) {
      if hasFiles {
        try root.makeDirectory(Self.staging)
        let staging = try root.directory(Self.staging)
        // What a writer has left there that died.
        for name in try staging.names() { try staging.remove(name) }
        for (number, change) in changes.enumerated() {
          guard case .put(_, let octets) = change else { continue }
          try staging.create("\(number)", octets, isFlushed: !isFlushedAtOnce)
        }
        if isFlushedAtOnce { try staging.flushFileSystem() }
      }
    } catch {
      throw .failed("write", path: path.appending(Self.staging).string, error)
    }
    for (number, change) in changes.enumerated() {
      do throws(Errno) {
        try make(change, number, isFlushed: !isFlushedAtOnce)
      } catch {
        throw .failed("write", path: path.appending(change.path.joined(separator: "/")).string, error)
      }
    }
    do throws(Errno) {
      if isFlushedAtOnce { try root.flushFileSystem() }
    } catch {
      throw .failed("write", path: path.string, error)
    }
    if hasFiles { try? root.removeDirectory(Self.staging) }
  }

  private func make(_ change: DatabaseChange, _ number: Int, isFlushed: Bool) throws(Errno) {
    guard let name = change.path.last else { return }
    switch change {
    case .put(let path, _):
      let folder = try folder(path.dropLast())
      // An administrator may let a group read a record.
      try root.directory(Self.staging).move("\(number)", to: folder, as: name, keepsPermissions: true)
      if isFlushed { try folder.flush() }
    case .link(let path, let target):
      try folder(path.dropLast()).makeLink(name, to: target)
    case .remove(let path):
      try remove(path, isFlushed: isFlushed)
    }
  }

  /// Opens the folder at a path and makes what is missing on the way.
  private func folder(_ path: some Collection<String>) throws(Errno) -> Directory {
    guard let first = path.first else { throw .invalidArgument }
    try root.makeDirectory(first)
    var folder = try root.linkedDirectory(first)
    for name in path.dropFirst() {
      try folder.makeDirectory(name)
      folder = try folder.directory(name)
    }
    return folder
  }

  /// Removes a file, and folders that are empty then from below.
  private func remove(_ path: [String], isFlushed: Bool) throws(Errno) {
    var rest = path
    do throws(Errno) {
      while rest.count > 1, let name = rest.popLast(), let first = rest.first {
        var folder = try root.linkedDirectory(first)
        for name in rest.dropFirst() { folder = try folder.directory(name) }
        if rest.count == path.count - 1 {
          try folder.remove(name)
        } else {
          try folder.removeDirectory(name)
        }
        if isFlushed { try folder.flush() }
      }
    } catch {
      // What is gone already is as it should be; a folder that others are in stays.
      if error != .noSuchFileOrDirectory, error != .directoryNotEmpty { throw error }
    }
  }
}

extension DatabaseChange {
  /// What is changed, from the root on.
  var path: [String] {
    switch self {
    case .put(let path, _), .link(let path, _), .remove(let path): path
    }
  }
}
