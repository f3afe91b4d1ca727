// SPDX-License-Identifier: Apache-2.0

/// The words of the kernel's command line (`/proc/cmdline`), which initramfs programs take parameters from too.
///
/// Split as the kernel does (kernel: `lib/cmdline.c`): blanks separate, but not within double quotes, which may begin before
/// the word or before its value. A word can be a secret, so that there is no description.
public struct KernelCommandLine: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
  /// A word: `name` or `name=value`.
  public struct Word: Hashable, Sendable {
    /// What is before the first equals sign.
    public let name: String
    /// What is behind it, without quotes around it; nil if there is no equals sign.
    public let value: String?
  }

  /// The most octets that are read; the kernel's own limit is 4096 or less.
  public static let sizeLimit = 1 << 16

  /// The words in their order.
  public private(set) var words: [Word] = []

  /// The words of a text. Line ends are blanks, so that files of several lines can be read too.
  public init(_ text: String) {
    var word: [UInt8] = []
    var isQuoted = false
    for octet in text.utf8.prefix(Self.sizeLimit) {
      if octet == UInt8(ascii: "\"") { isQuoted.toggle() }
      if !isQuoted, Self.isBlank(octet) {
        add(word)
        word = []
      } else {
        word.append(octet)
      }
    }
    add(word)
  }

  /// How many words there are.
  public var description: String { "\(words.count) words" }
  /// No children, so that `dump` shows no secret.
  public var customMirror: Mirror { Mirror(self, children: [:]) }

  private mutating func add(_ octets: [UInt8]) {
    guard !octets.isEmpty else { return }
    let word = Self.unquoted(octets[...])
    guard let equals = word.firstIndex(of: UInt8(ascii: "=")) else {
      words.append(Word(name: String(decoding: word, as: UTF8.self), value: nil))
      return
    }
    // Quotes around the whole word are gone by now; these are around its value.
    let value = Self.unquoted(word[word.index(after: equals)...])
    words.append(
      Word(name: String(decoding: word[..<equals], as: UTF8.self), value: String(decoding: value, as: UTF8.self)))
  }

  private static func unquoted(_ octets: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard octets.first == UInt8(ascii: "\"") else { return octets }
    let rest = octets.dropFirst()
    return rest.last == UInt8(ascii: "\"") ? rest.dropLast() : rest
  }

  private static func isBlank(_ octet: UInt8) -> Bool { octet == 0x20 || (0x09...0x0D).contains(octet) }
}
