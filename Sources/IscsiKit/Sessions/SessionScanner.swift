// SPDX-License-Identifier: Apache-2.0

/// Scans of sessions, which need sysfs only.
public struct SessionScanner: Sendable {
  /// How many sessions are scanned at a time.
  static let concurrency = 32

  private let sysfs: Sysfs

  /// A scanner; another sysfs than the kernel's is for tests.
  public init(sysfs: Sysfs = Sysfs()) { self.sysfs = sysfs }

  /// Reads the size and properties of the sessions' devices again, revives devices that error handling gave up, and
  /// scans for new logical units. Returns each session's devices, in the order of the sessions.
  public func rescan(_ sessions: [SessionID]) async -> [Result<[DeviceSnapshot], OperationError>] {
    await rescan(sessions) { _ in (.all, DeviceSettings()) }
  }

  /// The same for the units that each session is to have, and what their disks are set to.
  func rescan(
    _ sessions: [SessionID], _ wanted: @escaping @Sendable (SessionID) -> (ScanMode, DeviceSettings)
  ) async -> [Result<[DeviceSnapshot], OperationError>] {
    await inParallel(sessions, limit: Self.concurrency) { _, session in
      do throws(OperationError.Cause) {
        let (mode, settings) = wanted(session)
        return .success(try await SessionScan(sysfs: sysfs, settings: settings).rescan(session, mode))
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
