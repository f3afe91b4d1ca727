// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit
@testable import iscsi_admin

@Suite("Exit codes")
struct ExitCodeTests {
  private static func login(_ cause: OperationError.Cause) throws -> OperationError {
    try Samples.operationError(1, cause)
  }

  private static func errors() throws -> [(any Error, Int)] {
    let session = SessionID(rawValue: 7)
    let target = try Samples.target(1)
    let url = TargetURL(portal: Samples.portal, target: target)
    return [
      (CancellationError(), 1), (try login(.transport(.cancelled)), 1), (try login(.kernel(.cancelled)), 1),
      (try login(.sysfs(.unreadable(path: "/sys", .ioError))), 1), (Errno.noSpace, 1),
      (NotOperational(count: 1, of: 2), 1),
      (NoSession(selector: .id(session)), 2), (try login(.noSession), 2), (SysfsError.noSession(session), 2),
      (ProbeFailure(url: url, error: UserspaceError("login", .noMemory)), 3),
      (try login(.transport(.refused)), 4), (try login(.transport(.unreachable(.noRouteToHost))), 4),
      (try login(.transport(.unresolvable("no such name"))), 4), (try login(.login(.connectionClosed)), 4),
      (OperationError(.discovery(Samples.portal), .pdu(.transport(.closedByPeer))), 4),
      (ProbeFailure(url: url, error: UserspaceError("login", .transport(.refused))), 4),
      (try login(.login(.rejected(.serviceUnavailable))), 5), (try login(.login(.rejected(.outOfResources))), 5),
      (DatabaseError.locked(path: "/run/lock/iscsi/lock.write"), 6),
      (DatabaseError.failed("read", path: "/x", .ioError), 6),
      (DatabaseError.failed("write", path: "/x", .permissionDenied), 13),
      (ValidationError("wrong"), 7), (InitiatorNameFileError.noName(path: "/etc"), 7),
      (AuthenticationOptionsError.noSecret(.outgoing), 7), (AuthenticationOptionsError.unusable(.equalSecrets), 7),
      (try login(.transport(.noSuchDevice("eth9"))), 7),
      (try login(.transport(.timedOut)), 8),
      (try login(.kernel(.closed)), 9),
      (LogoutError.noAnswer, 10),
      (try login(.login(.timedOut)), 11),
      (KernelError.transportMissing, 12), (KernelError.moduleMissing(.noModprobe), 12),
      (KernelError.wrongNetworkNamespace, 12),
      (KernelError.notPermitted(.open, .notPermitted), 13),
      (SysfsError.unwritable(path: "/sys", value: "1", .permissionDenied), 13),
      (AuthenticationOptionsError.file(.unreadable(path: "/root", .permissionDenied)), 13),
      (try login(.sessionExists(session)), 15),
      (RecordRefusal.inUse(.interface(.standard), session), 15), (RecordRefusal.noInterface(.iser), 21),
      (RecordRefusal.setting(.unknownKey("node.x")), 7),
      (try login(.login(.rejected(.notFound))), 19), (try login(.login(.rejected(.initiatorError))), 19),
      (try login(.login(.violation(.zeroTSIH))), 19), (try login(.unexpectedPDU(.nopIn)), 19),
      (InitiatorError.daemon(.closed), 18),
      (InitiatorError.daemon(.notConnected("/run/s", .noSuchFileOrDirectory)), 20),
      (DaemonError.otherDaemon(.taken(by: .openISCSI(process: 1))), 28), (try login(.inUse("mounted")), 28),
      (try login(.held("sda is held by dm-0")), 28),
      (try login(.logoutUnderWay(session)), 28), (try login(.logoutUnderWay(nil)), 28),
      (NoSession(), 21), (NoSession(selector: .target(target)), 21), (NothingFound(portal: Samples.portal), 21),
      (SysfsError.noDevice(address: "1:0:0:1", session), 22),
      (KernelError.rejected(.createSession, .noSuchAddressOrDevice, by: .interface), 23),
      (try login(.login(.rejected(.authenticationFailure))), 24), (try login(.login(.authenticationRefused)), 24),
      (try login(.login(.rejected(.authorizationFailure))), 24),
      (try login(.login(.targetNotAuthenticated(.wrongResponse))), 19),
      (ProbeFailure(url: url, error: UserspaceError("login", .authenticationRequired)), 24),
      (try login(.isns(.query(.noSuchEntry))), 21), (try login(.isns(.timedOut(.query))), 11),
      (try login(.isns(.query(.sourceUnauthorized))), 25), (try login(.isns(.malformed(.noStatus))), 25),
      (try login(.isns(.registration(.sourceUnauthorized))), 26),
      (ProbeFailure(url: url, error: UserspaceError("login", .unsupportedAlgorithms([.sha1]))), 27),
      (ProbeFailure(url: url, error: UserspaceError("login", .mutualAuthentication)), 27),
      (OperationError(.logout(session, target: nil), .unsupportedTransport("iser")), 27),
      (KernelError.alreadyOwned(session), 28),
      (KernelError.overrun(.createSession), 29),
      (SysfsError.unbound(session), 32),
      (try login(.scanTimedOut), 33), (try login(.scanNotBegun), 33),
      (try login(.kernel(.timedOut(.createSession))), 33),
    ]
  }

  @Test("Every error ends with open-iscsi's code for it, after one line on standard error")
  func codes() throws {
    for (error, code) in try Self.errors() {
      let output = IscsiAdmin.output(for: error, of: [])
      #expect(Int(output.status.rawValue) == code, "\(error)")
      #expect(output.diagnosticLines.count == 1, "\(error)")
      #expect(output.text == "")
    }
  }

  @Test("docs/exit-codes.md has every code with its name, in order")
  func documentation() throws {
    let rows = try Golden.contents(Golden.root + "/docs/exit-codes.md").split(separator: "\n").compactMap { line in
      let cells = line.split(separator: "|").map { $0.drop { $0 == " " }.prefix { $0 != " " } }
      return cells.count >= 3 ? cells.first.flatMap { UInt8($0) }.map { (code: $0, name: String(cells[1])) } : nil
    }
    #expect(rows.map(\.code) == ExitStatus.allCases.map(\.rawValue))
    #expect(rows.map(\.name) == ExitStatus.allCases.map { "`\($0)`" })
  }

  /// The codes that the documentation calls unused.
  private func unused() throws -> [Int] {
    try Golden.contents(Golden.root + "/docs/exit-codes.md").split(separator: "\n")
      .filter { $0.hasSuffix("| not used yet |") }
      .compactMap { $0.split(separator: "|").first.flatMap { Int($0.filter(\.isNumber)) } }
  }

  @Test("A code that the documentation calls unused has no error here, and the others have one")
  func use() throws {
    let unused = try unused()
    let used = Set(try Self.errors().map(\.1) + [0])
    #expect(used.isDisjoint(with: unused))
    #expect(used.union(unused) == Set(ExitStatus.allCases.map { Int($0.rawValue) }))
  }

  @Test("The manual page has every code that is used, in order")
  func manual() throws {
    let lines = try Golden.contents(Golden.root + "/docs/manual.mdoc").split(separator: "\n")
    let section = lines.drop { $0 != ".Sh \"EXIT STATUS\"" }.prefix { $0 != ".Sh EXAMPLES" }
    let codes = section.filter { $0.hasPrefix(".It ") }.compactMap { Int($0.dropFirst(4)) }
    let unused = try unused()
    #expect(codes == ExitStatus.allCases.map { Int($0.rawValue) }.filter { !unused.contains($0) })
  }
}
