// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Glibc
import IscsiKit

/// What the place that text goes to can show.
struct Terminal: Equatable, Sendable {
  /// Columns that a line may take; nil for as long as it likes.
  var width: Int?
  /// Whether words may be coloured.
  var hasColour = false

  /// No terminal: a file or a pipe.
  static let plain = Terminal()

  /// The terminal behind standard output, or `plain`.
  static var standardOutput: Terminal {
    guard isatty(STDOUT_FILENO) == 1 else { return .plain }
    let environment = ProcessInfo.processInfo.environment
    return Terminal(width: terminalWidth(of: STDOUT_FILENO), hasColour: wantsColour(environment))
  }

  /// Whether the user wants colour: not with a non-empty NO_COLOR (no-color.org), nor on a dumb terminal.
  static func wantsColour(_ environment: [String: String]) -> Bool {
    environment["NO_COLOR", default: ""].isEmpty && environment["TERM"] != "dumb"
  }

  /// `text` in the colour that tells how good its news is.
  func coloured(_ text: String, _ mood: Mood) -> String {
    guard hasColour, let code = mood.colour else { return text }
    return "\u{1B}[\(code)m\(text)\u{1B}[0m"
  }
}

/// How good the news is that a word brings.
enum Mood: Sendable {
  /// No news.
  case neutral
  /// All is well.
  case good
  /// Not well, but it may become so by itself.
  case warning
  /// Broken.
  case bad

  /// The SGR code: green, yellow, red.
  fileprivate var colour: Int? {
    switch self {
    case .neutral: nil
    case .good: 32
    case .warning: 33
    case .bad: 31
    }
  }
}

extension String {
  /// The text fit to stand on one line of a terminal: control characters, with which a target could move the cursor,
  /// and invisible direction marks are written as escapes.
  var printable: String {
    // Asking Unicode's tables of each character takes longer than reading what the text is about.
    if utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return self }
    guard unicodeScalars.contains(where: \.isUnprintable) else { return self }
    return unicodeScalars.map { $0.isUnprintable ? $0.escaped(asASCII: true) : String($0) }.joined()
  }
}

extension Unicode.Scalar {
  fileprivate var isUnprintable: Bool {
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }
}
