// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Glibc
import IscsiKit
import SystemPackage

/// Cuts the way to a target twice: once I/O is to fail 3 s after the connection is lost, once it is to wait.
///
///     Outage SID DISK CUT RESTORE
///
/// CUT and RESTORE are commands of the shell. It is for a machine whose session nobody needs.
@main
struct Outage {
  let session: SessionID
  let disk: FilePath
  let cut: String
  let restore: String
  let initiator = Initiator()

  static func main() async throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 5, let number = UInt32(arguments[1]) else {
      print("usage: Outage SID DISK CUT RESTORE")
      exit(7)
    }
    let outage = Outage(
      session: SessionID(rawValue: number), disk: FilePath(arguments[2]), cut: arguments[3], restore: arguments[4])
    try await outage.showSessions()
    try await outage.letFail()
    try await outage.letWait()
  }

  /// What each session is going through, by what the kernel shows and what the daemon knows.
  func showSessions() async throws {
    let known = try await initiator.recoveries()
    for session in try Sysfs().sessions() {
      let facts = known[session.id].flatMap(SupervisionFacts.init)
      let status = SessionStatus(session, facts, at: WallClock.now)
      print("session \(session.id): \(status.state.name), I/O \(status.io?.name ?? "unknown")")
    }
  }

  /// With a short replacement timeout I/O fails when it has run out.
  func letFail() async throws {
    try await set(replacementTimeout: 3)
    let outage = try await loseConnection()
    guard let deadline = outage.deadline else { throw Surprise("the daemon tells no deadline") }
    print("lost: \(outage.cause); I/O fails \(rounded(deadline - outage.since)) s after")
    do {
      try await read()
      throw Surprise("the disk was read without a target")
    } catch let error as Errno {
      print("failed: \(error), \(rounded(WallClock.now - outage.since)) s after")
    }
    try await recover()
  }

  /// With a long one it waits.
  func letWait() async throws {
    try await set(replacementTimeout: 86_400)
    let outage = try await loseConnection()
    guard let deadline = outage.deadline else { throw Surprise("the daemon tells no deadline") }
    print("lost: \(outage.cause); I/O fails \(rounded(deadline - outage.since)) s after")
    async let reading: Void = read()
    try await Task.sleep(for: .seconds(6))
    print("waits: 6 s later")
    try await recover()
    try await reading
    print("read")
  }

  /// Sets timeouts of the session as it lives; a lost connection is noticed after 2 s.
  func set(replacementTimeout: Int64) async throws {
    let timeouts = LoginDescription.TimeoutsDescription(
      replacement: replacementTimeout, noopInterval: 1, noopTimeout: 1)
    try await initiator.set(timeouts, of: session)
    let shown = try await initiator.session(session)
    guard shown.timeouts.replacement == replacementTimeout else { throw Surprise("the kernel has another timeout") }
  }

  /// Cuts the way, and waits until the daemon tells that the connection is lost.
  func loseConnection() async throws -> InitiatorTypes.Outage {
    try await follow(until: .lost) { run(cut) }
    guard let outage = try await initiator.session(session).recovery?.outage else { throw Surprise("no outage") }
    return outage
  }

  /// Mends the way, and waits until the session is back.
  func recover() async throws {
    try await follow(until: .recovered) { run(restore) }
  }

  /// Does something and prints what happens to the session, up to an event.
  func follow(until kind: SessionEvent.Kind, _ action: () -> Void) async throws {
    let last = try await initiator.ping().lastEvent
    action()
    for try await event in initiator.events(after: last) where event.session == session.rawValue {
      print("event \(event.sequence): \(event.message)")
      if event.kind == kind.rawValue { return }
    }
  }

  /// Reads from the disk itself, past what the machine remembers of it.
  nonisolated(nonsending) func read() async throws {
    let disk = disk
    // It blocks its thread for as long as the I/O waits, and Swift's tasks may have but one.
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
      DispatchQueue.global().async { continuation.resume(with: Result { try Self.readBlock(of: disk) }) }
    }
  }

  private static func readBlock(of disk: FilePath) throws {
    let direct = FileDescriptor.OpenOptions(rawValue: 0o40000)
    let file = try FileDescriptor.open(disk, .readOnly, options: direct)
    defer { try? file.close() }
    // Direct I/O needs memory that is aligned as blocks are; it is freed when the read is over.
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 4096)
    defer { unsafe buffer.deallocate() }
    _ = unsafe try file.read(fromAbsoluteOffset: 0, into: buffer)
  }

  func run(_ command: String) {
    // The string is lent to the call.
    _ = unsafe system(command)
  }

  func rounded(_ seconds: Double) -> Double { (seconds * 10).rounded() / 10 }
}

/// What should not have happened.
struct Surprise: Error {
  let text: String
  init(_ text: String) { self.text = text }
}
