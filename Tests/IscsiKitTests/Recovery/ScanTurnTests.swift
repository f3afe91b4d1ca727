// SPDX-License-Identifier: Apache-2.0
import Dispatch
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Scans that have to wait for their turn", .timeLimit(.minutes(1)))
struct ScanTurnTests {
  @Test("A first scan that had no turn fails no login, and is made when there is room again")
  func notBegun() async throws {
    let fixture = try await SessionFixture()
    let manager = SessionManager(
      link: fixture.link, sysfs: Sysfs(root: fixture.tree.root), registry: fixture.registry,
      patience: RemovalPatience(),
      scanTimeout: .milliseconds(200))
    var snapshot = SessionSnapshot.example(1)
    snapshot.host = .example(HostNumber(rawValue: 2))
    try fixture.tree.add(snapshot)
    // All the turns of this host, under a name that no other test has.
    let (begun, gate) = (Notes<Int>(), DispatchSemaphore(value: 0))
    let hung = (0..<16).map { number in
      Task {
        try await BlockingWork.devices.run(until: nil, in: "localhost") {
          begun.add(number)
          gate.wait()
        }
      }
    }
    #expect(await eventually { begun.all.count == 16 })
    var request = try fixture.request()
    request.portal.host = .name("localhost")
    request.options.scan = .all
    let report = try await manager.login(request)
    #expect(report.scanFailure?.cause == .scanNotBegun)
    let scan = "class/scsi_host/host2/scan"
    #expect(try fixture.tree.contents(scan)?.hasPrefix("0 0 -") != true)
    for _ in hung { gate.signal() }
    for task in hung { try await task.value }
    #expect(await eventually { (try? fixture.tree.contents(scan))??.hasPrefix("0 0 -") == true })
  }
}
