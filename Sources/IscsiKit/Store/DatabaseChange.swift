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

  /// How many files are worth a part of the work for themselves, where several threads write them.
  private static let partSize = 32

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
    if isFlushedAtOnce, let lanes = DatabaseChange.lanes(of: changes) {
      let path = path
      let results = ParallelWork.map(lanes.count, inPartsOf: 1) {
        { range in
          lanes[range].map { lane in
            Result { () throws(DatabaseError) in
              try DatabaseWriter(path).make(changes, lane, from: staging, isFlushed: false)
            }
          }
        }
      }
      for result in results.joined() { try result.get() }
    } else {
      try make(changes, Array(changes.indices), from: staging, isFlushed: !isFlushedAtOnce)
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
      let results = ParallelWork.map(changes.count, inPartsOf: Self.partSize) {
        { range in
          Result { () throws(Errno) in
            for number in range {
              guard case .put(_, let octets) = changes[number] else { continue }
              try staging.directory.create("\(number)", octets, isFlushed: !isFlushedAtOnce)
            }
          }
        }
      }
      for result in results { try result.get() }
      if isFlushedAtOnce { try staging.directory.flushFileSystem() }
      return staging
    } catch {
      throw .failed("write", path: path.appending(Self.staging).string, error)
    }
  }

  /// Makes some of the changes, in their order.
  private func make(
    _ changes: [DatabaseChange], _ numbers: [Int], from staging: OpenFolder?, isFlushed: Bool
  ) throws(DatabaseError) {
    for number in numbers {
      do throws(Errno) {
        try make(changes[number], number, from: staging, isFlushed: isFlushed)
      } catch {
        throw .failed("write", path: path.appending(changes[number].path.joined(separator: "/")).string, error)
      }
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
      try staging.directory.move("\(number)", to: folder.directory, as: name, keepsPermissions: !folder.isNew)
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
  /// Into how many lanes changes are divided.
  private static let laneCount = 32

  /// The numbers of changes that can be made in lanes side by side: all that is about one target is in one lane, in its order. Which
  /// lane that is depends on the name alone.
  ///
  /// - Returns: Nil if there are too few, or something else than a node's record is removed: folders that become empty by that go,
  ///   and somebody may be about to put something into one.
  static func lanes(of changes: [DatabaseChange]) -> [[Int]]? {
    guard changes.count >= 4 * laneCount else { return nil }
    var lanes = [[Int]](repeating: [], count: laneCount)
    // What comes before a record's file, as its link does, is about that record.
    var waiting: [Int] = []
    for (number, change) in changes.enumerated() {
      waiting.append(number)
      let path = change.path
      let isOfNode = path.count > 2 && path[0] == RecordDatabase.Folder.nodes.rawValue
      switch change {
      case .link, .restrict: continue
      case .put where isOfNode, .remove where isOfNode:
        let sum = path[1].utf8.reduce(0 as UInt32) { $0 &* 31 &+ UInt32($1) }
        lanes[Int(sum % UInt32(laneCount))] += waiting
        waiting = []
      case .put, .remove: return nil
      }
    }
    return waiting.isEmpty ? lanes : nil
  }

  /// What is changed, from the root on.
  var path: [String] {
    switch self {
    case .put(let path, _), .restrict(let path), .link(let path, _), .remove(let path): path
    }
  }
}
