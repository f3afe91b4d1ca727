// SPDX-License-Identifier: Apache-2.0

// Whether anything moves on sessions whose target is not asked for a sign of life, so that nothing tells of its silence.

extension EvidenceCollector {
  /// How long requests are given to end: longer than most take of a disk that lives.
  static let stallTime = Duration.seconds(2)
  /// How long one look is after the other, until none is left that may be stuck.
  private static let stallPace = Duration.milliseconds(200)

  /// The counters of the disks of sessions that are up and not watched by NOP-Outs, as far as requests are with them.
  func busyDisks(of evidence: [Evidence]) -> [String: BlockStatistics] {
    evidence.filter(\.isUnwatched).flatMap(\.devices).compactMap(\.snapshot.blockDevice)
      .reduce(into: [:]) { found, name in
        guard let counters = sysfs.statistics(ofBlockDevice: name), counters.inFlight > 0 else { return }
        found[name] = counters
      }
  }

  /// Looks at disks that were busy until a request of each has ended, or until requests have had their time.
  ///
  /// - Parameters:
  ///   - evidence: What becomes of the disks is added here.
  ///   - former: The counters of the first look.
  ///   - start: When that was.
  func findStalls(
    in evidence: inout [Evidence], since former: [String: BlockStatistics], from start: ContinuousClock.Instant
  ) async {
    var (former, next) = (former, start)
    while next < start + Self.stallTime {
      former = former.filter { stuckRequests(of: $0.key, since: $0.value) != nil }
      next = min(next + Self.stallPace, start + Self.stallTime)
      guard !former.isEmpty, (try? await Reactor.shared.sleep(until: next)) != nil else { return }
    }
    let seconds = Double((ContinuousClock.now - start).components.seconds)
    for subject in evidence.indices where evidence[subject].isUnwatched {
      for index in evidence[subject].devices.indices {
        guard let name = evidence[subject].devices[index].snapshot.blockDevice, let old = former[name],
          let requests = stuckRequests(of: name, since: old)
        else { continue }
        evidence[subject].devices[index].stall = Evidence.Stall(requests: requests, seconds: seconds)
      }
    }
  }

  /// How many requests are with a disk of which none has ended since it had these counters; nil if one has.
  private func stuckRequests(of name: String, since old: BlockStatistics) -> UInt64? {
    guard let new = sysfs.statistics(ofBlockDevice: name), new.ended == old.ended, new.inFlight >= old.inFlight
    else { return nil }
    return new.inFlight
  }
}

extension Evidence {
  /// Whether the session is up, and the kernel asks its target for no sign of life; error handling would.
  var isUnwatched: Bool {
    guard isUp, let session, session.host?.isHandlingErrors != true else { return false }
    return session.isChecked == false || session.isChecked == true && recovery?.noopsIdle == true
  }
}
