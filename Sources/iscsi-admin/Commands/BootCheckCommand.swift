// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import SystemPackage

/// `iscsi-admin boot check`.
struct BootCheckCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Tell before a reboot whether this machine's initramfs can boot from iSCSI.",
    discussion: """
      Looks at the modules of the kernel that is to be booted, at the network that parameters ask for and the cards that this \
      machine has for it, into the initramfs image, at whether the image is older than the files that are copied into it, at the \
      initiator's name and the parameters that a boot will have, at secrets that everybody can read, at the timeouts of the \
      session with the root file system, and at what may take the network away at the shutdown. Needs root to read images. Ends \
      with 0 if the machine can boot, and with 1 if there is a problem, or if the image could not be looked into (13 if only \
      root may).
      """)

  @Option(
    help: ArgumentHelp("The initramfs image, below --root. (default: that of the kernel)", valueName: "file"),
    completion: .file())
  var image: String?

  @Option(help: ArgumentHelp("The kernel that is to be booted. (default: the one that runs)", valueName: "version"))
  var kernel: String?

  @OptionGroup var source: BootSourceOptions
  @OptionGroup var report: ReportOptions

  var isJSON: Bool { report.json }
  var emptyDocument: BootCheckDocument { BootCheckDocument(BootEvidence(kernel: "")) }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    try source.requireRoot()
    var collector = BootEvidenceCollector(source.sources)
    collector.image = image.map { FilePath($0) }
    collector.kernel = kernel
    let evidence = collector.evidence { address in
      runBlocking { (try? await NetworkDevices().device(towards: address, until: .now + .seconds(5))) ?? nil }
    }
    return try output(of: evidence, for: terminal)
  }

  /// What the command prints.
  func output(of evidence: BootEvidence, for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    let problems = evidence.findings.filter { $0.verdict == .problem }.count
    if problems > 0 {
      output.fail(UnbootableMachine(problems: problems))
    } else if let failure = evidence.imageFailure {
      output.fail(UncheckedImage(reason: failure))
    }
    if report.json {
      try output.show(BootCheckDocument(evidence))
    } else if !report.quiet {
      output.text = evidence.findings.map { $0.text(for: terminal) }.joined()
    }
    return output
  }
}

/// A boot would fail.
struct UnbootableMachine: DiagnosableError {
  let problems: Int
  var description: String { "this machine would not boot: \(problems) \(problems == 1 ? "problem" : "problems")" }
  let exitStatus = IscsiKit.ExitStatus.failure
}

/// Nobody knows whether a boot would work: what it depends on most could not be looked at.
struct UncheckedImage: DiagnosableError {
  let reason: InitramfsImageError
  var description: String { "it is not known whether this machine would boot: \(reason.description)" }
  var exitStatus: IscsiKit.ExitStatus { reason.exitStatus }
  var advice: String? { reason.advice }
}

extension BootFinding {
  /// The finding as lines: the verdict, what is known by, and what mends it.
  func text(for terminal: Terminal) -> String {
    let (word, mood): (String, Mood) =
      switch verdict {
      case .ok: ("OK       ", .good)
      case .warning: ("WARNING  ", .warning)
      case .problem: ("PROBLEM  ", .bad)
      }
    var lines = [terminal.coloured(word, mood) + what.printable]
    lines += evidence.map { "         - \($0.printable)" }
    switch remedy {
    case .command(let command, let effect)?:
      lines.append("         > \(command.printable)")
      if let effect { lines.append("           (\(effect.printable))") }
    case .advice(let text)?: lines.append("         > \(text.printable)")
    case nil: break
    }
    return lines.map { $0 + "\n" }.joined()
  }
}

/// `boot check --json`.
struct BootCheckDocument: JSONDocument {
  static let kind = "boot-check"

  /// A finding.
  struct FindingJSON: Encodable {
    let rule: String
    let verdict: String
    let what: String
    let evidence: [String]
    let command: String?
    let advice: String?
  }

  let kernel: String
  let image: String?
  let findings: [FindingJSON]

  init(_ evidence: BootEvidence) {
    kernel = evidence.kernel
    image = evidence.image?.path.string
    findings = (evidence.kernel.isEmpty ? [] : evidence.findings).map { finding in
      let (command, advice): (String?, String?) =
        switch finding.remedy {
        case .command(let text, let effect)?: (text, effect)
        case .advice(let text)?: (nil, text)
        case nil: (nil, nil)
        }
      return FindingJSON(
        rule: finding.rule, verdict: finding.verdict.rawValue, what: finding.what, evidence: finding.evidence,
        command: command, advice: advice)
    }
  }
}
