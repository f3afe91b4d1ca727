// SPDX-License-Identifier: Apache-2.0

/// An outage as it stands in the file of a session's record, for the next daemon that finds the session without a
/// connection.
///
/// Its moments are nanoseconds since the machine has started, suspended or not, by which `ContinuousClock` goes
/// (Linux: `CLOCK_BOOTTIME`): another start of the daemon does not change them, and no record outlives the machine's.
struct KeptOutage: Codable {
  /// What was wrong with the network.
  struct Network: Codable {
    var device: String
    var state: String
    var fault: String?
    var detail: String?
  }

  var since: Int64
  var holdEnd: Int64?
  var cause: String
  var kernelError: UInt32?
  var message: UInt8?
  var network: Network?
  var attempts: Int
  var replacementTimeout: Int32?

  /// What is kept of an outage.
  init(_ outage: Outage) {
    since = Self.nanoseconds(outage.since)
    holdEnd = outage.holdEnd.map(Self.nanoseconds)
    switch outage.cause {
    case .kernel(let code): (cause, kernelError) = ("kernel", code.rawValue)
    case .message(let event): (cause, message) = ("message", event.rawValue)
    case .foundFailed: cause = "foundFailed"
    case .unseen: cause = "unseen"
    }
    network = outage.network.map(Network.init)
    attempts = outage.attempts
    replacementTimeout = outage.replacementTimeout
  }

  /// The outage; nil if its cause is one that only other versions know.
  var outage: Outage? {
    let lost: LossCause
    switch (cause, kernelError, message) {
    case ("kernel", let code?, _): lost = .kernel(KernelErrorCode(rawValue: code))
    case ("message", _, let event?): lost = .message(AsyncEvent(rawValue: event))
    case ("foundFailed", _, _): lost = .foundFailed
    case ("unseen", _, _): lost = .unseen
    default: return nil
    }
    var outage = Outage(cause: lost, network: network?.finding, since: Self.instant(since))
    outage.holdEnd = holdEnd.map(Self.instant)
    // No outage has more, and one more can always be counted.
    outage.attempts = Int(Int32(clamping: max(0, attempts)))
    outage.replacementTimeout = replacementTimeout
    return outage
  }

  private static func nanoseconds(_ instant: ContinuousClock.Instant) -> Int64 {
    Int64(clamping: (instant - ContinuousClock().systemEpoch).attoseconds / 1_000_000_000)
  }

  private static func instant(_ nanoseconds: Int64) -> ContinuousClock.Instant {
    ContinuousClock().systemEpoch + .nanoseconds(nanoseconds)
  }
}

extension KeptOutage.Network {
  /// What is kept of a finding.
  init(_ finding: NetworkFinding) {
    device = finding.device
    switch finding.cause {
    case .noSuchDevice: state = "missing"
    case .administrativelyDown: state = "down"
    case .noCarrier(let reason): (state, fault, detail) = ("noCarrier", reason?.state, reason?.detail)
    case .up: state = "up"
    }
  }

  /// The finding; nil if its state is one that only other versions know.
  fileprivate var finding: NetworkFinding? {
    let cause: LinkCause
    switch state {
    case "missing": cause = .noSuchDevice
    case "down": cause = .administrativelyDown
    case "noCarrier": cause = .noCarrier(fault.map { LinkFault(state: $0, detail: detail) })
    case "up": cause = .up
    default: return nil
    }
    return NetworkFinding(device: device, cause: cause)
  }
}
