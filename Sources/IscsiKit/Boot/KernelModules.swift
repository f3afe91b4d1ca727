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
    guard let colon = alias.utf8.firstIndex(of: UInt8(ascii: ":")) else { return [] }
    let bus = Array(alias.utf8[...colon])
    func isMeant(_ pattern: ArraySlice<UInt8>) -> Bool {
      // Of tens of thousands few are for the same bus.
      pattern.starts(with: bus) && FilePattern.matches(String(decoding: pattern, as: UTF8.self), alias)
    }
    var found: Set<String> = []
    for line in aliases.split(separator: 0x0A) {
      let words = line.split(separator: 0x20)
      guard words.count == 3, isMeant(words[1]) else { continue }
      found.insert(Self.normal(String(decoding: words[2], as: UTF8.self)))
    }
    for entry in builtInAliases.split(separator: 0) {
      guard let equals = entry.firstIndex(of: UInt8(ascii: "=")) else { continue }
      let (key, pattern) = (entry[..<equals], entry[(equals + 1)...])
      guard key.suffix(6).elementsEqual(".alias".utf8), isMeant(pattern) else { continue }
      found.insert(Self.normal(String(decoding: key.dropLast(6), as: UTF8.self)))
    }
    return found.sorted()
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
