// SPDX-License-Identifier: Apache-2.0
import Foundation
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

/// A library of another language as a client: what `make unit-test` has fetched, and names in the environment.
@Suite("The daemon, by a client in Python", .timeLimit(.minutes(2)))
struct OtherLanguageTests {
  /// What the client prints.
  private struct Told: Decodable {
    struct Info: Decodable { let product: String, version: String, interfaces: [String] }
    struct Parameters: Decodable { let failure: InitiatorTypes.Failure?, parameter: String? }
    struct Failure: Decodable { let name: String, parameters: Parameters }
    let info: Info
    let members: [String]
    let ping: InitiatorTypes.Identity
    let steps: [String]
    let login: [InitiatorTypes.LoginResult]
    let unknown: Failure
    let malformed: Failure
    let event: InitiatorTypes.Event
    let logout: [InitiatorTypes.LogoutResult]
  }

  private static let library = ProcessInfo.processInfo.environment["VARLINK_PYTHON"]

  @Test(
    "PyPI's varlink introspects the interface and logs in, follows events, gets errors as its own, and logs out",
    .enabled(if: library != nil, "VARLINK_PYTHON does not name the library: make unit-test"))
  func python() async throws {
    let machine = try DaemonMachine()
    let running = try machine.start()
    #expect(await eventually { () async in (try? await machine.initiator.ping()) != nil })
    let login = try JSONEncoder().encode(machine.login())
    let socket = machine.runtimeDirectory.appending("control.sock").string
    let output = try await run(
      socket, String(decoding: login, as: UTF8.self), output: machine.runtimeDirectory.appending("told").string)
    try await running.value.get()

    let told = try JSONDecoder().decode(Told.self, from: output)
    #expect(told.info.product == "iscsi-admin" && told.info.version == "1.2.3")
    #expect(told.info.interfaces.contains(InitiatorInterface.name))
    let interface = try VarlinkInterface(InitiatorInterface.text)
    #expect(Set(told.members) == Set(interface.types.keys).union(interface.methods.keys).union(interface.errors.keys))
    #expect(told.ping.version == "1.2.3" && told.ping.sessions == 0)
    #expect(told.steps == ["connecting", "creating the session", "negotiating", "starting", "ended"])
    #expect(told.login.count == 1 && told.login[0].session?.session == 1 && told.login[0].failure == nil)
    #expect(told.unknown.name == InitiatorInterface.name + ".OperationFailed")
    #expect(told.unknown.parameters.failure?.exitCode == Int(ExitStatus.sessionNotFound.rawValue))
    #expect(told.malformed.name == "org.varlink.service.InvalidParameter")
    #expect(told.malformed.parameters.parameter == "portal")
    #expect(told.event.kind == "loggedIn" && told.event.session == 1)
    #expect(told.logout.count == 1 && told.logout[0].failure == nil && told.logout[0].problems.isEmpty)
    #expect(machine.kernel.sessions.isEmpty && machine.kernel.violations == [])
  }

  /// Runs the client; what it was told.
  private func run(_ arguments: String..., output: String) async throws -> Data {
    let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Clients/varlink_client.py")
    let command = ["python3", script.standardized.path] + arguments + [output]
    let status = try await BlockingWork(limit: 1).run(until: .now + .seconds(60)) {
      Result { try TestProcess.run(command, adding: ["PYTHONPATH=\(Self.library ?? "")"]) }
    }
    #expect(try status.get() == 0)
    return try Data(contentsOf: URL(filePath: output))
  }
}
