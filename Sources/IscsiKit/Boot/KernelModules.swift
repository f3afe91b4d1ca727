// SPDX-License-Identifier: Apache-2.0

/// The modules of a kernel, as `depmod` has listed them.
public struct KernelModules: Hashable, Sendable {
  /// Where a module is.
  public enum Place: Hashable, Sendable {
    /// In the kernel itself.
    case builtIn
    /// In a file.
    case file
    /// Nowhere.
    case missing
  }

  private var dependencies: [String: [String]] = [:]
  private var builtIn: Set<String> = []
  /// Patterns of devices and the modules that drive them, as they are in the files: `alias pci:v00008086d* e1000e`.
  private var aliases: [UInt8] = []
  /// The same for what is built in, `e1000e.alias=pci:v00008086d*`, with a zero behind each.
  private var builtInAliases: [UInt8] = []

  /// Modules by the texts of the files in a folder of `/lib/modules`.
  ///
  /// - Parameters:
  ///   - text: `modules.dep`.
  ///   - other: `modules.builtin`.
  ///   - aliases: `modules.alias`.
  ///   - information: `modules.builtin.modinfo`, which older kernels have without devices.
  public init(dependencies text: String, builtIn other: String, aliases: String = "", information: String = "") {
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 1)
      guard let name = parts.first.flatMap({ Self.name(ofFile: String($0)) }) else { continue }
      dependencies[name] =
        parts.dropFirst().first?.split(separator: " ").compactMap { Self.name(ofFile: String($0)) } ?? []
    }
    builtIn = Set(other.split(separator: "\n").compactMap { Self.name(ofFile: String($0)) })
    self.aliases = Array(aliases.utf8)
    builtInAliases = Array(information.utf8)
  }

  /// Where a module is.
  public func place(of name: String) -> Place {
    builtIn.contains(name) ? .builtIn : dependencies[name] == nil ? .missing : .file
  }

  /// The modules in files that these need, themselves among them.
  public func closure(of names: [String]) -> Set<String> {
    // Each line has all that is needed in the end.
    Set(names.flatMap { name in dependencies[name].map { [name] + $0 } ?? [] })
  }

  /// The modules, in files or built in, that say of themselves that they drive a device.
  ///
  /// - Parameter alias: What the kernel shows as the device's `modalias`.
  /// - Returns: Their names in order.
  public func modules(driving alias: String) -> [String] {
    let device = Array(alias.utf8)
    guard let colon = device.firstIndex(of: UInt8(ascii: ":")) else { return [] }
    let bus = device[...colon]
    var found: Set<String> = []
    for line in aliases.split(separator: 0x0A) {
      let words = line.split(separator: 0x20)
      guard words.count == 3, words[1].starts(with: bus), Self.matches(words[1], device[...]) else { continue }
      found.insert(Self.normal(String(decoding: words[2], as: UTF8.self)))
    }
    for entry in builtInAliases.split(separator: 0) {
      guard let equals = entry.firstIndex(of: UInt8(ascii: "=")) else { continue }
      let (key, pattern) = (entry[..<equals], entry[(equals + 1)...])
      guard pattern.starts(with: bus), key.suffix(6).elementsEqual(".alias".utf8), Self.matches(pattern, device[...])
      else { continue }
      found.insert(Self.normal(String(decoding: key.dropLast(6), as: UTF8.self)))
    }
    return found.sorted()
  }

  /// Whether a device's alias fits a pattern, as kmod asks by `fnmatch(3)`: `*`, `?` and sets in brackets.
  static func matches(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
    var (rest, left) = (pattern, text)
    // Where the last star was, and how much it has taken.
    var star: (pattern: ArraySlice<UInt8>, text: ArraySlice<UInt8>)?
    while let octet = left.first {
      if rest.first == UInt8(ascii: "*") {
        rest = rest.dropFirst()
        star = (rest, left)
      } else if let after = Self.afterOne(rest, octet) {
        (rest, left) = (after, left.dropFirst())
      } else if let last = star {
        star = (last.pattern, last.text.dropFirst())
        (rest, left) = (last.pattern, last.text.dropFirst())
      } else {
        return false
      }
    }
    return rest.allSatisfy { $0 == UInt8(ascii: "*") }
  }

  /// What follows the part of a pattern that stands for one octet; nil if it is not for this one.
  private static func afterOne(_ pattern: ArraySlice<UInt8>, _ octet: UInt8) -> ArraySlice<UInt8>? {
    guard let first = pattern.first else { return nil }
    let rest = pattern.dropFirst()
    guard first == UInt8(ascii: "["), let end = rest.firstIndex(of: UInt8(ascii: "]")) else {
      return first == octet || first == UInt8(ascii: "?") ? rest : nil
    }
    var set = rest[..<end]
    let isNegated = set.first == UInt8(ascii: "!") || set.first == UInt8(ascii: "^")
    if isNegated { set = set.dropFirst() }
    var isIn = false
    while let low = set.popFirst() {
      var high = low
      if set.count > 1, set.first == UInt8(ascii: "-") {
        set = set.dropFirst()
        high = set.popFirst() ?? low
      }
      if low <= octet, octet <= high { isIn = true }
    }
    return isIn != isNegated ? rest[(end + 1)...] : nil
  }

  /// The name of the module in a file, compressed or not; nil for another file. The kernel makes no difference between - and _.
  static func name(ofFile path: String) -> String? {
    guard let file = path.split(separator: "/").last, let end = file.firstRange(of: ".ko") else { return nil }
    guard ["", ".gz", ".xz", ".zst"].contains(file[end.upperBound...]) else { return nil }
    return normal(String(file[..<end.lowerBound]))
  }

  /// A module's name as the kernel has it.
  static func normal(_ name: String) -> String { String(name.map { $0 == "-" ? "_" : $0 }) }
}
