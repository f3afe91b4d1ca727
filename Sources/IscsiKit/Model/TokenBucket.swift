// SPDX-License-Identifier: Apache-2.0

/// Bounds the rate of something: a burst at once, and then so many a second. A value; time is passed in.
struct TokenBucket {
  /// How many may come at once.
  let burst: Double
  /// How many may come a second for ever.
  let rate: Double

  private var tokens: Double
  private var last: ContinuousClock.Instant

  /// A full bucket.
  init(burst: Int, perSecond rate: Int, at now: ContinuousClock.Instant) {
    self.burst = Double(max(burst, 1))
    self.rate = Double(max(rate, 1))
    tokens = self.burst
    last = now
  }

  /// Takes a token; nil if there was one, else when to try again.
  mutating func take(at now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
    tokens = min(burst, tokens + max(0, (now - last) / .seconds(1)) * rate)
    last = max(last, now)
    guard tokens < 1 else {
      tokens -= 1
      return nil
    }
    return now + .seconds((1 - tokens) / rate)
  }
}
