// SPDX-License-Identifier: Apache-2.0

/// Where secrets are among parameters. A word that a boot cannot use may have one all the same, so that nothing here takes parameters over.
extension BootParameters {
  /// The names of the words of a command line that have a secret in them, be they misspelt.
  static func namesOfSecrets(in line: KernelCommandLine) -> [String] {
    var names: [String] = []
    for word in line.words where !names.contains(word.name) {
      guard let value = word.value else { continue }
      let meant = BootParameterName.meant(by: word.name)
      if holdsSecret(value, meant: meant) || holdsCredentials(value, of: word.name) { names.append(word.name) }
    }
    return names
  }

  /// Whether a file of assignments has a secret in it.
  static func holdsSecret(inFile text: String) -> Bool {
    let assignments = ShellAssignments(text)
    let refused = assignments.refusedLines.flatMap { words(ofLine: $0, in: text) }
    return (assignments.all.map { (name: $0.name, value: $0.value) } + refused).contains { name, value in
      holdsSecret(value, meant: BootParameterName.meant(byVariable: name))
    }
  }

  /// What looks like assignments on a line that is more than that, such as one with a substitution.
  private static func words(ofLine number: Int, in text: String) -> [(name: String, value: String)] {
    let lines = text.utf8.split(separator: 0x0A, maxSplits: number, omittingEmptySubsequences: false)
    guard lines.indices.contains(number - 1) else { return [] }
    let words = String(decoding: lines[number - 1], as: UTF8.self).split { " \t\r;".contains($0) }
    return words.compactMap { (word: Substring) -> (name: String, value: String)? in
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      return parts.count == 2 ? (parts[0], parts[1]) : nil
    }
  }

  /// Whether a value is a secret, or settings with one, by the name that it is meant for.
  private static func holdsSecret(_ value: String, meant name: String?) -> Bool {
    guard let name, !value.isEmpty else { return false }
    if name.lowercased().hasSuffix("password") { return true }
    return value.split(separator: " ").contains { word in
      guard let setting = try? Setting(word), !setting.value.isEmpty else { return false }
      let key = keys.contains(setting.key) ? setting.key : setting.key.nearest(in: keys)
      return key.flatMap { NodeRecord.keys[$0] }?.role == .secret
    }
  }

  private static let keys = Set(NodeRecord.keys.all.map(\.name))

  /// Whether a root path has something before the `@`, which only credentials can be. Those of others, such as NFS, may have the sign in a path.
  private static func holdsCredentials(_ value: String, of name: String) -> Bool {
    guard ["netroot", "root", "iscsiroot"].contains(name), let at = value.lastIndex(of: "@") else { return false }
    let fields = value[..<at].split(separator: ":")
    let hasScheme = fields.first.map { String($0).nearest(in: ["iscsi"]) != nil } ?? false
    let hasName = ["iqn.", "eui.", "naa."].contains { value[at...].contains(":\($0)") }
    return (hasScheme || hasName || name == "iscsiroot") && fields.count > (hasScheme ? 1 : 0)
  }
}
