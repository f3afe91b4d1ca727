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
  /// A top folder may be a link that an administrator has made; below there are none. At most one chain of each top folder.
  private var chains: [Chain] = []

  /// Whether the last folder that was looked for had to be made. The next one has mostly, too, and is not looked for before.
  private var makesFirst = false

  private typealias Chain = [(name: String, folder: OpenFolder)]

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
      chains.append([(top, folder)])
    }
    let known = Self.commonCount(chains[place], path)
    chains[place].removeLast(chains[place].count - known)
    var folder = chains[place][known - 1].folder
    for name in path.dropFirst(known) {
      folder = try open(name, in: folder.directory, makingIt: makesIt, isFlushed, throughLinks: false)
      chains[place].append((name, folder))
    }
    return folder
  }

  private func index(of top: String) -> Int? { chains.firstIndex { $0.first?.name == top } }

  /// How many folders of a chain are the first ones of a path.
  private static func commonCount(_ chain: Chain, _ path: some Collection<String>) -> Int {
    var count = 0
    for name in path {
      guard count < chain.count, chain[count].name == name else { break }
      count += 1
    }
    return count
  }

  /// Forgets a folder that is gone.
  func forget(_ path: [String]) {
    guard let place = path.first.flatMap(index), Self.commonCount(chains[place], path) == path.count else { return }
    chains[place].removeLast(chains[place].count - path.count + 1)
    if chains[place].isEmpty { chains.remove(at: place) }
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
