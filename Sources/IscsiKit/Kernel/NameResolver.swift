// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// Resolves host names, and remembers what they came to.
///
/// The way to a name's addresses leads through files and servers that may be gone together with the target, which may be
/// the disk that those files are on: then the last addresses have to do.
final class NameResolver: Sendable {
  /// The resolver of the process. What a plug-in of glibc's resolver does on its stack is not ours to know.
  static let shared = NameResolver(BlockingWork(limit: 16, sharesFiles: false, stackSize: 1 << 20))

  /// What is remembered of names.
  private struct Memory {
    private static let limit = 1024

    private var addresses: [String: [SocketAddress]] = [:]
    /// When a name was asked for last, by the number of the question.
    private var uses: [String: UInt64] = [:]
    private var lastUse: UInt64 = 0

    /// Whether a new name has room without another one's loss.
    var hasRoom: Bool { addresses.count < Self.limit }
    /// Whether the addresses of a name are known.
    func knows(_ name: String) -> Bool { addresses[name] != nil }

    /// The addresses of a name that is asked for.
    mutating func recall(_ name: String) -> [SocketAddress]? {
      guard let found = addresses[name] else { return nil }
      lastUse += 1
      uses[name] = lastUse
      return found
    }

    /// Notes the addresses of a name. What nobody has asked for the longest gives way to a new name.
    mutating func note(_ found: [SocketAddress], of name: String) {
      if !hasRoom, !knows(name), let oldest = uses.min(by: { $0.value < $1.value })?.key {
        addresses[oldest] = nil
        uses[oldest] = nil
      }
      addresses[name] = found
      lastUse += 1
      uses[name] = lastUse
    }
  }

  private let pool: BlockingWork
  private let patience: Duration
  private let lookUp: @Sendable (String, UInt16) -> Result<[SocketAddress], TransportError>
  private let known = Mutex(Memory())

  /// A resolver with threads of a pool that waits so long for news of a name whose addresses it remembers.
  init(
    _ pool: BlockingWork, patience: Duration = .seconds(2),
    lookUp: @escaping @Sendable (String, UInt16) -> Result<[SocketAddress], TransportError> = IscsiKit.lookUp
  ) {
    self.pool = pool
    self.patience = patience
    self.lookUp = lookUp
  }

  /// Notes an address that a name had before this process began, unless it knows better.
  func remember(_ address: SocketAddress, of name: String) {
    known.withLock { known in
      if known.hasRoom, !known.knows(name) { known.note([address], of: name) }
    }
  }

  /// The addresses of a name: those that it has now, or else those that it had.
  func addresses(
    of name: String, port: UInt16, until deadline: ContinuousClock.Instant
  ) async throws(TransportError) -> [SocketAddress] {
    let remembered = known.withLock { $0.recall(name) }?.map { SocketAddress($0.address, port: port, scope: $0.scope) }
    let limit = remembered == nil ? deadline : min(deadline, .now + patience)
    let outcome: Result<[SocketAddress], TransportError>
    do throws(WaitError) {
      outcome = try await pool.run(until: limit) { [lookUp] in lookUp(name, port) }
    } catch {
      // A machine without room for a thread is no reason to lose the way either.
      if error != .cancelled, let remembered { return remembered }
      throw error == .timedOut ? .unresolvable("the resolver did not answer in time") : TransportError(error)
    }
    switch outcome {
    case .success(let found):
      known.withLock { $0.note(found, of: name) }
      return found
    case .failure(let error):
      guard let remembered else { throw error }
      return remembered
    }
  }
}

extension PortalHost {
  /// The addresses of the host, as the system's resolver has them now; of an address itself. None for a name that is not
  /// known. It waits for the resolver, for as long as that takes.
  public var addresses: [IPAddress] {
    switch self {
    case .address(let address, _): [address]
    case .name(let name): ((try? lookUp(name, port: 0).get()) ?? []).map(\.address)
    }
  }
}

/// Resolves a name with `getaddrinfo`, which blocks.
private func lookUp(_ name: String, port: UInt16) -> Result<[SocketAddress], TransportError> {
  var hints = unsafe addrinfo()
  unsafe hints.ai_family = AF_UNSPEC
  unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
  var list: UnsafeMutablePointer<addrinfo>?
  // The list belongs to us until freeaddrinfo; `hints` and `name` are only read.
  let status = unsafe getaddrinfo(name, nil, &hints, &list)
  guard status == 0 else {
    // gai_strerror returns a constant string.
    return .failure(.unresolvable(unsafe String(cString: gai_strerror(status))))
  }
  defer { unsafe freeaddrinfo(list) }
  var found: [SocketAddress] = []
  var next = unsafe list
  while let entry = unsafe next {
    if let raw = unsafe entry.pointee.ai_addr, let address = unsafe SocketAddress(raw, length: entry.pointee.ai_addrlen)
    {
      let withPort = SocketAddress(address.address, port: port, scope: address.scope)
      if !found.contains(withPort) { found.append(withPort) }
    }
    unsafe next = entry.pointee.ai_next
  }
  return found.isEmpty ? .failure(.unresolvable("no address")) : .success(found)
}
