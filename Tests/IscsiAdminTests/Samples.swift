// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Testing

@testable import IscsiKit
@testable import iscsi_admin

/// Results of the library for the tests of what the commands print.
enum Samples {
  static let portal = Portal(host: .name("san"), port: 3260)
  static let secondPortal = Portal(host: .name("san"), port: 3261, tag: 2)

  static func target(_ number: Int) throws -> TargetName { try TargetName("iqn.2026-11.org.example:disk\(number)") }

  static func operationError(_ number: Int, _ cause: OperationError.Cause) throws -> OperationError {
    OperationError(.login(try target(number), portal), cause)
  }

  /// A login to a target with one disk.
  static func login(_ number: Int) throws -> LoginReport {
    let host = HostNumber(rawValue: UInt32(number))
    let result = LoginResult(
      negotiated: NegotiatedParameters(), tsih: 1, statSN: 3, expCommandSN: 1, maxCommandSN: 32, tag: 1)
    return LoginReport(
      session: SessionID(rawValue: UInt32(number)), host: host, target: try target(number), portal: portal,
      login: result, devices: [.example(host: host, lun: 1, block: "sd\(number)")])
  }

  /// A logout that went well.
  static func logout(_ number: Int) throws -> LogoutReport {
    LogoutReport(
      session: SessionID(rawValue: UInt32(number)), target: try target(number).description, portal: secondPortal)
  }

  /// An answer to SendTargets with all that can be odd about one.
  static func discovery() -> SendTargetsResponse {
    let entries = [
      "TargetName=iqn.2026-11.org.example:disk1", "TargetAddress=10.0.0.1:3260,1", "TargetAddress=[fe80::1]:3260,2",
      "TargetName=iqn.2026-11.org.example:Disk_2", "TargetAddress=san:3261,1", "TargetAddress=0.0.0.0:3260,1",
      "TargetName=disk\u{1B}[2J", "TargetName=iqn.2026-11.org.example:disk3", "TargetAddress=:3260,1", "nonsense",
    ]
    let text = entries.flatMap { Array("\($0)\0".utf8) }
    return SendTargetsResponse(text: text, discoveryPortal: portal)
  }

  /// A target with a controller, a disk, a disk that is not ready, a number without a unit and a broken disk.
  static func probe() throws -> ProbeReport {
    let target = try target(1)
    let controller = try unit(0, type: 0x0C, product: "Controller")
    var disk = try unit(1, type: 0, product: "VIRTUAL-DISK")
    disk.description?.serialNumber = "beaf11"
    disk.description?.identifier = .naa("60000000000000000e00000000010001")
    disk.description?.size = 64 << 20
    disk.description?.logicalBlockSize = 512
    disk.description?.physicalBlockSize = 4096
    disk.description?.isThinProvisioned = true
    disk.description?.isWriteProtected = true
    disk.description?.access = AsymmetricAccess(
      isImplicit: true, isExplicit: false, portGroup: 1, state: .optimized, isPreferred: true)
    disk.readTime = .microseconds(412)
    var offline = try unit(2, type: 0, product: "VIRTUAL-DISK")
    offline.description?.readiness = .notReady(SCSISense(key: SCSISense.notReady, code: 0x3A, qualifier: 0))
    var empty = try unit(3, type: 0x1F, product: "VIRTUAL-DISK")
    empty.description?.isConnected = false
    var broken = ProbeReport.Unit(try lun(4))
    broken.error = UserspaceError(
      "INQUIRY of LUN 4 of \(target) at \(portal.address)", .sense(SCSISense(key: 4, code: 0x44, qualifier: 0)))
    return ProbeReport(target: target, portal: portal, units: [controller, disk, offline, empty, broken])
  }

  private static func lun(_ number: UInt64) throws -> LUN { try #require(LUN(number: number)) }

  private static func unit(_ number: UInt64, type: UInt8, product: String) throws -> ProbeReport.Unit {
    let text = Array("IET     ".utf8) + Array(product.utf8) + Array(repeating: 0x20, count: 16 - product.utf8.count)
    let inquiry = try #require(InquiryData([type, 0, 6, 2, 31, 0, 0, 0] + text + Array("0001".utf8)))
    var unit = ProbeReport.Unit(try lun(number))
    unit.description = LogicalUnitDescription(lun: unit.lun, inquiry: inquiry)
    return unit
  }
}

extension CommandOutput {
  /// The lines for standard error.
  var diagnosticLines: [String] { diagnostics.split(separator: "\n").map(String.init) }
}

// What the daemon tells is made of what the library finds.

extension LoginOutcome {
  init(_ results: [Result<LoginReport, OperationError>], after discovery: (Portal, SendTargetsResponse)? = nil) {
    self.init(
      results.map(InitiatorTypes.LoginResult.init),
      after: discovery.map { ($0.0, InitiatorTypes.Discovery($0.1)) })
  }
}

extension iscsi_admin.LogoutOutcome {
  init(_ results: [(SessionID, Result<LogoutReport, OperationError>)], missing: [NoSession] = []) {
    self.init(results.map { InitiatorTypes.LogoutResult($1, of: $0) }, missing: missing)
  }
}

extension DiscoverCommand {
  func output(of answer: SendTargetsResponse, for terminal: Terminal) throws -> CommandOutput {
    try output(of: InitiatorTypes.Discovery(answer), for: terminal)
  }
}

extension SessionRescanCommand {
  func output(of results: [(SessionID, Result<[DeviceSnapshot], OperationError>)]) throws -> CommandOutput {
    try output(of: results.map { InitiatorTypes.RescanResult($1, of: $0) })
  }
}
