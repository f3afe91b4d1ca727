// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("A bounded rate")
struct TokenBucketTests {
  @Test("It gives a burst and then its rate, and never saves more than the burst")
  func bucket() {
    let start = ContinuousClock.now
    var bucket = TokenBucket(burst: 3, perSecond: 10, at: start)
    for _ in 0..<3 { #expect(bucket.take(at: start) == nil) }
    #expect(bucket.take(at: start) == start + .milliseconds(100))
    #expect(bucket.take(at: start + .milliseconds(50)) == start + .milliseconds(100))
    #expect(bucket.take(at: start + .milliseconds(125)) == nil)
    #expect(bucket.take(at: start + .milliseconds(125)) != nil)
    // A clock that goes back gives nothing.
    #expect(bucket.take(at: start) != nil)
    for _ in 0..<3 { #expect(bucket.take(at: start + .seconds(1000)) == nil) }
    #expect(bucket.take(at: start + .seconds(1000)) != nil)
  }
}
