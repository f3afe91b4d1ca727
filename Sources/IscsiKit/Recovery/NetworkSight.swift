// SPDX-License-Identifier: Apache-2.0

/// What is asked of the network about the way to a portal; another network than the machine's is for tests.
protocol NetworkSight: Sendable {
  /// The kernel's number of a device.
  func index(of name: String) -> UInt32?
  /// The name of the device with this MAC address.
  func name(of address: HardwareAddress) -> String?
  /// The name of the device through which packets to an address leave; nil if there is no route.
  func device(
    towards address: IPAddress, scope: UInt32, from source: IPAddress?, until deadline: ContinuousClock.Instant?
  ) async throws(WaitError) -> String?
  /// Whether a device can carry traffic, and if not, why.
  func linkCause(of device: String, until deadline: ContinuousClock.Instant?) async throws(WaitError) -> LinkCause
  /// The name of the device that has an address.
  func owner(of address: IPAddress, until deadline: ContinuousClock.Instant?) async throws(WaitError) -> String?
}

extension NetworkDevices: NetworkSight {}

/// Of which sessions the way is to be found out: one is at it, and takes all who have asked meanwhile. A value, without I/O.
struct WayLooks<Ticket: Sendable>: Sendable {
  private var tickets: [Ticket] = []
  private var isUnderWay = false

  /// Asks for a session's; whether nobody is at it, and the caller has to begin.
  mutating func request(_ ticket: Ticket) -> Bool {
    tickets.append(ticket)
    defer { isUnderWay = true }
    return !isUnderWay
  }

  /// Takes all that have asked; nil, if nobody has, ends it.
  mutating func take() -> [Ticket]? {
    defer { tickets = [] }
    isUnderWay = !tickets.isEmpty
    return tickets.isEmpty ? nil : tickets
  }
}

/// Which network devices are to be looked at: one look at a device at a time, however many sessions and reports ask for it,
/// and one more when somebody has asked meanwhile. So the last look at a device has begun after the last request, and what it
/// finds is how things are: a value, without I/O.
struct LinkLooks: Sendable {
  private struct Request {
    var isDue: Bool
    var told: LinkCause?
  }

  private var requests: [String: Request] = [:]

  /// Asks for a look.
  ///
  /// - Parameters:
  ///   - device: The device.
  ///   - told: What the kernel has reported of it, for a look that finds out nothing.
  /// - Returns: Whether nobody is at it, and the caller has to look.
  mutating func request(_ device: String, told: LinkCause?) -> Bool {
    let former = requests.updateValue(Request(isDue: true, told: told), forKey: device)
    guard told == nil, let former, former.isDue else { return former == nil }
    requests[device]?.told = former.told
    return false
  }

  /// Takes the next look at a device.
  ///
  /// - Returns: Whether there is one, and what was told; a false ends it.
  mutating func take(_ device: String) -> (isDue: Bool, told: LinkCause?) {
    guard let request = requests[device], request.isDue else {
      requests[device] = nil
      return (false, nil)
    }
    requests[device]?.isDue = false
    return (true, request.told)
  }
}
