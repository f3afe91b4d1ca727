// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Testing

@testable import IscsiKit
@testable import iscsi_admin

/// Sessions as a kernel has shown them, in files of the folder `Captured`: a path of sysfs a line, with the text of the file
/// in quotes, `->` and where a link leads, or `unreadable`.
@Suite("Sessions that a real kernel has shown")
struct CapturedSessionTests {
  /// A state of a session.
  struct State: Sendable, CustomTestStringConvertible {
    /// The name of its file.
    let name: String
    /// What our daemon and open-iscsi's were at then.
    let phase: Supervision.Phase
    /// What it comes to.
    let state: String
    let io: IOState
    var testDescription: String { name }
  }

  private static let states = [
    State(name: "logged-in", phase: .up, state: "operational", io: .flows),
    State(name: "failed", phase: .recovering, state: "recovering", io: .waits(nil)),
    State(name: "recovery", phase: .recovering, state: "errorHandling", io: .waits(nil)),
    State(name: "free-offline", phase: .recovering, state: "failingIO", io: .fails),
  ]

  private static func tree(_ name: String) throws -> SysfsTree {
    let tree = try SysfsTree()
    let text = try Golden.contents("\(Golden.sourceFolder)/Captured/\(name).txt")
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
      let (path, value) = (try #require(parts.first), try #require(parts.last))
      let slash = try #require(path.lastIndex(of: "/"))
      let directory = String(path[..<slash])
      try tree.makeDirectory(directory)
      if value.hasPrefix("-> ") {
        try tree.link(directory, String(path[path.index(after: slash)...]), to: String(value.dropFirst(3)))
      } else if value == "unreadable" {
        try tree.set(path, to: .unreadable)
      } else {
        try #require(value.count > 2 && value.hasPrefix("\"") && value.hasSuffix("\""), "\(line)")
        try tree.set(path, to: .text(String(value.dropFirst().dropLast())))
      }
    }
    return tree
  }

  @Test("Its state is told for what it was, without a daemon", arguments: states)
  func state(_ captured: State) throws {
    let tree = try Self.tree(captured.name)
    for detail in [Sysfs.Detail.summary, .parameters, .full, .complete] {
      let sessions = try Sysfs(root: tree.root).sessions(detail)
      let session = try #require(sessions.first)
      let status = SessionStatus(session, at: 0)
      #expect(sessions.count == 1 && status.state.name == captured.state && status.io == captured.io)
    }
  }

  @Test("All of it is read", arguments: states)
  func whole(_ captured: State) throws {
    let tree = try Self.tree(captured.name)
    let session = try #require(try Sysfs(root: tree.root).sessions(.complete).first)
    #expect(session.transport == "tcp" && session.targetName == "iqn.2026-11.org.example:root" && session.tag == 1)
    #expect(session.configuredPortal?.description == "10.99.0.1:3260,1" && session.targetNumber == 0)
    let isUp = captured.phase == .up
    #expect((session.connection?.portal == nil) != isUp && (session.connection?.localPort == nil) != isUp)
    #expect(session.host?.ipAddress == (isUp ? "10.0.2.15" : nil) && session.host?.networkDevice == nil)
    #expect(session.host?.errorHandlingDeadline == -1 && session.userName == nil)
    #expect(session.negotiated.maxXmitDataSegmentLength == 8192 && session.negotiated.firstBurstLength == 65536)
    #expect(session.devices.map(\.type) == [12, 0] && session.devices.map(\.blockDevice) == [nil, "sda"])
    let disk = try #require(session.devices.last)
    #expect(disk.vendor == "IET" && disk.model == "VIRTUAL-DISK" && disk.revision == "0001")
    #expect(disk.size == 32 << 20 && disk.scheduler == "mq-deadline" && disk.errorHandlingTimeout == 10)
  }

  /// open-iscsi has printed the same then, to the last octet.
  @Test("Its tree is open-iscsi's", arguments: states)
  func tree(_ captured: State) async throws {
    let tree = try Self.tree(captured.name)
    let sysfs = Sysfs(root: tree.root)
    var listed = ListedSession(try #require(try sysfs.sessions(.parameters).first))
    let states = DaemonStates(phase: captured.phase, connectionState: listed.session.connection?.state?.rawValue)
    listed.states = states
    let text = versionLines(of: sysfs.transportClassVersion) + sessionTree([listed], .init(sessionLevel: 3))
    try Golden.expect(text, is: "iscsiadm-session-captured-\(captured.name).txt")
    // The same by the command, for which no daemon tells its states.
    let run = await IscsiadmRun("-m session -P 3", in: tree)
    let unknown =
      text
      .replacing("Connection State: \(states.connection)\n", with: "Connection State: Unknown\n")
      .replacing("Internal iscsid Session State: \(states.session)\n", with: "Internal iscsid Session State: Unknown\n")
    #expect(run.output == unknown && run.status == .success)
  }
}
