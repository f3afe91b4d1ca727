// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import SystemPackage

/// `iscsi-admin boot`.
struct BootCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "boot",
    abstract: "Boot from iSCSI: show what is asked for, set the network up, log in, and check an image.",
    discussion: """
      What is asked for comes from arguments, from the kernel's command line (the names of dracut and of Debian's \
      initramfs-tools), from /etc/iscsi/iscsi.initramfs, and from boot firmware (iBFT), in this order. None of these commands \
      needs the daemon, and boot network and boot connect need nothing that can be written.
      """,
    subcommands: [
      BootShowCommand.self, BootConnectCommand.self, BootNetworkCommand.self, BootCheckCommand.self,
    ])
}

/// Where a boot's parameters are.
struct BootSourceOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Read this in place of the kernel's command line.", valueName: "text"))
  var commandLine: String?

  @Option(
    help: ArgumentHelp("Look below this directory for all files, sysfs among them.", valueName: "dir"),
    completion: .directory)
  var root = "/"

  /// The sources.
  var sources: BootSources {
    var sources = BootSources()
    sources.root = FilePath(root)
    sources.commandLine = commandLine
    return sources
  }

  /// Refuses a `--root` below which there can be nothing.
  func requireRoot() throws(NoSuchRoot) {
    do { try FileDescriptor.open(FilePath(root), .readOnly, options: [.directory, .closeOnExec]).close() } catch {
      // A folder that one may not look into is another thing, which each of its files tells.
      guard let errno = error as? Errno, [.noSuchFileOrDirectory, .notDirectory].contains(errno) else { return }
      throw NoSuchRoot(path: root)
    }
  }
}

/// `--root` is no folder.
struct NoSuchRoot: DiagnosableError {
  let path: String
  var description: String { "--root: no such folder: \(path.printable)" }
  let exitStatus = IscsiKit.ExitStatus.invalidArgument
  var advice: String? { "name the folder that the system is mounted on" }
}

/// What of the network a boot sets up besides what it needs itself.
struct BootNetworkOptions: ParsableArguments {
  @Flag(help: "Make a default route over the gateway, for more than the way to the targets.")
  var defaultRoute = false

  @Flag(help: "Write the name servers to /etc/resolv.conf.")
  var dns = false

  /// How the network is set up.
  var network: BootNetwork {
    var network = BootNetwork()
    network.makesDefaultRoute = defaultRoute
    return network
  }
}

/// There is no boot from iSCSI to be made.
struct NothingToBoot: DiagnosableError {
  /// What is wrong with what asks for one; nothing if nothing asks.
  let problems: [BootProblem]
  /// Whether there is a file that may say otherwise, and we are not allowed to read it.
  let lacksPermission: Bool

  /// Why a plan has nothing to do.
  init(_ plan: BootPlan) {
    problems = plan.isAskedFor ? plan.problems : []
    lacksPermission = plan.isAskedFor && plan.lacksPermission
  }

  var description: String {
    problems.isEmpty
      ? "nothing names a target: neither a parameter of the kernel (netroot=, rd.iscsi., iscsi_) nor "
        + "/etc/iscsi/iscsi.initramfs nor boot firmware (iBFT)"
      : "no login can be made: " + problems.map(\.description).joined(separator: "; ")
  }
  var exitStatus: IscsiKit.ExitStatus {
    lacksPermission ? .access : problems.isEmpty ? .noObjectsFound : .invalidArgument
  }
  var advice: String? {
    lacksPermission
      ? "ask as root"
      : "iscsi-admin " + (problems.isEmpty ? "help boot tells what can name one" : "boot show tells what is understood")
  }
}

/// How the links of a boot have been set up.
struct BootNetworkOutcome: Sendable {
  /// What there is now.
  var reports: [BootLinkReport] = []
  /// Which link failed, and why.
  var failures: [BootLinkFailure] = []
  /// What is odd without being a failure.
  var warnings: [String] = []
}

/// A link that could not be set up.
struct BootLinkFailure: DiagnosableError {
  let link: BootLink
  let reason: BootNetworkError
  var description: String { "network (\(link.origin ?? link.source), \(link.device)): \(reason.description)" }
  var exitStatus: IscsiKit.ExitStatus { reason.exitStatus }
  var advice: String? { reason.advice }
}
