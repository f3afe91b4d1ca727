// SPDX-License-Identifier: Apache-2.0
import SystemPackage

/// A change of one name in the database.
enum DatabaseChange: Hashable {
  /// A file has these octets from now on.
  case put([String], [UInt8])
  /// A file that is there is for its owner alone from now on.
  case restrict([String])
  /// A symbolic link points there from now on.
  case link([String], to: String)
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

  private let folders: OpenFolders
  private let path: FilePath

  /// Opens the root, which is made if it is not there.
  init(_ path: FilePath) throws(DatabaseError) {
    self.path = path
    do throws(Errno) {
      try AtomicFile.makeDirectory(path)
      folders = OpenFolders(root: try Directory(path: path))
    } catch {
      throw .failed("write", path: path.string, error)
    }
  }

  /// Makes the changes, in their order.
  func make(_ changes: [DatabaseChange]) throws(DatabaseError) {
    let files = changes.count { if case .put = $0 { true } else { false } }
    let isFlushedAtOnce = max(files, changes.count / 4) >= Self.many
    let staging = files > 0 ? try stage(changes, isFlushedAtOnce: isFlushedAtOnce) : nil
    for (number, change) in changes.enumerated() {
      do throws(Errno) {
        try make(change, number, from: staging, isFlushed: !isFlushedAtOnce)
      } catch {
        throw .failed("write", path: path.appending(change.path.joined(separator: "/")).string, error)
      }
    }
    do throws(Errno) {
      if isFlushedAtOnce { try folders.root.flushFileSystem() }
    } catch {
      throw .failed("write", path: path.string, error)
    }
    if staging != nil { try? folders.root.removeDirectory(Self.staging) }
  }

  /// Writes the new files, each by the number of its change, and returns their folder when they are on the disk.
  private func stage(_ changes: [DatabaseChange], isFlushedAtOnce: Bool) throws(DatabaseError) -> OpenFolder {
    do throws(Errno) {
      try folders.root.makeDirectory(Self.staging)
      let staging = OpenFolder(try folders.root.directory(Self.staging))
      // What a writer has left there that died.
      for name in try staging.directory.names() { try staging.directory.remove(name) }
      for (number, change) in changes.enumerated() {
        guard case .put(_, let octets) = change else { continue }
        try staging.directory.create("\(number)", octets, isFlushed: !isFlushedAtOnce)
      }
      if isFlushedAtOnce { try staging.directory.flushFileSystem() }
      return staging
    } catch {
      throw .failed("write", path: path.appending(Self.staging).string, error)
    }
  }

  private func make(
    _ change: DatabaseChange, _ number: Int, from staging: OpenFolder?, isFlushed: Bool
  ) throws(Errno) {
    guard let name = change.path.last else { return }
    switch change {
    case .put(let path, _):
      guard let staging else { return }
      let folder = try folders.folder(path.dropLast(), makingIt: true, isFlushed: isFlushed)
      // An administrator may let a group read a record.
      try staging.directory.move("\(number)", to: folder.directory, as: name, keepsPermissions: true)
      if isFlushed { try folder.directory.flush() }
    case .restrict(let path):
      do throws(Errno) {
        try folders.folder(path.dropLast(), makingIt: false, isFlushed: isFlushed).directory.restrict(name)
      } catch {
        if error != .noSuchFileOrDirectory { throw error }
      }
    case .link(let path, let target):
      try folders.folder(path.dropLast(), makingIt: true, isFlushed: isFlushed).directory.makeLink(name, to: target)
    case .remove(let path):
      try remove(path, isFlushed: isFlushed)
    }
  }

  /// Removes a file, and folders that are empty then from below.
  private func remove(_ path: [String], isFlushed: Bool) throws(Errno) {
    var rest = path
    do throws(Errno) {
      while rest.count > 1, let name = rest.popLast() {
        let folder = try folders.folder(rest, makingIt: false, isFlushed: isFlushed)
        if rest.count == path.count - 1 {
          try folder.directory.remove(name)
        } else {
          try folder.directory.removeDirectory(name)
          folders.forget(rest + [name])
        }
        if isFlushed { try folder.directory.flush() }
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
    case .put(let path, _), .restrict(let path), .link(let path, _), .remove(let path): path
    }
  }
}
