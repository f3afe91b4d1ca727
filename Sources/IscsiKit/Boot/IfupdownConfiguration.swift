// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

/// What Debian's ifupdown is told of one network device (`interfaces(5)`), as far as it is about who switches it off.
struct IfupdownConfiguration {
  /// The most files that are read, and how deep they may name each other.
  private static let fileLimit = 256
  private static let depthLimit = 16

  /// Whether the device is switched on by itself.
  private(set) var isAutomatic = false
  /// How it gets its addresses: `dhcp`, `static`, `manual`.
  private(set) var methods: [String] = []
  /// Whether it stays as it is at the shutdown.
  private(set) var isKept = false

  private let device: String
  private let root: FilePath
  private var read: Set<String> = []

  /// Reads the files.
  ///
  /// - Parameters:
  ///   - device: The device.
  ///   - root: Before all paths.
  init(of device: String, below root: FilePath) {
    self.device = device
    self.root = root
    take("/etc/network/interfaces", depth: 0)
  }

  /// Whether `ifdown -a` switches the device off, if ifupdown has switched it on.
  var switchesOff: Bool { isAutomatic && !isKept && !(methods.contains("manual") && Set(methods).count == 1) }

  private mutating func take(_ path: FilePath, depth: Int) {
    guard depth < Self.depthLimit, read.count < Self.fileLimit, read.insert(path.string).inserted,
      let contents = try? FileContents(of: root.appending(path.removingRoot().components), limit: 1 << 16)
    else { return }
    let text = String(decoding: contents.octets, as: UTF8.self).replacing("\\\n", with: " ")
    for line in text.split(separator: "\n") {
      let words = line.split { $0 == " " || $0 == "\t" }.map(String.init)
      guard let first = words.first, !first.hasPrefix("#") else { continue }
      let rest = words.dropFirst()
      switch first {
      case "auto", "allow-auto", "allow-hotplug": if names(rest) { isAutomatic = true }
      case "no-auto-down": if names(rest) { isKept = true }
      case "iface":
        if rest.first == device, rest.count > 2, let method = rest.dropFirst(2).first { methods.append(method) }
      case "source": for pattern in rest { takeAll(pattern, from: path, depth: depth) }
      case "source-directory":
        for folder in rest { takeAll(folder + "/*", from: path, depth: depth, isDirectory: true) }
      default: break
      }
    }
  }

  /// Reads what a pattern in the last part of a path stands for.
  private mutating func takeAll(_ pattern: String, from path: FilePath, depth: Int, isDirectory: Bool = false) {
    let whole =
      pattern.hasPrefix("/")
      ? FilePath(pattern) : path.removingLastComponent().appending(FilePath(pattern).components)
    guard let last = whole.lastComponent?.string else { return }
    let folder = whole.removingLastComponent()
    let place = root.appending(folder.removingRoot().components)
    for name in ((try? SysfsDirectory(path: place).names()) ?? []).sorted() where last.stands(for: name) {
      // Of a directory only plain names count; of a pattern all but hidden ones.
      let isPlain = name.utf8.allSatisfy { $0.isDigit || (0x61...0x7A).contains($0 | 0x20) || $0 == 0x5F || $0 == 0x2D }
      guard isDirectory ? isPlain : !name.hasPrefix(".") || last.hasPrefix(".") else { continue }
      take(folder.appending(name), depth: depth + 1)
    }
  }

  /// Whether the device is among some names; one that begins with a slash is a pattern, and a mapping may follow it.
  private func names(_ words: ArraySlice<String>) -> Bool {
    words.contains { word in
      let name = word.prefix { $0 != "=" }
      return name.hasPrefix("/") ? name.drop { $0 == "/" }.stands(for: device) : name == device
    }
  }
}

extension StringProtocol {
  /// Whether a text is what this pattern stands for, in which `*` is any text, and `?` any character.
  func stands(for text: some StringProtocol) -> Bool {
    let (pattern, octets) = (Array(utf8), Array(text.utf8))
    var (next, place) = (0, 0)
    // Where the last star is, and up to where it goes so far.
    var star: (after: Int, end: Int)?
    while place < octets.count {
      if next < pattern.count, pattern[next] == UInt8(ascii: "*") {
        star = (next + 1, place)
        next += 1
      } else if next < pattern.count, pattern[next] == octets[place] || pattern[next] == UInt8(ascii: "?") {
        (next, place) = (next + 1, place + 1)
      } else if let last = star {
        star = (last.after, last.end + 1)
        (next, place) = (last.after, last.end + 1)
      } else {
        return false
      }
    }
    return pattern[next...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
