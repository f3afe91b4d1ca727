// SPDX-License-Identifier: Apache-2.0
import Dispatch
import IscsiKit
import IscsiKitTesting
import SystemPackage

@testable import iscsi_admin

/// What `iscsiadm` prints on a machine with a made-up sysfs and no daemon, and its exit code.
struct IscsiadmRun: Equatable {
  let output: String
  let errors: String
  let status: IscsiKit.ExitStatus

  /// Runs a command line whose words have no blanks, on a thread that it may block.
  init(_ words: String, in tree: borrowing SysfsTree) async {
    var machine = Iscsiadm.Machine()
    machine.sysfs = Sysfs(root: tree.root)
    machine.socket = tree.root.appending("no-daemon")
    machine.configurationFile = tree.root.appending("no-configuration")
    let (parts, arguments) = (machine, words.split(separator: " ").map(String.init))
    self = await withCheckedContinuation { continuation in
      DispatchQueue.global().async { continuation.resume(returning: IscsiadmRun(arguments, on: parts)) }
    }
  }

  private init(_ arguments: [String], on machine: Iscsiadm.Machine) {
    let log = Log()
    let console = IscsiadmConsole(say: { log.output += $0 }, complain: { log.errors += $0 + "\n" })
    status = Iscsiadm(machine: machine, console: console).run(arguments)
    output = log.output
    errors = log.errors
  }

  private final class Log {
    var output = ""
    var errors = ""
  }
}
