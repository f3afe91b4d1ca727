// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

extension BootEvidenceCollector {
  /// A file that hooks copy into images, where it may be in one, and where it is from.
  private struct CopiedFile {
    let inImage: [String]
    let onMachine: [String]
    /// What a text comes to: names and what they stand for. Two texts are alike if that is.
    let content: @Sendable (String) -> [String: [String]]
    /// Whether an image in which it is missing is older than the file.
    var isMissed = false
  }

  private static let copiedFiles = [
    CopiedFile(
      inImage: ["etc/iscsi.initramfs", "etc/iscsi/iscsi.initramfs"], onMachine: ["etc/iscsi/iscsi.initramfs"],
      content: { assignments(in: $0) { $0.hasPrefix("ISCSI_") } }, isMissed: true),
    CopiedFile(
      inImage: ["etc/iscsi/initiatorname.iscsi", "etc/initiatorname.iscsi"],
      onMachine: ["etc/iscsi/initiatorname.iscsi"],
      content: { ["InitiatorName": [InitiatorNameFile.value(in: $0)].compactMap(\.self)] }),
    CopiedFile(inImage: ["etc/iscsi/iscsid.conf"], onMachine: ["etc/iscsi/iscsid.conf"], content: settings),
    CopiedFile(
      inImage: ["conf/initramfs.conf"], onMachine: ["etc/initramfs-tools/initramfs.conf"],
      content: { assignments(in: $0) { ["IP", "DEVICE"].contains($0) } }),
    CopiedFile(
      inImage: ["hooks/iscsi"], onMachine: ["etc/initcpio/hooks/iscsi", "usr/lib/initcpio/hooks/iscsi"],
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
    for line in lines(of: text) {
      let parts = line.split(separator: "=", maxSplits: 1).map { $0.filter { !$0.isWhitespace } }
      guard parts.count == 2, !parts[0].hasPrefix("#") else { continue }
      found[parts[0], default: []].append(parts[1])
    }
    return found
  }

  /// Compares what the image has of the machine's files with what these are now.
  func lookAtFiles(_ evidence: inout BootEvidence) {
    guard let image = evidence.image else { return }
    for file in Self.copiedFiles {
      guard let (name, now) = file.onMachine.lazy.compactMap({ name in text(name).map { (name, $0) } }).first else {
        continue
      }
      guard let copy = file.inImage.first(where: { image.texts[$0] != nil }), let then = image.texts[copy] else {
        if file.isMissed, !file.content(now).isEmpty {
          evidence.files.append(BootEvidence.CopiedFile(path: "/\(name)", isInImage: false, differences: []))
        }
        continue
      }
      let (old, new) = (file.content(then), file.content(now))
      let differences = Set(old.keys).union(new.keys).filter { old[$0] != new[$0] }.sorted()
      evidence.files.append(BootEvidence.CopiedFile(path: "/\(name)", isInImage: true, differences: differences))
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
    let line = KernelCommandLine(sources.commandLine ?? text("proc/cmdline") ?? "")
    let names = BootParameters.namesOfSecrets(in: line)
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
