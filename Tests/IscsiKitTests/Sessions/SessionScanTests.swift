// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKitTesting
import Synchronization
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Scans of sessions", .timeLimit(.minutes(2)))
struct SessionScanTests {
  private let id = SessionID(rawValue: 1)
  private let scanFile = "class/scsi_host/host1/scan"

  /// A session with two disks.
  private func makeTree() throws -> SysfsTree {
    let tree = try SysfsTree()
    var session = SessionSnapshot.example(1)
    session.devices.append(.example(host: HostNumber(rawValue: 1), lun: 2, block: "sdz"))
    try tree.add(session)
    return tree
  }

  private func path(_ lun: Int) -> String { "bus/scsi/devices/1:0:0:\(lun)" }

  private func rescan(_ tree: borrowing SysfsTree) async throws -> Result<[DeviceSnapshot], OperationError> {
    try #require(await SessionScanner(sysfs: Sysfs(root: tree.root)).rescan([id]).first)
  }

  @Test("A rescan reads every device again, revives what was given up, and looks for new devices")
  func rescan() async throws {
    let tree = try makeTree()
    try tree.set("\(path(2))/state", to: .text("offline"))
    let devices = try await rescan(tree).get()
    #expect(devices.map(\.lun) == [1, 2])
    #expect(try tree.contents("\(path(1))/state") == "running")
    #expect(try tree.contents("\(path(2))/state")?.hasPrefix("running") == true)
    for lun in 1...2 { #expect(try tree.contents("\(path(lun))/rescan")?.first == "1") }
    #expect(try tree.contents(scanFile)?.hasPrefix("0 0 -") == true)
  }

  @Test("A session without a connection is not said to be scanned", arguments: [KernelSessionState.failed, .free])
  func lostConnection(state: KernelSessionState) async throws {
    let tree = try SysfsTree()
    var session = SessionSnapshot.example(1)
    session.state = state
    try tree.add(session)
    let result = try await rescan(tree)
    #expect(throws: OperationError(.scan(id), .connectionLost)) { try result.get() }
  }

  @Test("A device that cannot be read again is told, and keeps neither the others nor the scan from their turn")
  func brokenDevice() async throws {
    let tree = try makeTree()
    try tree.set("\(path(1))/rescan", to: .unreadable)
    guard case .failure(let error) = try await rescan(tree) else {
      Issue.record("it could be read")
      return
    }
    let shown = tree.root.appending("\(path(1))/rescan").string
    #expect(error.cause == .sysfs(.unwritable(path: shown, value: "1", .isDirectory)))
    #expect(error.operation == .scan(id))
    #expect(try tree.contents("\(path(2))/rescan")?.first == "1")
    #expect(try tree.contents(scanFile)?.hasPrefix("0 0 -") == true)
  }

  @Test("A rescan does not wait for a disk that has no block device before it begins")
  func noBlockDevice() async throws {
    let tree = try SysfsTree()
    var session = SessionSnapshot.example(1)
    session.devices[0].blockDevice = nil
    try tree.add(session)
    let scan = SessionScan(sysfs: Sysfs(root: tree.root), attachTimeout: .milliseconds(100))
    let devices = try await scan.rescan(id)
    #expect(devices.count == 1 && devices.first?.blockDevice == nil)
    #expect(try tree.contents("\(path(1))/rescan")?.first == "1")
  }

  @Test("A scan waits until the disks have their block devices")
  func attach() async throws {
    let tree = try SysfsTree()
    var session = SessionSnapshot.example(1)
    session.devices[0].blockDevice = nil
    try tree.add(session)
    let scan = SessionScan(sysfs: Sysfs(root: tree.root), attachTimeout: .seconds(60))
    let id = id
    let devices = Task { await Result { () async throws(OperationError.Cause) in try await scan.scan(id, .all) } }
    #expect(await eventually { (try? tree.contents(scanFile))??.hasPrefix("0 0 -") == true })
    session.devices[0].blockDevice = "sda"
    try tree.add(session)
    let found = try await devices.value.get()
    #expect(found.map(\.blockDevice) == ["sda"])
    // What is looked at while waiting has neither.
    #expect(found.map(\.size) == [33_554_432] && found.map(\.model) == ["VIRTUAL-DISK"])
  }

  @Test("A disk that goes away without ever getting a block device is not waited for")
  func vanished() async throws {
    let tree = try SysfsTree()
    var session = SessionSnapshot.example(1)
    session.devices[0].blockDevice = nil
    try tree.add(session)
    let scan = SessionScan(sysfs: Sysfs(root: tree.root), attachTimeout: .seconds(60))
    let id = id
    let devices = Task { await Result { () async throws(OperationError.Cause) in try await scan.scan(id, .all) } }
    #expect(await eventually { (try? tree.contents(scanFile))??.hasPrefix("0 0 -") == true })
    tree.remove("devices/platform/host1/session1/target1:0:0")
    #expect(try await devices.value.get() == [])
  }

  @Test("Sessions that are gone are named one by one")
  func gone() async throws {
    let tree = try makeTree()
    let other = SessionID(rawValue: 2)
    let results = await SessionScanner(sysfs: Sysfs(root: tree.root)).rescan([other, id])
    #expect(results.count == 2)
    guard case .failure(let error) = results[0], case .success = results[1] else {
      Issue.record("\(results)")
      return
    }
    #expect(error.cause == .noSession)
  }

  @Test("Disks that do not take their settings in time take nothing from what the scan has found, and are told of")
  func lateSetting() async throws {
    let tree = try makeTree()
    let refusals = Mutex<[String]>([])
    var scan = SessionScan(sysfs: Sysfs(root: tree.root), settings: DeviceSettings(timeout: 90))
    scan.hasSet = { _, refused in refusals.withLock { $0 += refused } }
    #expect(try await scan.scan(id, .all).map(\.lun) == [1, 2])
    #expect(try tree.contents("\(path(2))/timeout")?.hasPrefix("90") == true && refusals.withLock(\.isEmpty))
    scan.settingsTimeout = .zero
    for mode in [ScanMode.all, .none] { #expect(try await scan.rescan(id, mode).map(\.lun) == [1, 2]) }
    #expect(
      refusals.withLock(\.self) == Array(repeating: "a disk did not take its settings in time", count: 2))
  }

  @Test("A disk that refuses a setting is told of, and which settings were made")
  func refusedSetting() async throws {
    let tree = try makeTree()
    // Files are not cut when they are written to: what this one has afterwards is not what was wanted.
    try tree.set("\(path(2))/timeout", to: .text("12345"))
    let told = Mutex<[(DeviceSettings, [String])]>([])
    let settings = DeviceSettings(timeout: 90)
    var scan = SessionScan(sysfs: Sysfs(root: tree.root), settings: settings)
    scan.hasSet = { settings, refused in told.withLock { $0.append((settings, refused)) } }
    #expect(try await scan.scan(id, .all).map(\.lun) == [1, 2])
    #expect(told.withLock { $0.map(\.0) } == [settings])
    #expect(told.withLock { $0.flatMap(\.1).map { $0.hasPrefix("sdz does not take device-timeout=90: ") } } == [true])
  }

  @Test("A scan that hangs in the kernel is left to it after its time")
  func hang() async throws {
    let tree = try makeTree()
    let hanging = HangingFile(tree.root.appending(scanFile))
    try hanging.make()
    defer { hanging.release() }
    var (cause, timeout) = (OperationError.Cause?.some(.scanNotBegun), Duration.milliseconds(200))
    // As much time as a thread takes on this machine to come to its turn.
    while cause == .scanNotBegun, timeout < .seconds(60) {
      let scan = SessionScan(sysfs: Sysfs(root: tree.root), timeout: timeout)
      cause = await #expect(throws: OperationError.Cause.self) { try await scan.scan(id, .all) }
      timeout *= 4
    }
    #expect(cause == .scanTimedOut)
  }

  @Test("Scans that hang at one host keep no session of another from its scan, and those that had no turn say so")
  func hungHost() async throws {
    let tree = try SysfsTree()
    let host = "dead \(UInt64.random(in: 0...UInt64.max))"
    for number in 1...18 { try tree.add(.example(UInt32(number))) }
    let hanging = (1...17).map { HangingFile(tree.root.appending("class/scsi_host/host\($0)/scan")) }
    for file in hanging { try file.make() }
    let sysfs = Sysfs(root: tree.root)
    let causes = await withTaskGroup(of: OperationError.Cause?.self) { group in
      for number in 1...17 {
        group.addTask {
          do throws(OperationError.Cause) {
            let scan = SessionScan(sysfs: sysfs, group: host, timeout: .seconds(2))
            _ = try await scan.scan(SessionID(rawValue: UInt32(number)), .all)
            return nil
          } catch {
            return error
          }
        }
      }
      _ = try? await SessionScan(sysfs: sysfs, group: "live").scan(SessionID(rawValue: 18), .all)
      return await group.reduce(into: []) { $0.append($1) }
    }
    for file in hanging { file.release() }
    #expect(try tree.contents("class/scsi_host/host18/scan")?.hasPrefix("0 0 -") == true)
    #expect(causes.count { $0 == .scanNotBegun } >= 1)
    #expect(Set(causes).isSubset(of: [.scanTimedOut, .scanNotBegun]))
  }

  @Test("A rescan that hangs at one device takes no longer for all of them, and keeps it from no other")
  func hangingDevice() async throws {
    // As much time as a thread takes on this machine to come to its turn.
    var timeout = Duration.milliseconds(200)
    while true {
      let tree = try makeTree()
      let hanging = HangingFile(tree.root.appending("\(path(1))/rescan"))
      try hanging.make()
      defer { hanging.release() }
      let scan = SessionScan(sysfs: Sysfs(root: tree.root), timeout: timeout)
      let cause = await #expect(throws: OperationError.Cause.self) { try await scan.rescan(id) }
      let isRescanned = try tree.contents("\(path(2))/rescan")?.first == "1"
      if isRescanned && cause == .scanTimedOut || timeout > .seconds(30) {
        #expect(isRescanned && cause == .scanTimedOut)
        return
      }
      timeout *= 4
    }
  }

  @Test("Who is cancelled waits for no scan")
  func cancelled() async throws {
    let tree = try makeTree()
    let hanging = HangingFile(tree.root.appending(scanFile))
    try hanging.make()
    defer { hanging.release() }
    let (scanner, id) = (SessionScanner(sysfs: Sysfs(root: tree.root)), id)
    let rescan = Task { await scanner.rescan([id]) }
    #expect(await eventually { (try? tree.contents("\(path(2))/rescan"))??.first == "1" })
    rescan.cancel()
    guard case .failure(let error)? = await rescan.value.first else {
      Issue.record("the scan ended")
      return
    }
    #expect(error.cause == .cancelled)
  }
}

/// A file that nobody can write to until it is released: opening a FIFO waits for a reader.
private struct HangingFile {
  let path: String

  init(_ path: FilePath) { self.path = path.string }

  /// Puts it in the place of the attribute.
  func make() throws {
    // The path is only read.
    unsafe unlink(path)
    guard unsafe mkfifo(path, 0o600) == 0 else { throw Errno(rawValue: errno) }
  }

  /// Lets go of whoever waits.
  func release() {
    var wait = pollfd(fd: unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), events: Int16(POLLIN), revents: 0)
    // Until the writer's octets are there, or a second for one that is not in `open` yet. One structure, as counted.
    _ = unsafe poll(&wait, 1, 1000)
    close(wait.fd)
  }
}
