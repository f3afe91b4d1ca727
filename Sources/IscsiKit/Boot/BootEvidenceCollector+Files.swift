// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

extension BootEvidenceCollector {
  /// A file that hooks copy into images, where it may be in one, and where it is from.
  private struct CopiedFile {
    let inImage: [FilePath]
    let onMachine: [FilePath]
    /// What a text comes to: names and what they stand for. Two texts are alike if that is.
    let content: @Sendable (String) -> [String: [String]]
    /// Whether an image in which it is missing is older than the file.
    var isMissed = false
  }

  private static let copiedFiles = [
    CopiedFile(
      inImage: BootSources.settingsFiles, onMachine: ["/etc/iscsi/iscsi.initramfs"],
      content: { assignments(in: $0) { $0.hasPrefix("ISCSI_") } }, isMissed: true),
    CopiedFile(
      inImage: BootSources.nameFiles, onMachine: [InitiatorNameFile.standardPath],
      content: { ["InitiatorName": [InitiatorNameFile.value(in: $0)].compactMap(\.self)] }),
    CopiedFile(
      inImage: [InitiatorConfiguration.standardPath], onMachine: [InitiatorConfiguration.standardPath],
      content: settings),
    CopiedFile(
      inImage: ["/conf/initramfs.conf"], onMachine: ["/etc/initramfs-tools/initramfs.conf"],
      content: { assignments(in: $0) { ["IP", "DEVICE"].contains($0) } }),
    CopiedFile(
      inImage: ["/hooks/iscsi"], onMachine: ["/etc/initcpio/hooks/iscsi", "/usr/lib/initcpio/hooks/iscsi"],
      content: { ["": lines(of: $0)] }),
  ]

  /// The lines that have something in them. They may end with CR LF, which is one character, and not a line feed.
  @Sendable private static func lines(of text: String) -> [String] {
    text.utf8.split(separator: 0x0A).map { line in
      String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
    }.filter { !$0.isEmpty }
  }

  private static func assignments(in text: String, where isWanted: (String) -> Bool) -> [String: [String]] {
    var found: [String: [String]] = [:]
    for assignment in ShellAssignments(text).all where isWanted(assignment.name) {
      found[assignment.name] = [assignment.value]
    }
    return found
  }

  /// The settings of `iscsid.conf`.
  @Sendable private static func settings(in text: String) -> [String: [String]] {
    var found: [String: [String]] = [:]
    for case .entry(let key, let value) in RecordText(text.utf8).lines { found[key] = [value] }
    return found
  }

  /// Compares what the image has of the machine's files with what these are now.
  func lookAtFiles(_ evidence: inout BootEvidence) {
    guard let image = evidence.image else { return }
    for file in Self.copiedFiles {
      let found = file.onMachine.lazy.compactMap { path in text(path.string).map { (path.string, $0) } }.first
      guard let (path, text) = found else { continue }
      let new = file.content(text)
      if let copy = image.file(of: file.inImage) {
        let old = file.content(copy.text)
        let differences = Set(old.keys).union(new.keys).filter { old[$0] != new[$0] }.sorted()
        evidence.files.append(BootEvidence.CopiedFile(path: path, isInImage: true, differences: differences))
      } else if file.isMissed, !new.isEmpty {
        evidence.files.append(BootEvidence.CopiedFile(path: path, isInImage: false, differences: []))
      }
    }
  }

  /// Looks for secrets that everybody may read.
  func lookAtSecrets(_ evidence: inout BootEvidence) {
    for file in BootSources.settingsFiles.map(\.string) + [InitiatorConfiguration.standardPath.string] {
      guard let contents = try? FileContents(of: place(file), limit: 1 << 20), contents.isReadableByOthers else {
        continue
      }
      if Self.holdsSecret(String(decoding: contents.octets, as: UTF8.self), file) {
        evidence.exposedSecrets.append(.file(place(file).string))
      }
    }
    if let image = evidence.image, image.isReadableByOthers, image.texts.contains(where: { Self.holdsSecret($1, $0) }) {
      evidence.exposedSecrets.append(.image(image.path))
    }
    let names = BootParameters.namesOfSecrets(in: commandLine)
    if !names.isEmpty { evidence.exposedSecrets.append(.commandLine(names)) }
  }

  /// Whether a file that is called so has a secret in it.
  private static func holdsSecret(_ text: String, _ path: String) -> Bool {
    if path.hasSuffix("iscsid.conf") {
      return settings(in: text).contains { $0.key.contains(".auth.password") && $0.value.contains { !$0.isEmpty } }
    }
    if path.hasSuffix(".initramfs") { return BootParameters.holdsSecret(inFile: text) }
    return path.contains("cmdline") && !BootParameters.namesOfSecrets(in: KernelCommandLine(text)).isEmpty
  }
}
