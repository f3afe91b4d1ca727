// SPDX-License-Identifier: Apache-2.0
import Synchronization
import SystemPackage

/// New files of a database before they have their names: in a folder of their own below the root, so that no reader of ours or of
/// open-iscsi's takes one for a record. Whoever has them has the right to change the database.
///
/// Threads that work on parts of a large change write the files of their parts as soon as they know them, so that thousands of
/// texts need not be there at once.
final class StagedFiles: Sendable {
  private static let name = ".iscsi-admin"

  private let root: FilePath
  private let folder = Mutex<OpenFolder?>(nil)
  private let count = Atomic(0)

  /// No files yet, and no folder.
  init(below root: FilePath) { self.root = root }

  /// Changes whose new files are here.
  ///
  /// - Parameters:
  ///   - changes: The changes.
  ///   - isFlushed: Whether each file is to be on the disk.
  /// - Returns: The changes in their order, each file by its number.
  /// - Throws: `failed`.
  func staging(_ changes: some Collection<DatabaseChange>, isFlushed: Bool) throws(DatabaseError) -> [DatabaseChange] {
    var staged: [DatabaseChange] = []
    staged.reserveCapacity(changes.count)
    do throws(Errno) {
      for change in changes {
        guard case .put(let path, let file) = change else {
          staged.append(change)
          continue
        }
        let number: Int
        switch file {
        case .octets(let octets):
          number = count.wrappingAdd(1, ordering: .relaxed).newValue
          try opened().directory.create("\(number)", octets, isFlushed: isFlushed)
        case .staged(let known):
          number = known
          if isFlushed { try opened().directory.flush(number.description) }
        }
        staged.append(.put(path, .staged(number)))
      }
    } catch {
      throw failure(error)
    }
    return staged
  }

  /// Gives a file its name; where another one has it, with the permissions of that one.
  func move(_ number: Int, to folder: OpenFolder, as name: String) throws(Errno) {
    try opened().directory.move("\(number)", to: folder.directory, as: name, keepsPermissions: !folder.isNew)
  }

  /// Returns when all files are on the disk.
  func flush() throws(DatabaseError) {
    guard let folder = folder.withLock(\.self) else { return }
    do throws(Errno) { try folder.directory.flushFileSystem() } catch { throw failure(error) }
  }

  /// Removes the files that have got no name, also those that a writer has left that died, and the folder.
  func remove() {
    guard let root = try? Directory(path: root), let folder = try? root.directory(Self.name) else { return }
    try? Self.removeFiles(in: folder)
    try? root.removeDirectory(Self.name)
  }

  /// The folder, which is made when there is a first file.
  private func opened() throws(Errno) -> OpenFolder {
    let result = folder.withLock { folder in
      Result { () throws(Errno) in
        if let folder { return folder }
        try AtomicFile.makeDirectory(root)
        let directory = try Directory(path: root)
        try directory.makeDirectory(Self.name)
        let made = OpenFolder(try directory.directory(Self.name))
        // What a writer has left there that died.
        try Self.removeFiles(in: made.directory)
        folder = made
        return made
      }
    }
    return try result.get()
  }

  private static func removeFiles(in folder: borrowing Directory) throws(Errno) {
    for name in try folder.names() { try folder.remove(name) }
  }

  private func failure(_ error: Errno) -> DatabaseError {
    .failed("write", path: root.appending(Self.name).string, error)
  }
}
