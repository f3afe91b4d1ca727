// SPDX-License-Identifier: Apache-2.0
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
  init(_ words: String, in tree: borrowing SysfsTree, usingAllProcessors: Bool = false) async {
    let arguments = words.split(separator: " ").map(String.init)
    await self.init(arguments, on: tree.root, usingAllProcessors: usingAllProcessors)
  }

  /// The same with the machine's files below a folder.
  init(_ arguments: [String], on root: FilePath, sysfs: FilePath? = nil, usingAllProcessors: Bool = false) async {
    var machine = Iscsiadm.Machine()
    machine.sysfs = Sysfs(root: sysfs ?? root, usingAllProcessors: usingAllProcessors)
    machine.socket = root.appending("no-daemon")
    machine.wakeName = nil
    machine.configurationFile = root.appending("no-configuration")
    machine.exclusionsFile = root.appending("exclusions.conf")
    machine.database = RecordDatabase(root: root.appending("records"), lockDirectory: root.appending("lock"))
    let parts = machine
    do {
      self = try await onOwnThread { IscsiadmRun(arguments, on: parts) }
    } catch {
      self = IscsiadmRun(failure: error)
    }
  }

  private init(failure: any Error) {
    (status, output, errors) = (.internal, "", "no thread: \(failure)")
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
