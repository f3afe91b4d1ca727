// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

/// A directory of its own, whose `sessions` the registry makes.
final class RegistryPlace {
  let base = FilePath("/tmp/iscsikit-\(getpid())-\(UInt64.random(in: 0...UInt64.max))")
  var directory: FilePath { base.appending("sessions") }
  var names: [String] { (try? SysfsDirectory(path: directory).names()) ?? [] }

  deinit {
    // The strings are lent to the calls.
    for name in names { _ = unsafe remove(directory.appending(name).string) }
    for path in [directory, base] { _ = unsafe rmdir(path.string) }
  }

  func write(_ octets: [UInt8], as name: String, mode: UInt32 = 0o600) throws {
    let path = directory.appending(name)
    let file = try FileDescriptor.open(
      path, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
    try file.closeAfter {
      _ = try file.writeAll(octets)
      try #require(fchmod(file.rawValue, mode) == 0)
    }
  }

  func read(_ name: String) throws -> [UInt8] {
    try FileContents(of: directory.appending(name), limit: 1 << 20).octets
  }

  func mode(_ path: FilePath) -> UInt32 {
    var status = stat()
    // The kernel fills the structure; the string is lent to the call.
    return unsafe lstat(path.string, &status) == 0 ? status.st_mode & 0o7777 : 0
  }
}

/// Records in which nothing that can be described is as by default.
enum RegistrySamples {
  /// A request in which nothing that can be described is as by default.
  private static func fullRequest() throws -> LoginRequest {
    var request = LoginRequest(
      initiator: try InitiatorName("iqn.2001-04.com.example:host"),
      target: try TargetName("iqn.2001-04.com.example:disk"), portal: try Portal("[2001:db8::1]:3261,7"))
    request.options.authentication = try TestAccounts.authentication(mutual: true, [.sha256, .md5])
    request.options.interfaceName = "iface0"
    request.options.binding = .hardwareAddress(try #require(HardwareAddress("02:00:00:00:00:01")))
    request.options.timeouts = .unusual
    request.options.operational = .unusual
    request.options.maxCommands = 256
    request.options.queueDepth = 64
    request.options.fastAbort = false
    request.options.scan = .only([LUN(linuxNumber: 1), LUN(linuxNumber: 0x4100)])
    request.options.recoveryLimit = 9
    request.options.sessionCount = 3
    return request
  }

  static func record(_ number: UInt32 = 1, stage: SessionRecord.Stage = .established) throws -> SessionRecord {
    let owner = SessionOwner(userID: 4, processID: 77, label: "a \"label\"\n", time: 1.5)
    return SessionRecord(
      session: SessionID(rawValue: number), request: try fullRequest(), isid: ISID(session: SessionID(rawValue: 99)),
      stage: stage, home: try Portal("192.0.2.9:3262,2"),
      due: TimeoutSettings([.replacement: .off, .abort: 7], resetsScheduler: true), areNOPsIdle: true,
      outage: outage(.kernel(.noopTimedOut)), owner: owner)
  }

  private static let began = ContinuousClock.now - .seconds(77)

  static func outage(_ cause: LossCause, _ finding: LinkCause? = .noCarrier(nil)) -> Outage {
    var outage = Outage(
      cause: cause, network: finding.map { NetworkFinding(device: "eth\"0", cause: $0) }, since: Self.began)
    (outage.attempts, outage.replacementTimeout) = (12, 120)
    outage.holdEnd = Self.began + .seconds(90)
    return outage
  }
}
