// SPDX-License-Identifier: Apache-2.0

/// Reads the archives that an initramfs image consists of (kernel: `Documentation/driver-api/early-userspace/buffer-format.rst`):
/// what files there are, and the text of a few small ones.
///
/// Octets go in as they come, in pieces of any size. What is between archives is padding; what is no archive ends the reading.
struct CPIOReader {
  /// The most files of all archives that are kept.
  private static let entryLimit = 100_000
  /// The longest name.
  private static let nameLimit = 4096
  /// The longest file whose text is kept.
  private static let textLimit = 1 << 16
  private static let headerLength = 110

  /// The names of all files, without a slash before them.
  private(set) var names: Set<String> = []
  /// The texts of those that are wanted.
  private(set) var texts: [String: String] = [:]
  /// What keeps files from being run, by their names.
  private(set) var faults: [String: InitramfsImage.ProgramFault] = [:]
  /// What stands where an archive or its padding should go on, from its beginning; nil as long as all is an archive's.
  private(set) var foreign: [UInt8]?
  /// Whether the last entry was the end of an archive, as it is of a file that is not cut off.
  private(set) var isWhole = false
  /// Whether more should have come: each program that makes archives writes an end.
  var isCutOff: Bool { foreign == nil && !(isWhole && pending.isEmpty) }
  /// How many octets were an archive's.
  private(set) var length = 0

  private let wants: @Sendable (String) -> Bool
  private var pending: [UInt8] = []
  /// Octets that are passed over.
  private var skipped = 0

  /// A reader that keeps the texts of the files whose names are wanted.
  init(wants: @escaping @Sendable (String) -> Bool) { self.wants = wants }

  /// Takes what follows; false when there is no use in more.
  mutating func feed(_ octets: ArraySlice<UInt8>) -> Bool {
    guard foreign == nil else { return false }
    let rest = octets.dropFirst(skipped)
    let used = octets.count - rest.count
    skipped -= used
    length += used
    pending += rest
    while foreign == nil, skipped == 0, takeEntry() {}
    return foreign == nil
  }

  /// Takes one entry from what waits; false if that is not all there yet.
  private mutating func takeEntry() -> Bool {
    // Between archives there are zeros up to the next multiple of four, or more.
    let start = pending.firstIndex { $0 != 0 } ?? pending.count
    if start > 0 { drop(start) }
    guard pending.count >= 6 else { return false }
    guard pending.starts(with: Array("070701".utf8)) || pending.starts(with: Array("070702".utf8)) else {
      foreign = Array(pending.prefix(16))
      return false
    }
    guard pending.count >= Self.headerLength else { return false }
    guard let mode = field(1), let size = field(6), let nameLength = field(11),
      (1...Self.nameLimit).contains(nameLength)
    else {
      foreign = []
      return false
    }
    let nameEnd = Self.aligned(Self.headerLength + nameLength)
    guard pending.count >= nameEnd else { return false }
    let name = Self.plain(pending[Self.headerLength..<(Self.headerLength + nameLength - 1)])
    let isFile = mode & 0o170000 == 0o100000
    let total = Self.aligned(nameEnd + size)
    let isWanted = isFile && size <= Self.textLimit && wants(name)
    if isWanted, pending.count < total { return false }
    if isWanted { texts[name] = String(decoding: pending[nameEnd..<(nameEnd + size)], as: UTF8.self) }
    isWhole = name == "TRAILER!!!"
    if !name.isEmpty, !isWhole, names.count < Self.entryLimit {
      names.insert(name)
      // The one that comes last counts.
      faults[name] = Self.fault(mode: mode, size: size, links: field(4) ?? 1)
    }
    let here = min(total, pending.count)
    drop(here)
    skipped = total - here
    return true
  }

  /// Why something with this header cannot be run; nil for what can be, and for a symbolic link.
  private static func fault(mode: Int, size: Int, links: Int) -> InitramfsImage.ProgramFault? {
    if mode & 0o170000 == 0o120000 { return nil }
    guard mode & 0o170000 == 0o100000 else { return .notRegular }
    // Of a file with several names the last has the contents.
    if size == 0, links < 2 { return .empty }
    return mode & 0o111 == 0 ? .notExecutable : nil
  }

  private mutating func drop(_ count: Int) {
    pending.removeFirst(count)
    length += count
  }

  /// A number of the header: eight hexadecimal digits.
  private func field(_ index: Int) -> Int? {
    let start = 6 + 8 * index
    return UInt32(String(decoding: pending[start..<(start + 8)], as: UTF8.self), radix: 16).map(Int.init)
  }

  private static func aligned(_ length: Int) -> Int { (length + 3) & ~3 }

  private static func plain(_ octets: ArraySlice<UInt8>) -> String {
    var name = String(decoding: octets, as: UTF8.self)[...]
    while name.hasPrefix("./") { name = name.dropFirst(2) }
    while name.hasPrefix("/") { name = name.dropFirst() }
    return name == "." ? "" : String(name)
  }
}
