// SPDX-License-Identifier: Apache-2.0
import SystemPackage

/// A folder that is open as long as somebody has it.
final class OpenFolder {
  /// The folder.
  let directory: Directory

  init(_ directory: consuming Directory) { self.directory = directory }
}

/// The folders on the way to the last change of a database, kept open: the next change is mostly in one of them, and
/// thousands of changes would open the same few folders again and again.
final class OpenFolders {
  /// The folder that paths begin at.
  let root: Directory
  /// A top folder may be a link that an administrator has made; below there are none. At most one chain of each top folder.
  private var chains: [String: [(name: String, folder: OpenFolder)]] = [:]

  init(root: consuming Directory) { self.root = root }

  /// The folder at a path.
  ///
  /// - Parameters:
  ///   - path: The names on the way, at least one.
  ///   - makesIt: Whether what is missing on the way is made.
  ///   - isFlushed: Whether what is made is to be on the disk.
  /// - Returns: The folder.
  /// - Throws: What the system says.
  func folder(_ path: some Collection<String>, makingIt makesIt: Bool, isFlushed: Bool) throws(Errno) -> OpenFolder {
    guard let top = path.first else { throw .invalidArgument }
    var chain = chains.removeValue(forKey: top) ?? []
    let known = zip(chain, path).prefix { $0.name == $1 }.count
    chain.removeLast(chain.count - known)
    defer { chains[top] = chain }
    for name in path.dropFirst(known) {
      let folder =
        if let parent = chain.last?.folder {
          try Self.open(name, in: parent.directory, makingIt: makesIt, isFlushed, throughLinks: false)
        } else {
          try Self.open(name, in: root, makingIt: makesIt, isFlushed, throughLinks: true)
        }
      chain.append((name, folder))
    }
    guard let last = chain.last else { throw .invalidArgument }
    return last.folder
  }

  /// Forgets a folder that is gone.
  func forget(_ path: [String]) {
    guard let top = path.first, let chain = chains[top], chain.count >= path.count,
      zip(chain, path).allSatisfy({ $0.name == $1 })
    else { return }
    chains[top]?.removeLast(chain.count - path.count + 1)
  }

  private static func open(
    _ name: String, in parent: borrowing Directory, makingIt makesIt: Bool, _ isFlushed: Bool, throughLinks: Bool
  ) throws(Errno) -> OpenFolder {
    func open() throws(Errno) -> OpenFolder {
      OpenFolder(throughLinks ? try parent.linkedDirectory(name) : try parent.directory(name))
    }
    do throws(Errno) {
      return try open()
    } catch {
      guard makesIt, error == .noSuchFileOrDirectory else { throw error }
      try parent.makeDirectory(name)
      if isFlushed { try parent.flush() }
      return try open()
    }
  }
}
