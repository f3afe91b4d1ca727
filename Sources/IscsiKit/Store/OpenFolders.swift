// SPDX-License-Identifier: Apache-2.0
import SystemPackage

/// A folder that is open as long as somebody has it.
final class OpenFolder: Sendable {
  /// The folder.
  let directory: Directory
  /// Whether it was made here, and nobody else can have put anything into it.
  let isNew: Bool

  init(_ directory: consuming Directory, isNew: Bool = false) {
    self.directory = directory
    self.isNew = isNew
  }
}

/// The folders on the way to the last change of a database, kept open: the next change is mostly in one of them, and
/// thousands of changes would open the same few folders again and again.
final class OpenFolders {
  /// The folder that paths begin at.
  let root: Directory
  /// At most one of each top folder.
  private var chains: [Chain] = []

  /// Whether the last folder that was looked for had to be made. The next one has mostly, too, and is not looked for before.
  private var makesFirst = false

  /// Folders, each in the one before it.
  private struct Chain {
    /// The name below the root, which may be a link that an administrator has made; further below there are none.
    let top: String
    let folder: OpenFolder
    /// The names on the way from there, and their folders: none for one that was passed with others.
    var rest: [(name: String, folder: OpenFolder?)] = []

    /// The last folder that is open among the first ones.
    func last(among count: Int) -> (place: Int, folder: OpenFolder) {
      for place in (0..<count).reversed() {
        if let folder = rest[place].folder { return (place + 1, folder) }
      }
      return (0, folder)
    }

    /// How many names are the first ones of a path from the top folder on.
    func commonCount(_ path: some Collection<String>) -> Int {
      var count = 0
      for name in path {
        guard count < rest.count, rest[count].name == name else { break }
        count += 1
      }
      return count
    }
  }

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
    let place: Int
    if let known = index(of: top) {
      place = known
    } else {
      let folder = try open(top, in: root, makingIt: makesIt, isFlushed, throughLinks: true)
      place = chains.count
      chains.append(Chain(top: top, folder: folder))
    }
    let below = path.dropFirst()
    let (known, parent) = chains[place].last(among: chains[place].commonCount(below))
    chains[place].rest.removeLast(chains[place].rest.count - known)
    let rest = below.dropFirst(known)
    if rest.count > 1, !(makesIt && makesFirst), let directory = parent.directory.directory(below: rest) {
      let folder = OpenFolder(directory)
      chains[place].rest += rest.map { ($0, nil) }
      chains[place].rest[chains[place].rest.count - 1].folder = folder
      return folder
    }
    var folder = parent
    for name in rest {
      folder = try open(name, in: folder.directory, makingIt: makesIt, isFlushed, throughLinks: false)
      chains[place].rest.append((name, folder))
    }
    return folder
  }

  private func index(of top: String) -> Int? { chains.firstIndex { $0.top == top } }

  /// Forgets a folder that is gone.
  func forget(_ path: [String]) {
    guard let place = path.first.flatMap(index), chains[place].commonCount(path.dropFirst()) == path.count - 1 else {
      return
    }
    guard path.count > 1 else { return _ = chains.remove(at: place) }
    chains[place].rest.removeLast(chains[place].rest.count - path.count + 2)
  }

  private func open(
    _ name: String, in parent: borrowing Directory, makingIt makesIt: Bool, _ isFlushed: Bool, throughLinks: Bool
  ) throws(Errno) -> OpenFolder {
    func open(isNew: Bool) throws(Errno) -> OpenFolder {
      OpenFolder(throughLinks ? try parent.linkedDirectory(name) : try parent.directory(name), isNew: isNew)
    }
    if !(makesIt && makesFirst) {
      do throws(Errno) {
        return try open(isNew: false)
      } catch {
        guard makesIt, error == .noSuchFileOrDirectory else { throw error }
      }
    }
    makesFirst = try parent.makeDirectory(name)
    if isFlushed, makesFirst { try parent.flush() }
    return try open(isNew: makesFirst)
  }
}
