// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import SystemPackage

extension LegacyDaemonName {
  /// open-iscsi's number for a request that the daemon does not know (`ISCSI_ERR_INVALID_MGMT_REQ`).
  private static let invalidRequest: UInt32 = 16
  /// What an answer has: more than the 2464 octets of open-iscsi 2.1.
  ///
  /// The size differs between versions. A client reads as many octets as its own structure has and then closes: one that
  /// gets fewer says that it cannot talk to the daemon, one that gets more does not notice.
  static let answerLength = 4096
  /// The most octets of a request that are read; open-iscsi's has 16 KiB, and up to 64 KiB of payload.
  private static let requestLimit = 256 << 10
  /// How many clients are served at a time; others wait in the backlog.
  private static let clientLimit = 8
  /// How long a client may take.
  private static let patience = Duration.seconds(5)

  /// Answers each client of open-iscsi's daemon with its protocol's error, until the task is cancelled or the socket
  /// fails.
  ///
  /// Without an answer an old iscsiadm would wait for ever. Nothing that a client sends is acted upon.
  ///
  /// - Parameter rejected: Is called for each request with its number, to log it; nil for a client that sent none.
  public func answer(_ rejected: @escaping @Sendable (UInt32?) -> Void = { _ in }) async {
    await withTaskGroup(of: Void.self) { group in
      var clients = 0
      while let client = await accept() {
        if clients == Self.clientLimit {
          await group.next()
          clients -= 1
        }
        clients += 1
        group.addTask { rejected(await Self.answer(client)) }
      }
      group.cancelAll()
    }
  }

  /// The next client; nil when there will be none.
  private func accept() async -> LegacyClient? {
    while true {
      let client = clinux_accept(descriptor)
      if client >= 0 { return LegacyClient(descriptor: client) }
      let failure = Errno(rawValue: errno)
      do throws(WaitError) {
        switch failure {
        case .interrupted, .connectionAbort: continue
        case .wouldBlock: _ = try await Reactor.shared.wait(for: descriptor, .read, until: nil)
        // The client waits in the backlog until there are descriptors again.
        case .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .noBufferSpace:
          try await Reactor.shared.sleep(until: .now + .seconds(1))
        default: return nil
        }
      } catch {
        return nil
      }
    }
  }

  /// Serves one client; gives the number of its request.
  private static func answer(_ client: LegacyClient) async -> UInt32? {
    let deadline = ContinuousClock.now + patience
    var command: [UInt8] = []
    while command.count < 4 {
      guard let octets = await client.read(until: deadline) else { return nil }
      command += octets.prefix(4 - command.count)
    }
    var answer = command
    answer.appendHostInteger(invalidRequest)
    answer.append(contentsOf: repeatElement(0, count: answerLength - answer.count))
    // The answer waits in the client's socket while the client still sends. To close before the whole request is read
    // would break the client's write, so all of it is read: the client closes when it has its answer.
    client.write(answer)
    var count = 0
    while count < requestLimit, let octets = await client.read(until: deadline) { count += octets.count }
    return command.hostInteger(at: 0, as: UInt32.self)
  }
}

/// A connection of an old client, which closes itself.
private final class LegacyClient: Sendable {
  private let descriptor: Int32

  init(descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// Some octets; nil at the end, at the deadline and on failure.
  func read(until deadline: ContinuousClock.Instant) async -> [UInt8]? {
    while true {
      var failure = Errno(rawValue: 0)
      let octets = unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
        // The kernel writes at most 4096 octets into the array's own storage and says how many.
        let read = unsafe recv(descriptor, buffer.baseAddress, buffer.count, 0)
        count = max(read, 0)
        if read < 0 { failure = Errno(rawValue: errno) }
      }
      guard octets.isEmpty else { return octets }
      switch failure {
      case .interrupted: continue
      case .wouldBlock:
        guard (try? await Reactor.shared.wait(for: descriptor, .read, until: deadline)) != nil else { return nil }
      default: return nil
      }
    }
  }

  /// Writes what fits into the socket, which an answer does.
  func write(_ octets: [UInt8]) {
    // The array's storage is lent to the call.
    _ = unsafe octets.withUnsafeBytes { unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
  }
}
