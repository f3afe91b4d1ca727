// SPDX-License-Identifier: Apache-2.0

/// Scans of sessions, which need sysfs only.
public struct SessionScanner: Sendable {
  /// How many sessions are scanned at a time.
  static let concurrency = 32

  private let sysfs: Sysfs

  /// A scanner; another sysfs than the kernel's is for tests.
  public init(sysfs: Sysfs = Sysfs()) { self.sysfs = sysfs }

  /// Reads the size and properties of the sessions' devices again, revives devices that error handling gave up, and
  /// scans for new logical units. Returns what each session's devices are, without their timers, in the order of the sessions.
  public func rescan(_ sessions: [SessionID]) async -> [Result<[DeviceSnapshot], OperationError>] {
    await rescan(sessions) { _ in nil }
  }

  /// What a rescan of a session is to do.
  struct Wanted: Sendable {
    /// The units that the session is to have.
    var mode = ScanMode.all
    /// What their disks are set to.
    var settings = DeviceSettings()
    /// What the session shares its turns with.
    var group: String
  }

  /// The same as is wanted of each session; nil is all, and nothing to set.
  func rescan(
    _ sessions: [SessionID], _ wanted: @escaping @Sendable (SessionID) -> Wanted?
  ) async -> [Result<[DeviceSnapshot], OperationError>] {
    await inParallel(sessions, limit: Self.concurrency) { _, session in
      do throws(OperationError.Cause) {
        let wanted = wanted(session) ?? Wanted(group: "session \(session)")
        let scan = SessionScan(sysfs: sysfs, settings: wanted.settings, group: wanted.group)
        return .success(try await scan.rescan(session, wanted.mode))
      } catch {
        return .failure(OperationError(.scan(session), error))
      }
    }
  }
}

/// Runs `body` for all elements, at most `limit` at a time, and keeps their order.
func inParallel<Element: Sendable, Value: Sendable>(
  _ elements: [Element], limit: Int, _ body: @escaping @Sendable (Int, Element) async -> Value
) async -> [Value] {
  await withTaskGroup(of: (Int, Value).self) { group in
    var pending = elements.enumerated().makeIterator()
    for _ in 0..<limit {
      guard let (index, element) = pending.next() else { break }
      group.addTask { (index, await body(index, element)) }
    }
    var results: [(Int, Value)] = []
    results.reserveCapacity(elements.count)
    while let result = await group.next() {
      results.append(result)
      if let (index, element) = pending.next() { group.addTask { (index, await body(index, element)) } }
    }
    return results.sorted { $0.0 < $1.0 }.map(\.1)
  }
}
