// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import SystemPackage

/// open-iscsi's `iscsi-iname`: prints a new random name for an initiator.
struct IscsiIname: Hashable {
  /// Why nothing is printed.
  enum Refusal: Error, Hashable {
    /// An option that there is none of, or that lacks its argument, as the user wrote it.
    case badOption(String)
    /// Words that are no options.
    case unknownArgument
    /// More octets than a name has room for.
    case prefixTooLong

    /// The line that says so.
    var text: String {
      switch self {
      case .badOption(let word): "iscsi-iname: \(word) cannot be used"
      case .unknownArgument: "unknown argument(s)"
      case .prefixTooLong: "error: prefix too long"
      }
    }
  }

  /// What the name begins with. Unlike our own commands, this program takes whatever it is given.
  var prefix = InitiatorNamePrefix.standard.description
  /// Whether the name is printed as the file of the initiator's name has it.
  var isLine = false
  var isHelp = false

  /// Reads arguments as getopt_long does.
  init(_ arguments: [String]) throws(Refusal) {
    var rest = arguments[...]
    var words = 0
    while let word = rest.popFirst() {
      if word == "--" {
        words += rest.count
        break
      }
      if word.hasPrefix("--") {
        try take(long: word, &rest)
      } else if word.hasPrefix("-"), word != "-" {
        try take(short: word, &rest)
      } else {
        words += 1
      }
      if isHelp { return }
    }
    guard words == 0 else { throw .unknownArgument }
  }

  private mutating func take(short word: String, _ rest: inout ArraySlice<String>) throws(Refusal) {
    var letters = word.dropFirst()
    while let letter = letters.popFirst() {
      switch letter {
      case "h": isHelp = true
      case "g": isLine = true
      case "p":
        guard let value = letters.isEmpty ? rest.popFirst() : String(letters) else { throw .badOption(word) }
        return try setPrefix(value)
      default: throw .badOption("-\(letter)")
      }
    }
  }

  private mutating func take(long word: String, _ rest: inout ArraySlice<String>) throws(Refusal) {
    let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let names = ["help", "prefix", "generate-iname-prefix"].filter { !parts[0].isEmpty && $0.hasPrefix(parts[0]) }
    let value = parts.count == 2 ? String(parts[1]) : nil
    switch (names.first, value) {
    case ("help", nil): isHelp = true
    case ("generate-iname-prefix", nil): isLine = true
    case ("prefix", _):
      guard let value = value ?? rest.popFirst() else { throw .badOption(word) }
      try setPrefix(value)
    default: throw .badOption(word)
    }
  }

  private mutating func setPrefix(_ text: String) throws(Refusal) {
    guard text.utf8.count <= InitiatorNamePrefix.maximumLength else { throw .prefixTooLong }
    prefix = text
  }

  /// What is printed.
  var output: String {
    isHelp ? Self.help : (isLine ? "InitiatorName=" : "") + "\(prefix):\(InitiatorNamePrefix.randomDigits())\n"
  }

  /// Does what the arguments say; the exit code is 1 for wrong ones, as that of open-iscsi's.
  static func run(_ arguments: [String]) -> ExitStatus {
    do throws(Refusal) {
      let program = try IscsiIname(arguments)
      _ = try? FileDescriptor.standardOutput.writeText(program.output)
      return .success
    } catch {
      StandardError.write("\(error.text.printable)\n")
      return .failure
    }
  }

  private static let help = """
    Usage: iscsi-iname [OPTION]

    Prints a new random name for an initiator.

      -p, --prefix=PREFIX           begin the name with PREFIX, of at most \(InitiatorNamePrefix.maximumLength) octets,
                                    in place of \(InitiatorNamePrefix.standard)
      -g, --generate-iname-prefix   print InitiatorName= before the name
      -h, --help                    show this

    """
}
