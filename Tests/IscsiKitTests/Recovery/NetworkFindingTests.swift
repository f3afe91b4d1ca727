// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Synchronization
import Testing

@testable import IscsiKit

/// A network that is as a test wants it: through which device everything goes, and how devices are.
private final class SampleNetwork: NetworkSight {
  private struct State {
    var route: String? = "eth1"
    var causes: [String: LinkCause] = [:]
    /// Which device has our address.
    var owner = "eth1"
    var looks: [String] = []
  }

  private let state = Mutex(State())

  var route: String? {
    get { state.withLock(\.route) }
    set { state.withLock { $0.route = newValue } }
  }
  var owner: String {
    get { state.withLock(\.owner) }
    set { state.withLock { $0.owner = newValue } }
  }
  /// The devices that were looked at, in order.
  var looks: [String] { state.withLock(\.looks) }

  func set(_ cause: LinkCause, of device: String) { state.withLock { $0.causes[device] = cause } }

  func index(of name: String) -> UInt32? { nil }
  func name(of address: HardwareAddress) -> String? { nil }

  func device(
    towards address: IPAddress, scope: UInt32, from source: IPAddress?, until deadline: ContinuousClock.Instant?
  ) async throws(WaitError) -> String? { route }

  func linkCause(of device: String, until deadline: ContinuousClock.Instant?) async throws(WaitError) -> LinkCause {
    state.withLock { state in
      state.looks.append(device)
      return state.causes[device] ?? .up
    }
  }

  func owner(of address: IPAddress, until deadline: ContinuousClock.Instant?) async throws(WaitError) -> String? {
    owner
  }
}

@Suite("What the network does to sessions that are up", .timeLimit(.minutes(2)))
struct NetworkFindingTests {
  /// A manager that has taken up a session, which goes out through a device.
  private final class Fixture {
    let base: SessionFixture
    let network = SampleNetwork()
    let manager: SessionManager
    let session: SessionID
    private let seen = Notes<SessionEvent.Kind>()

    init(bound device: String? = nil, _ change: (SampleNetwork) -> Void = { _ in }) async throws {
      base = try await SessionFixture()
      change(network)
      manager = SessionManager(
        link: base.link, sysfs: Sysfs(root: base.tree.root), registry: base.registry, patience: RemovalPatience(),
        network: network)
      let (log, seen) = (manager.events, seen)
      Task { for await event in log.events(after: 0) { seen.add(event.kind) } }
      session = base.kernel.addSession(connection: .up)
      var snapshot = SessionSnapshot.example(session.rawValue)
      snapshot.host = .example(HostNumber(rawValue: session.rawValue + 1))
      snapshot.host?.networkDevice = device
      snapshot.connection?.persistentAddress = "10.0.0.1"
      snapshot.devices = []
      try base.tree.add(snapshot)
      let adoption = try await manager.adoptSessions { try? InitiatorName("iqn.2001-04.com.example:host") }
      #expect(adoption.healthy == [session])
    }

    var supervision: Supervision? { manager.supervisions()[session]?.0 }
    var kinds: [SessionEvent.Kind] { seen.all }

    func isReached(through device: String) -> Bool {
      manager.directory.withLock { $0[session]?.device == device }
    }

    /// Waits until the session has been looked after.
    func settles(on device: String = "eth1") async -> Bool {
      await eventually { isReached(through: device) && network.looks.contains(device) }
    }

    func report(_ change: NetworkChange) {
      var carriers = SessionManager.Carriers()
      manager.note(change, &carriers)
    }

    func link(_ name: String, hasCarrier: Bool) -> NetworkChange {
      .link(NetworkLink(name: name, index: 7, isUp: true, hasCarrier: hasCarrier))
    }
  }

  @Test("A device that was down before the session was taken up is found, and since when that is known")
  func downBefore() async throws {
    let fixture = try await Fixture { $0.set(.noCarrier(nil), of: "eth1") }
    #expect(await eventually { fixture.supervision?.network?.cause == .noCarrier(nil) })
    #expect(try #require(fixture.supervision?.networkSince) <= .now)
    #expect(fixture.supervision?.phase == .up)
  }

  @Test("So is one that was switched off, which has taken its route along", arguments: [nil, "eth2"])
  func switchedOffBefore(route: String?) async throws {
    let fixture = try await Fixture { network in
      network.set(.administrativelyDown, of: "eth1")
      network.route = route
    }
    #expect(await eventually { fixture.supervision?.network?.device == "eth1" })
    #expect(fixture.isReached(through: "eth1"))
    fixture.network.set(.up, of: "eth1")
    fixture.report(fixture.link("eth1", hasCarrier: true))
    #expect(await eventually { fixture.supervision?.network == nil })
  }

  @Test("After reports were lost the devices are looked at, and what has changed either way is told")
  func overrun() async throws {
    let fixture = try await Fixture()
    #expect(await fixture.settles())
    #expect(fixture.supervision?.network == nil)
    fixture.network.set(.administrativelyDown, of: "eth1")
    fixture.report(.overrun)
    #expect(await eventually { fixture.supervision?.network?.cause == .administrativelyDown })
    fixture.network.set(.up, of: "eth1")
    fixture.report(.overrun)
    #expect(await eventually { fixture.supervision?.network == nil })
    #expect(fixture.supervision?.networkSince == nil)
    #expect(await eventually { fixture.kinds == [.adopted, .diagnosed, .networkWell] })
  }

  @Test("A report gives rise to a look, and what that finds counts: the report may be old")
  func level() async throws {
    let fixture = try await Fixture()
    #expect(await fixture.settles())
    fixture.report(fixture.link("eth1", hasCarrier: false))
    #expect(await eventually { fixture.network.looks.count >= 2 })
    fixture.network.set(.noCarrier(LinkFault(state: "no cable")), of: "eth1")
    fixture.report(fixture.link("eth1", hasCarrier: false))
    #expect(await eventually { fixture.supervision?.network?.cause == .noCarrier(LinkFault(state: "no cable")) })
    #expect(await eventually { fixture.kinds == [.adopted, .diagnosed] })
  }

  @Test("A session whose route has moved does not suffer from the device that it had at its login")
  func moved() async throws {
    let fixture = try await Fixture()
    #expect(await fixture.settles())
    (fixture.network.route, fixture.network.owner) = ("eth2", "lo")
    fixture.network.set(.noCarrier(nil), of: "eth1")
    fixture.report(fixture.link("eth1", hasCarrier: false))
    #expect(await fixture.settles(on: "eth2"))
    #expect(fixture.supervision?.network == nil)
  }

  @Test("A default route elsewhere does not help a session whose own address is on the device")
  func ownAddress() async throws {
    let fixture = try await Fixture()
    #expect(await fixture.settles())
    fixture.network.route = "eth2"
    fixture.network.set(.administrativelyDown, of: "eth1")
    fixture.report(fixture.link("eth1", hasCarrier: false))
    #expect(await eventually { fixture.supervision?.network != nil })
    #expect(fixture.isReached(through: "eth1"))
  }

  @Test("A session that is bound to a device goes through no other")
  func bound() async throws {
    let fixture = try await Fixture(bound: "eth3")
    #expect(await fixture.settles(on: "eth3"))
    (fixture.network.route, fixture.network.owner) = ("eth2", "lo")
    fixture.network.set(.noCarrier(nil), of: "eth3")
    fixture.report(fixture.link("eth3", hasCarrier: false))
    #expect(await eventually { fixture.supervision?.network?.device == "eth3" })
  }
}

@Suite("Looks at network devices")
struct LinkLookTests {
  @Test("One look at a device is under way, however many ask, and one more for all who have asked meanwhile")
  func together() {
    var looks = LinkLooks()
    let many = (0..<100).map { _ in looks.request("eth0", told: nil) }
    #expect(many == [true] + Array(repeating: false, count: 99))
    let other = looks.request("eth1", told: nil)
    #expect(other && looks.take("eth0").isDue)
    let meanwhile = (0..<100).map { _ in looks.request("eth0", told: nil) }
    #expect(!meanwhile.contains(true))
    #expect(looks.take("eth0").isDue && !looks.take("eth0").isDue)
    let later = looks.request("eth0", told: nil)
    #expect(later)
  }

  @Test("What was reported last is kept for a look that finds out nothing")
  func told() {
    var looks = LinkLooks()
    _ = looks.request("eth0", told: .noCarrier(nil))
    _ = looks.request("eth0", told: nil)
    #expect(looks.take("eth0").told == .noCarrier(nil))
    _ = looks.request("eth0", told: .noSuchDevice)
    #expect(looks.take("eth0").told == .noSuchDevice)
    _ = looks.request("eth0", told: nil)
    #expect(looks.take("eth0").told == nil)
  }
}

@Suite("Sessions that get data though their device is said to be at fault")
struct AnswerWatchTests {
  private let id = SessionID(rawValue: 1)
  private let start = ContinuousClock.now

  /// What is to be done by what comes: at which second, and for how many nothing has come; nil is not known.
  private func verdicts(_ looks: [(Int64, Int64?)]) -> [AnswerWatch.Verdict?] {
    var watch = AnswerWatch()
    return looks.map { second, silence in
      let silences = silence.map { [id: Duration.seconds($0)] } ?? [:]
      return watch.observe(silences, of: [id: start], at: start + .seconds(second))[id]
    }
  }

  @Test("are doubted about, and believed when more data comes after the device was looked at once more")
  func answers() {
    #expect(verdicts([(2, 2), (4, 3), (6, 8), (60, nil)]) == [nil, nil, nil, nil])
    #expect(verdicts([(2, 0), (4, 0)]) == [.doubtful, .wrong])
    // The device had been in order for a moment.
    #expect(verdicts([(4, 1), (6, 3), (8, 5), (10, 7)]) == [.doubtful, nil, nil, nil])
    // Data that was under way.
    #expect(verdicts([(1, 0), (3, 2), (5, 4)]) == [nil, nil, nil])
  }

  @Test("begin anew with another finding")
  func anew() {
    var watch = AnswerWatch()
    #expect(watch.observe([id: .zero], of: [id: start], at: start + .seconds(2)) == [id: .doubtful])
    #expect(watch.observe([id: .zero], of: [:], at: start + .seconds(4)) == [:])
    let later = start + .seconds(6)
    #expect(watch.observe([id: .zero], of: [id: later], at: later + .seconds(2)) == [id: .doubtful])
  }
}
