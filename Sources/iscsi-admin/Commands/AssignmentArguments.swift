// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// An argument that names a target, or gives a key a value.
///
/// A wrong value is told of later, without it: the argument parser would quote it, and it may be a secret.
enum NodeArgument: Hashable {
  case target(TargetName)
  case assignment(AssignmentArgument)

  /// Reads `KEY=VALUE` or a name; no name of a target has an equals sign.
  init(_ text: String) throws(ValidationError) {
    if let assignment = AssignmentArgument(text) {
      self = .assignment(assignment)
    } else {
      self = .target(try parseTargetName(text))
    }
  }
}

extension [NodeArgument] {
  /// The targets among them.
  var targets: [TargetName] {
    compactMap { argument in
      if case .target(let name) = argument { name } else { nil }
    }
  }

  /// The assignments among them.
  var assignments: [AssignmentArgument] {
    compactMap { argument in
      if case .assignment(let assignment) = argument { assignment } else { nil }
    }
  }
}

/// `KEY=VALUE` as it stands on the command line.
struct AssignmentArgument: Hashable {
  let key: String
  let value: String

  /// Reads the two; nil if there is no equals sign, or nothing before it.
  init?(_ text: String) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty else { return nil }
    key = String(parts[0])
    value = String(parts[1])
  }

  /// Whether the key is that of a secret, of whatever kind of record.
  var isForSecret: Bool {
    NodeRecord.keys[key]?.role == .secret || DiscoveryRecord.keys(of: .sendTargets)[key]?.role == .secret
  }

  /// Whether the value is a secret itself, and not where it is.
  var hasSecret: Bool { isForSecret && !value.isEmpty && !value.hasPrefix("@") }

  /// What a user hears who writes it there.
  var adviceOnSecret: String {
    "a secret on the command line is for all to read: give it as \(key)=@FILE, or =@- for standard input"
  }
}

func parseAssignment(_ text: String) throws(ValidationError) -> AssignmentArgument {
  guard let assignment = AssignmentArgument(text) else { throw ValidationError("not KEY=VALUE") }
  return assignment
}

extension [AssignmentArgument] {
  /// Refuses secrets that every user of the machine can read, and two where there is one.
  func checkSecrets() throws(ValidationError) {
    if let assignment = first(where: \.hasSecret) { throw ValidationError(assignment.adviceOnSecret) }
    if count(where: { $0.isForSecret && $0.value == "@-" }) > 1 {
      throw ValidationError("two secrets are to come from standard input")
    }
  }

  /// The values that keys are to get; of a secret, `@FILE` is the first line of a file.
  ///
  /// - Parameter warn: Is told what is allowed but unwise.
  /// - Returns: The values.
  /// - Throws: `SecretFileError` or `RecordRefusal`.
  func resolve(warn: (String) -> Void) throws -> Assignments {
    var assignments = Assignments()
    for assignment in self {
      guard assignment.isForSecret, assignment.value.hasPrefix("@") else {
        try assignments.add(assignment.key, assignment.value)
        continue
      }
      let path = String(assignment.value.dropFirst())
      let contents = try SecretFile(path).read()
      if contents.isReadableByOthers { warn(secretForAll(path)) }
      try assignments.add(assignment.key, contents.secret)
    }
    return assignments
  }
}
