// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import Synchronization
import SystemPackage
import Testing

@Suite("Login through the kernel", .timeLimit(.minutes(2)))
struct SessionLoginTests {
  /// A request as open-iscsi's order of requests is written down: the number, and what is set or sent.
  private func line(_ request: ScriptedRequest) -> String {
    switch request.type {
    case .setParameter: "16 \(request.parameter)=\(request.text ?? "?")"
    case .sendPDU: "19 \(request.pdu.map { String($0.header[0], radix: 16) } ?? "?")"
    case .stopConnection: "18 \(request.stopFlag)"
    default: "\(request.type.rawValue)"
    }
  }

  private func before(_ port: UInt16, _ names: [String] = []) -> [String] {
    [
      "11", "13", "15", "16 15=iqn.2001-04.com.example:disk", "16 17=127.0.0.1", "16 18=\(port)", "16 19=120",
    ] + names + [
      "16 26=1", "16 27=15", "16 28=30", "16 35=30", "16 30=5", "16 31=5", "16 32=default",
      "16 34=iqn.2001-04.com.example:host", "16 43=0",
    ]
  }

  private func after(expStatSN: Int) -> [String] {
    [
      "16 0=262144", "16 1=262144", "16 2=0", "16 3=0", "16 4=1", "16 5=1", "16 6=1", "16 7=65536", "16 8=262144",
      "16 9=1", "16 10=1", "16 11=0", "16 14=\(expStatSN)", "16 16=1", "17",
    ]
  }

  @Test("The kernel is asked what open-iscsi asks, in its order, in six datagrams")
  func requests() async throws {
    let fixture = try await SessionFixture()
    let report = try await fixture.sessions.login(try fixture.request())
    #expect(
      fixture.kernel.requests.dropFirst().map(line)
        == before(fixture.portal.port) + ["19 43"] + after(expStatSN: 0x1001))
    // The link's probe, session, connection, socket with parameters, Login Request, parameters with start.
    #expect(fixture.kernel.datagramCount == 6)
    #expect(fixture.kernel.violations == [])
    #expect(report.session == SessionID(rawValue: 1) && report.host == HostNumber(rawValue: 2))
    #expect(report.portal == fixture.portal && report.login.tag == 1)
    #expect(report.devices.isEmpty && report.scanFailure == nil)
    let session = try #require(fixture.kernel.sessions[report.session])
    #expect(session.connection == .up && session.peerPort == fixture.portal.port)
  }

  @Test("One zero of the NOP-Out check's two turns it off, for which the kernel needs both", arguments: [true, false])
  func noCheck(isInterval: Bool) async throws {
    let fixture = try await SessionFixture()
    var request = try fixture.request()
    if isInterval {
      request.options.timeouts.noopInterval = .zero
    } else {
      request.options.timeouts.noopTimeout = .zero
    }
    let report = try await fixture.sessions.login(request)
    let parameters = try #require(fixture.kernel.sessions[report.session]).parameters
    #expect(parameters[30] == "0" && parameters[31] == "0")
  }

  @Test("After a login the kernel alone has the socket")
  func socket() async throws {
    let fixture = try await SessionFixture()
    _ = try await fixture.sessions.login(try fixture.request())
    let port = fixture.portal.port
    #expect(await eventually { TestListener.connections(to: port) == 1 })
  }

  @Test("With CHAP, both names and secrets are set, and three more requests are sent")
  func requestsWithCHAP() async throws {
    let fixture = try await SessionFixture(try testTarget(authentication: try TestAccounts.chap()))
    let request = try fixture.request(try TestAccounts.authentication(mutual: true))
    _ = try await fixture.sessions.login(request)
    #expect(
      fixture.kernel.requests.dropFirst().map(line)
        == before(
          fixture.portal.port, ["16 22=host", "16 23=disk", "16 24=initiatorSecret1", "16 25=targetSecret1234"])
        + Array(repeating: "19 43", count: 4) + after(expStatSN: 0x1004))
  }

  @Test("Every CHAP algorithm works in one direction and in both", arguments: CHAPAlgorithm.allCases, [false, true])
  func algorithms(algorithm: CHAPAlgorithm, mutual: Bool) async throws {
    let fixture = try await SessionFixture(try testTarget(authentication: try TestAccounts.chap([algorithm])))
    let request = try fixture.request(try TestAccounts.authentication(mutual: mutual, CHAPAlgorithm.allCases))
    #expect(try await fixture.sessions.login(request).login.algorithm == algorithm)
  }

  @Test(
    "A secret gets to the kernel once, where only root can read it, and into no report and no error",
    arguments: [true, false])
  func secrets(isRight: Bool) async throws {
    var chap = try TestAccounts.chap()
    if !isRight {
      chap.target = CHAPCredentials(name: "disk", secret: try #require(Secret("anotherSecret123")))
    }
    let fixture = try await SessionFixture(try testTarget(authentication: chap))
    let request = try fixture.request(try TestAccounts.authentication(mutual: true))
    var told = ""
    do throws(OperationError) {
      let report = try await fixture.sessions.login(request)
      dump(report, to: &told)
      #expect(isRight)
    } catch {
      dump(error, to: &told)
      told += "\(error) \(String(reflecting: error)) \(error.advice ?? "")"
      #expect(error.cause == .login(.targetNotAuthenticated(.wrongResponse)))
      #expect(error.exitStatus == .fatalLogin)
      #expect(!isRight)
    }
    dump(request, to: &told)
    for secret in TestAccounts.secrets {
      #expect(!told.contains(secret))
      let telling = fixture.kernel.requests.filter {
        String(decoding: $0.arguments + $0.payload, as: UTF8.self).contains(secret)
      }
      #expect(telling.map { line($0).prefix(6) } == [secret == TestAccounts.secrets[0] ? "16 24=" : "16 25="])
    }
  }

  @Test("A login goes on when the kernel still has its PDU before in hand")
  func taskBusy() async throws {
    let fixture = try await SessionFixture()
    for _ in 0..<3 { fixture.kernel.inject(.returnCode(.notPermitted), into: .sendPDU) }
    let report = try await fixture.sessions.login(try fixture.request())
    #expect(fixture.kernel.sessions[report.session]?.connection == .up)
    #expect(fixture.kernel.violations.isEmpty)
  }

  @Test("Each step is told as it begins")
  func steps() async throws {
    let fixture = try await SessionFixture()
    try fixture.tree.add(.example(1))
    var request = try fixture.request()
    request.options.scan = .all
    let steps = Mutex<[LoginStep]>([])
    _ = try await fixture.sessions.login(request) { step in steps.withLock { $0.append(step) } }
    #expect(steps.withLock { $0 } == [.connect, .create, .negotiate, .start, .scan, .end])
  }

  @Test(
    "The scan is the one that was asked for",
    arguments: [
      (ScanMode.all, "0 0 -", 1), (.only([LUN(rawValue: 5 << 48)]), "0 0 5", 1), (.none, "", 0),
    ])
  func scan(mode: ScanMode, written: String, count: Int) async throws {
    let fixture = try await SessionFixture()
    try fixture.tree.add(.example(1))
    try fixture.tree.set("class/scsi_host/host1/scan", to: .text(""))
    var request = try fixture.request()
    request.options.scan = mode
    let report = try await fixture.sessions.login(request)
    #expect(try fixture.tree.contents("class/scsi_host/host1/scan") == written)
    #expect(report.devices.count == count && report.scanFailure == nil)
  }

  @Test("A scan that fails leaves the session up and is told in the report")
  func scanFailure() async throws {
    let fixture = try await SessionFixture()
    var request = try fixture.request()
    request.options.scan = .all
    let report = try await fixture.sessions.login(request)
    #expect(report.scanFailure?.cause == .sysfs(.noSession(report.session)))
    #expect(report.scanFailure?.operation == .scan(report.session))
    #expect(fixture.kernel.sessions[report.session]?.connection == .up)
  }

  @Test("A binding is shown on the host, and a kernel that does not want to is no failure", arguments: [false, true])
  func hostParameter(refused: Bool) async throws {
    let fixture = try await SessionFixture()
    if refused { fixture.kernel.inject(.refuse(.noFunction), into: .setHostParameter) }
    var request = try fixture.request()
    request.options.binding = .device("lo")
    let report = try await fixture.sessions.login(request)
    let parameters = fixture.kernel.requests.filter { $0.type == .setHostParameter }
    #expect(parameters.map(\.parameter) == [2] && parameters.map(\.text) == ["lo"])
    #expect(fixture.kernel.sessions[report.session]?.connection == .up)
  }

  @Test(
    "An agreed number of outstanding R2Ts is rounded down to one that the kernel takes",
    arguments: [(6, "4"), (8, "8")])
  func outstandingR2T(agreed: Int, set: String) async throws {
    var target = try testTarget()
    target.parameters.minimumOf["MaxOutstandingR2T"] = agreed
    let fixture = try await SessionFixture(target)
    var request = try fixture.request()
    request.options.operational.maxOutstandingR2T = 64
    let report = try await fixture.sessions.login(request)
    #expect(fixture.kernel.sessions[report.session]?.parameters[5] == set)
  }
}
