// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

// What arguments mean. The parser of the command line quotes the argument and names the option that it is for, so the
// errors here are the reason alone.

func parsePortal(_ text: String) throws(ValidationError) -> Portal {
  do { return try Portal(text) } catch { throw ValidationError(error.description) }
}

func parseTargetName(_ text: String) throws(ValidationError) -> TargetName {
  do { return try TargetName(text) } catch { throw ValidationError(error.description) }
}

func parseInitiatorName(_ text: String) throws(ValidationError) -> InitiatorName {
  do { return try InitiatorName(text) } catch { throw ValidationError(error.description) }
}

func parseSessionID(_ text: String) throws(ValidationError) -> SessionID {
  guard text.isDecimal, let number = UInt32(text) else { throw ValidationError("not a session number") }
  return SessionID(rawValue: number)
}

func parseTargetURL(_ text: String) throws(ValidationError) -> TargetURL {
  let url: TargetURL
  do { url = try TargetURL(text) } catch {
    throw ValidationError("\(error); write iscsi://[user@]host[:port]/target-name[/lun]")
  }
  guard url.secret == nil else { throw ValidationError(secretOnCommandLine) }
  return url
}

/// What a user hears who writes a secret where every user of the machine can read it.
let secretOnCommandLine =
  "an argument has a secret, which every user of this machine can read; give it with --password-file FILE or in "
  + "$\(AuthenticationOptions.passwordVariable)"

func parseLUN(_ text: String) throws(ValidationError) -> LUN {
  guard text.isDecimal, let number = UInt64(text), let lun = LUN(number: number) else {
    throw ValidationError("not a logical unit number (0 to 16383)")
  }
  return lun
}

func parseHardwareAddress(_ text: String) throws(ValidationError) -> HardwareAddress {
  guard let address = HardwareAddress(text) else {
    throw ValidationError("not a MAC address (six hexadecimal octets with colons)")
  }
  return address
}

func parseAddress(_ text: String) throws(ValidationError) -> IPAddress {
  guard let address = IPAddress(text) else { throw ValidationError("not an IP address") }
  return address
}

func parseTimeout(_ text: String) throws(ValidationError) -> UInt32 {
  guard text.isDecimal, let seconds = UInt32(text), seconds > 0 else {
    throw ValidationError("not a whole number of seconds above 0")
  }
  return seconds
}

func parseSeconds(_ text: String) throws(ValidationError) -> UInt32 {
  guard text.isDecimal, let seconds = UInt32(text), seconds <= Int32.max else {
    throw ValidationError("not a whole number of seconds")
  }
  return seconds
}

/// Reads a timeout that has no off.
func parseSeconds(of timeout: Timeout) -> @Sendable (String) throws(ValidationError) -> UInt32 {
  { (text) throws(ValidationError) in
    guard case .seconds(let seconds)? = try? timeout.value(text) else {
      throw ValidationError("must be \(timeout.details.values)")
    }
    return seconds
  }
}

/// Reads the replacement timeout; nil is for ever.
func parseReplacementTimeout(_ text: String) throws(ValidationError) -> ReplacementTimeout {
  switch try? Timeout.replacement.value(text) {
  case .off?: return ReplacementTimeout(seconds: nil)
  case .seconds(let seconds)?: return ReplacementTimeout(seconds: Int32(clamping: seconds))
  case nil: throw ValidationError("must be \(Timeout.replacement.details.values) (-1 is off: for ever)")
  }
}

/// Words of a list with commas, best first.
struct PreferenceList<Word: Hashable & Sendable & CustomStringConvertible>: Hashable, Sendable, CustomStringConvertible
{
  /// The words; not empty, each once.
  let words: [Word]

  /// As it is written.
  var description: String { words.map(\.description).joined(separator: ",") }
}

func parseDigests(_ text: String) throws(ValidationError) -> PreferenceList<Digest> {
  guard let list = PreferenceList(text, Digest.init(rawValue:)) else {
    throw ValidationError("not None, CRC32C or both with a comma")
  }
  return list
}

func parseAlgorithms(_ text: String) throws(ValidationError) -> PreferenceList<CHAPAlgorithm> {
  guard let list = PreferenceList(text, CHAPAlgorithm.init(name:)) else {
    throw ValidationError("not a list of SHA3-256, SHA256, SHA1 and MD5 with commas, each at most once")
  }
  return list
}

extension PreferenceList {
  /// Reads a list; nil if a word is unknown or stands twice.
  fileprivate init?(_ text: String, _ parse: (String) -> Word?) {
    var words: [Word] = []
    for text in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let word = parse(String(text)), !words.contains(word) else { return nil }
      words.append(word)
    }
    self.words = words
  }
}

extension StringProtocol {
  /// Whether the text has decimal digits only, and at least one.
  var isDecimal: Bool { !isEmpty && utf8.allSatisfy { (0x30...0x39).contains($0) } }
}
