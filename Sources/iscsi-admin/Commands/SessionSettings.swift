// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// What a session is set to.
struct SessionSettings: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Seconds that I/O waits for a lost session; off or -1 is for ever, 0 fails it at once. (default: 120)",
      valueName: "s"),
    transform: parseReplacementTimeout)
  var replacementTimeout: ReplacementTimeout?

  @Option(
    help: ArgumentHelp(
      "Seconds of silence before the target is asked for a sign of life; 0 is never. (default: 5)", valueName: "s"),
    transform: parseSeconds(of: .noopInterval))
  var noopInterval: UInt32?

  @Option(
    help: ArgumentHelp("Seconds that this sign of life may take; 0 is off. (default: 5)", valueName: "s"),
    transform: parseSeconds(of: .noopTimeout))
  var noopTimeout: UInt32?

  @Option(
    help: ArgumentHelp(
      "HeaderDigest, best first: None, CRC32C or both with a comma. (default: None)", valueName: "list"),
    completion: digestLists, transform: parseDigests)
  var headerDigest: PreferenceList<Digest>?

  @Option(
    help: ArgumentHelp("DataDigest, best first: None, CRC32C or both with a comma. (default: None)", valueName: "list"),
    completion: digestLists, transform: parseDigests)
  var dataDigest: PreferenceList<Digest>?

  /// The names of those that are given.
  var given: [String] {
    names(
      of: ("--replacement-timeout", replacementTimeout != nil), ("--noop-interval", noopInterval != nil),
      ("--noop-timeout", noopTimeout != nil), ("--header-digest", headerDigest != nil),
      ("--data-digest", dataDigest != nil))
  }

  /// The timeouts of a login.
  var timeouts: LoginDescription.TimeoutsDescription {
    let replacement = replacementTimeout ?? ReplacementTimeout(seconds: 120)
    return LoginDescription.TimeoutsDescription(
      replacement: Int64(replacement.seconds ?? -1), noopInterval: Int64(noopInterval ?? 5),
      noopTimeout: Int64(noopTimeout ?? 5))
  }

  /// What a login asks for.
  var parameters: LoginDescription.ParametersDescription {
    LoginDescription.ParametersDescription(
      headerDigest: (headerDigest?.words ?? [.none]).map(\.rawValue),
      dataDigest: (dataDigest?.words ?? [.none]).map(\.rawValue))
  }
}

/// How long I/O waits for a lost session.
struct ReplacementTimeout: Hashable, Sendable, CustomStringConvertible {
  /// Seconds, 0 or more; nil is for ever.
  let seconds: Int32?

  /// As it is written.
  var description: String { (seconds ?? -1).description }
}

private let digestLists = CompletionKind.list(["None", "CRC32C", "CRC32C,None", "None,CRC32C"])
