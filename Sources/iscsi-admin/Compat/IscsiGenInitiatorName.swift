// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import IscsiKit
import SystemPackage

/// open-iscsi's `iscsi-gen-initiatorname`: stores a name for this machine, that of the kernel's command line or of the
/// firmware if they have one, else a random one.
struct IscsiGenInitiatorName {
  /// What it works on.
  struct Machine {
    var file = InitiatorNameFile()
    /// The kernel's command line.
    var commandLine: FilePath = "/proc/cmdline"
    /// The name that firmware has.
    var firmwareName: FilePath = "/sys/firmware/ibft/initiator/initiator-name"
    /// The effective user.
    var userID = UnixPeer.current.userID
  }

  /// What a random name begins with unless the user says otherwise.
  private static let standardPrefix = "iqn.1996-04.de.suse:01"

  /// The name that it was called by, with its path if it has one.
  let program: String
  var machine = Machine()
  var console = IscsiadmConsole.standard

  /// Does what the arguments say.
  ///
  /// - Parameter arguments: What follows the program's name.
  /// - Returns: 0, or 1 if no name was stored.
  func run(_ arguments: [String]) -> ExitStatus {
    var isForced = false
    var prefix = ""
    if arguments.contains("--help") { return showUsage(.success) }
    let options = ShellOptions(arguments[...], "hfp:")
    for item in options.items {
      switch item {
      case .option("f", _): isForced = true
      case .option("p", let value): prefix = value ?? ""
      case .option: return showUsage(.success)
      case .unknown, .valueMissing: return refuse(item.complaint(of: program))
      }
    }
    guard options.operands.isEmpty else {
      return refuse("Error: Invalid argument(s): \(options.operands.joined(separator: " "))")
    }
    guard machine.userID == 0 else { return refuse("Error: You must be root to run this command") }
    guard isForced || !hasName else { return refuseToOverwrite() }
    guard isWritable else { return .failure }
    let (kernel, firmware) = (kernelName, firmwareName)
    if let kernel, let firmware, kernel != firmware {
      return fail(
        "Error: Kernel cmdline Initiator Name: \(kernel)", "  does not match iBFT Initiator Name: \(firmware)",
        "Please ensure they both match, or remove the kernel parameter, then",
        "  run '\(name) [-f]' to update iSCSI InitiatorName")
    }
    return store(kernel ?? firmware, prefix: prefix.isEmpty ? Self.standardPrefix : prefix, isReplacing: isForced)
  }

  private func refuseToOverwrite() -> ExitStatus {
    refuse("Error: you cannot overwrite the current InitiatorName unless 'force' is set.")
  }

  private func store(_ given: String?, prefix: String, isReplacing: Bool) -> ExitStatus {
    do {
      let name = try given.map(InitiatorName.init) ?? InitiatorNamePrefix(prefix).randomName()
      try machine.file.write(name, isReplacing: isReplacing)
      return .success
    } catch InitiatorNameWriteError.exists {
      // Another one has stored a name since the look.
      return refuseToOverwrite()
    } catch {
      return fail("Error: \(error)")
    }
  }

  // MARK: - What there is

  /// Whether the file has a name, good or not.
  private var hasName: Bool {
    do throws(InitiatorNameFileError) {
      _ = try machine.file.read()
      return true
    } catch {
      if case .badName(_, let reason) = error { return reason != .empty }
      return false
    }
  }

  /// Whether the file can be written, which a read-only file system keeps also root from; tells if not.
  private var isWritable: Bool {
    let (path, files) = (machine.file.path, FileManager.default)
    if files.isReadableFile(atPath: path.string) {
      if files.isWritableFile(atPath: path.string) { return true }
      console.say("Error: cannot update InitiatorName, write protected: \(path.string.printable)\n")
    } else {
      let directory = path.removingLastComponent().string
      if files.isWritableFile(atPath: directory) { return true }
      console.complain("Error: no write permission in directory: \(directory.printable)")
    }
    console.complain("Please ensure the filesystem is read/write.")
    return false
  }

  /// The name of the kernel's command line; the last one counts.
  private var kernelName: String? {
    let key = "rd.initiatorname="
    let words = text(of: machine.commandLine).split(whereSeparator: \.isWhitespace)
    return words.last { $0.hasPrefix(key) }.flatMap { $0 == key ? nil : String($0.dropFirst(key.count)) }
  }

  private var firmwareName: String? {
    text(of: machine.firmwareName).split(whereSeparator: \.isWhitespace).first.map(String.init)
  }

  private func text(of path: FilePath) -> String {
    FileManager.default.contents(atPath: path.string).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  // MARK: - What is told

  /// The program's name without its path.
  private var name: String { program.split(separator: "/").last.map(String.init) ?? program }

  private func refuse(_ line: String?) -> ExitStatus {
    if let line { console.complain(line.printable) }
    return showUsage(.failure)
  }

  private func fail(_ lines: String...) -> ExitStatus {
    for line in lines { console.complain(line.printable) }
    return .failure
  }

  private func showUsage(_ status: ExitStatus) -> ExitStatus {
    console.say(
      """
      Usage: \(name.printable) [OPTIONS] -- generate an iSCSI initiatorname
      Where OPTIONS are from:
         -h          print usage and exit
         -f          overwrite existing InitiatorName, if any
         -p IQN-PRE  set prefix for generated IQN (default \(Self.standardPrefix))

      """)
    return status
  }
}
