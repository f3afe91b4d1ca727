// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("Looks at ways")
struct WayLooksTests {
  @Test("One is at it for all who ask, until nobody has")
  func oneForAll() {
    var looks = WayLooks<Int>()
    let begins = [looks.request(1), looks.request(2)]
    let first = looks.take()
    let late = looks.request(3)
    let rest = [looks.take(), looks.take()]
    let again = looks.request(4)
    #expect(begins == [true, false] && first == [1, 2])
    #expect(!late && rest == [[3], nil] && again)
  }
}
