// SPDX-License-Identifier: Apache-2.0
import SystemPackage

/// A change of one name in the database.
enum DatabaseChange: Hashable {
  /// A file has these octets from now on.
  case put([String], NewFile)
  /// A file that is there is for its owner alone from now on.
  case restrict([String])
  /// A symbolic link points there from now on.
  case link([String], to: String)
  /// A file, or a link, is gone; so are folders that become empty by it, but those right below the root.
  case remove([String])
}

/// What a file has from now on.
enum NewFile: Hashable {
  /// Octets that are to be written yet.
  case octets([UInt8])
  /// What was written already, by its number.
  case staged(Int)
}

/// Makes changes so that each is whole or not there, whenever the writer or the machine stops: new files are written where nobody
/// looks for records; then they are on the disk, and then each gets its name.
struct DatabaseWriter: ~Copyable {
  /// From here on the file system is flushed as a whole, rather than file by file.
  private static let many = 16
  /// How many files are worth a part of the work for themselves, where several threads write them.
  private static let partSize = 32

  private let folders: OpenFolders
  private let path: FilePath
  private let files: StagedFiles

  /// Opens the root, which is made if it is not there.
  ///
  /// - Parameters:
  ///   - path: The root.
  ///   - files: The new files.
  /// - Throws: `failed`.
  init(_ path: FilePath, _ files: StagedFiles) throws(DatabaseError) {
    self.path = path
    self.files = files
    do throws(Errno) {
      try AtomicFile.makeDirectory(path)
      folders = OpenFolders(root: try Directory(path: path))
    } catch {
      throw .failed("write", path: path.string, error)
    }
  }

  /// Makes the changes, in their order.
  func make(_ changes: [DatabaseChange]) throws(DatabaseError) {
    let count = changes.count { if case .put = $0 { true } else { false } }
    let isFlushedAtOnce = max(count, changes.count / 4) >= Self.many
    let isStaged = isFlushedAtOnce && changes.allSatisfy { if case .put(_, .octets) = $0 { false } else { true } }
    let changes = isStaged ? changes : try staging(changes, isFlushed: !isFlushedAtOnce)
    if isFlushedAtOnce { try files.flush() }
    if isFlushedAtOnce, let lanes = DatabaseChange.lanes(of: changes) {
      let (path, files) = (path, files)
      let results = ParallelWork.map(lanes.count, inPartsOf: 1) {
        { range in
          lanes[range].map { lane in
            Result { () throws(DatabaseError) in
              try DatabaseWriter(path, files).make(changes, lane, isFlushed: false)
            }
          }
        }
      }
      for result in results.joined() { try result.get() }
    } else {
      try make(changes, Array(changes.indices), isFlushed: !isFlushedAtOnce)
    }
    do throws(Errno) {
      if isFlushedAtOnce { try folders.root.flushFileSystem() }
    } catch {
      throw .failed("write", path: path.string, error)
    }
  }

  /// The changes when their new files are written.
  private func staging(_ changes: [DatabaseChange], isFlushed: Bool) throws(DatabaseError) -> [DatabaseChange] {
    let files = files
    let results = ParallelWork.map(changes.count, inPartsOf: Self.partSize) {
      { range in
        Result { () throws(DatabaseError) in try files.staging(changes[range], isFlushed: isFlushed) }
      }
    }
    var staged: [DatabaseChange] = []
    staged.reserveCapacity(changes.count)
    for result in results { staged += try result.get() }
    return staged
  }

  /// Makes some of the changes, in their order.
  private func make(_ changes: [DatabaseChange], _ numbers: [Int], isFlushed: Bool) throws(DatabaseError) {
    for number in numbers {
      do throws(Errno) {
        try make(changes[number], isFlushed: isFlushed)
      } catch {
        throw .failed("write", path: path.appending(changes[number].path.joined(separator: "/")).string, error)
      }
    }
  }

  private func make(_ change: DatabaseChange, isFlushed: Bool) throws(Errno) {
    guard let name = change.path.last else { return }
    switch change {
    case .put(let path, let file):
      guard case .staged(let number) = file else { throw .invalidArgument }
      let folder = try folders.folder(path.dropLast(), makingIt: true, isFlushed: isFlushed)
      // An administrator may let a group read a record.
      try files.move(number, to: folder, as: name)
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
        waiting.removeAll(keepingCapacity: true)
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
