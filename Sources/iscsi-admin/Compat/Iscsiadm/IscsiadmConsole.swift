// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import SystemPackage

/// Where `iscsiadm` writes: as it goes, because programs and people watch a logout of many sessions.
struct IscsiadmConsole {
  /// Takes text for standard output, as it is.
  var say: (String) -> Void
  /// Takes a line for standard error, without its end.
  var complain: (String) -> Void

  /// The process's own.
  static var standard: IscsiadmConsole {
    IscsiadmConsole(
      // Closed or full, it is nothing that open-iscsi reports either.
      say: { text in _ = try? FileDescriptor.standardOutput.writeText(text) },
      complain: { line in StandardError.write(line + "\n") })
  }

  /// Writes a line of an error: the program's name and a text.
  func warn(_ text: String) { complain(Self.line(text)) }

  /// The line of an error, without its end.
  static func line(_ text: String) -> String { "iscsiadm: \(text.printable)" }

  /// Tells a failure of something that the daemon was asked for.
  func warn(ofReported status: ExitStatus) {
    warn("initiator reported error (\(status.rawValue) - \(status.openISCSIText))")
  }

  /// Tells a failure whole.
  func report(_ error: IscsiadmError) -> ExitStatus {
    for line in error.lines { warn(line) }
    if let tail = error.tail { complain(tail) }
    return error.status
  }
}
