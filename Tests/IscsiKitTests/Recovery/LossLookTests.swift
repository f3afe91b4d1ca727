// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Testing

@testable import IscsiKit

@Suite("Losses that nobody reports", .timeLimit(.minutes(2)))
struct LossLookTests {
  @Test("A connection that is lost without a report is found by a look, and recovered")
  func unreported() async throws {
    let fixture = try await SupervisedFixture()
    let (session, other) = (try await fixture.logIn(), try await fixture.logIn { $0.options.sessionCount = 2 })
    fixture.kernel.stopConnection(of: session)
    try fixture.show(session)
    let count = fixture.kernel.requests.count
    await fixture.manager.lookForLosses()
    #expect(await fixture.recoveries(session))
    #expect(fixture.supervision(session)?.lastOutage?.cause == .unseen)
    #expect(fixture.requests(after: count) == ["18 flag 3", "15", "19 43", "17"])
    #expect(fixture.supervision(other)?.phase == .up && fixture.supervision(other)?.recoveries == 0)
    #expect(fixture.kernel.violations == [])
  }

  @Test("A session that is gone without a report is let go of")
  func gone() async throws {
    let fixture = try await SupervisedFixture()
    let session = try await fixture.logIn()
    fixture.base.tree.remove("class/iscsi_session/session\(session)")
    await fixture.manager.lookForLosses()
    #expect(await fixture.happened(.vanished))
    #expect(fixture.manager.supervisions().isEmpty)
  }

  @Test("A look at sessions that are up asks the kernel for nothing and tells nothing")
  func healthy() async throws {
    let fixture = try await SupervisedFixture()
    try await fixture.logIn()
    #expect(await fixture.happened(.loggedIn))
    let count = fixture.kernel.requests.count
    await fixture.manager.lookForLosses()
    #expect(fixture.kernel.requests.count == count && fixture.kinds == [.loggedIn])
  }

  @Test(
    "The short look tells of a connection what the long one does",
    arguments: KernelConnectionState.allCases.map { $0 } + [nil] as [KernelConnectionState?],
    [KernelSessionState.loggedIn, .failed, .free])
  func shortLook(connection: KernelConnectionState?, state: KernelSessionState) throws {
    let tree = try SysfsTree()
    let sysfs = Sysfs(root: tree.root)
    var snapshot = SessionSnapshot.example(3)
    snapshot.state = state
    #expect(try sysfs.isConnectionUp(of: snapshot.id) == nil)
    snapshot.connection?.state = connection
    try tree.add(snapshot)
    let isUp = try #require(try sysfs.session(snapshot.id)).isConnectionUp
    #expect(try sysfs.isConnectionUp(of: snapshot.id) == isUp)
    #expect(isUp == (connection.map { $0 == .up } ?? (state == .loggedIn)))
  }

  @Test("A session without a connection is not up")
  func noConnection() throws {
    let tree = try SysfsTree()
    var snapshot = SessionSnapshot.example(3)
    snapshot.connection = nil
    try tree.add(snapshot)
    #expect(try Sysfs(root: tree.root).isConnectionUp(of: snapshot.id) == false)
  }
}
