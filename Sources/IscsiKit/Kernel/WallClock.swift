// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The time of day, for people and logs. Nothing is timed by it: it can be set.
public enum WallClock {
  /// Seconds since 1970.
  public static var now: Double {
    var time = timespec()
    // The structure is a local variable that the call fills; CLOCK_REALTIME always exists.
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// The time of day of a moment of the monotonic clock.
  public static func time(of instant: ContinuousClock.Instant) -> Double {
    let distance = (instant - ContinuousClock.now).components
    return now + Double(distance.seconds) + Double(distance.attoseconds) / 1e18
  }
}
