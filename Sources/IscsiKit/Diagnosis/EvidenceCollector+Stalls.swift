// SPDX-License-Identifier: Apache-2.0

// Whether anything moves on sessions whose target is not asked for a sign of life, so that nothing tells of its silence.

extension EvidenceCollector {
  /// How long requests are given to end: longer than a disk takes that lives.
  static let stallTime = Duration.seconds(2)

  /// The counters of the disks of sessions that are up and not watched by NOP-Outs, as far as requests are with them.
  func busyDisks(of evidence: [Evidence]) -> [String: BlockStatistics] {
    evidence.filter(\.isUnwatched).flatMap(\.devices).compactMap(\.snapshot.blockDevice)
      .reduce(into: [:]) { found, name in
        guard let counters = sysfs.statistics(ofBlockDevice: name), counters.inFlight > 0 else { return }
        found[name] = counters
      }
  }

  /// Looks a second time at disks that were busy, when requests have had their time.
  ///
  /// - Parameters:
  ///   - evidence: What becomes of the disks is added here.
  ///   - former: The counters of the first look.
  ///   - start: When that was.
  func findStalls(
    in evidence: inout [Evidence], since former: [String: BlockStatistics], from start: ContinuousClock.Instant
  ) async {
    guard !former.isEmpty, (try? await Reactor.shared.sleep(until: start + Self.stallTime)) != nil else { return }
    let seconds = Double((ContinuousClock.now - start).components.seconds)
    for subject in evidence.indices where evidence[subject].isUnwatched {
      for index in evidence[subject].devices.indices {
        guard let name = evidence[subject].devices[index].snapshot.blockDevice, let old = former[name],
          let new = sysfs.statistics(ofBlockDevice: name), new.ended == old.ended, new.inFlight >= old.inFlight
        else { continue }
        evidence[subject].devices[index].stall = Evidence.Stall(requests: new.inFlight, seconds: seconds)
      }
    }
  }
}

extension Evidence {
  /// Whether the session is up, and the kernel asks its target for no sign of life; error handling would.
  var isUnwatched: Bool {
    guard isUp, let session, session.host?.isHandlingErrors != true else { return false }
    return session.isChecked == false || session.isChecked == true && recovery?.noopsIdle == true
  }
}
