// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

@Suite("Routes of redirects")
struct LoginRouteTests {
  private func redirect(_ text: String, permanent: Bool = false) throws -> LoginRedirect {
    LoginRedirect(portal: try Portal(text), isPermanent: permanent)
  }

  @Test("A redirect is left again after a failure; a permanent one that led to a login is not")
  func failBack() throws {
    var route = LoginRoute(try Portal("10.0.0.1"))
    try route.follow(try redirect("10.0.0.2"))
    #expect(route.current == (try Portal("10.0.0.2")))
    #expect(route.home == (try Portal("10.0.0.1")))
    route.failBack()
    #expect(route.current == (try Portal("10.0.0.1")))

    try route.follow(try redirect("10.0.0.3:860,7", permanent: true))
    route.failBack()
    #expect(route.current == (try Portal("10.0.0.1")))

    try route.follow(try redirect("10.0.0.3:860,7", permanent: true))
    try route.follow(try redirect("10.0.0.4"))
    route.arrive()
    #expect(route.current == (try Portal("10.0.0.4")))
    #expect(route.home == (try Portal("10.0.0.3:860,7")))
    route.failBack()
    #expect(route.current == (try Portal("10.0.0.3:860,7")))
  }

  @Test("A loop is found, whatever the tag", arguments: ["10.0.0.1", "10.0.0.2:3260,9", "10.0.0.3"])
  func loop(text: String) throws {
    var route = LoginRoute(try Portal("10.0.0.1"))
    try route.follow(try redirect("10.0.0.2"))
    try route.follow(try redirect("10.0.0.3"))
    let back = try redirect(text)
    #expect(throws: LoginFailure.redirectLoop(back.portal)) { try route.follow(back) }
    #expect(route.current == (try Portal("10.0.0.3")))
  }

  @Test("Nine redirects in a row are too many, and a success starts the count again")
  func limit() throws {
    var route = LoginRoute(try Portal("10.0.0.1"))
    for number in 2...9 { try route.follow(try redirect("10.0.0.\(number)")) }
    #expect(throws: LoginFailure.tooManyRedirects(8)) { try route.follow(try redirect("10.0.0.10")) }
    route.arrive()
    try route.follow(try redirect("10.0.0.1"))
    #expect(route.current == (try Portal("10.0.0.1")))
  }

  @Test("After a failure the same redirect may be followed again")
  func again() throws {
    var route = LoginRoute(try Portal("10.0.0.1"))
    try route.follow(try redirect("10.0.0.2"))
    route.failBack()
    try route.follow(try redirect("10.0.0.2"))
    #expect(route.current == (try Portal("10.0.0.2")))
  }

  @Test("A link-local address takes over the scope")
  func scope() throws {
    var route = LoginRoute(try Portal("[fe80::1%eth0]"))
    try route.follow(try redirect("[fe80::2]:3261"))
    #expect(route.current == (try Portal("[fe80::2%eth0]:3261")))
    try route.follow(try redirect("[2001:db8::1]"))
    #expect(route.current == (try Portal("[2001:db8::1]")))
  }

  @Test(
    "A scope that the target names means nothing here",
    arguments: [("[fe80::2%eth9]", "[fe80::2%eth0]"), ("[2001:db8::1%eth9]", "[2001:db8::1]")])
  func foreignScope(named: String, used: String) throws {
    var route = LoginRoute(try Portal("[fe80::1%eth0]"))
    try route.follow(try redirect(named))
    #expect(route.current == (try Portal(used)))
  }

  @Test("The unspecified address is no place to go to", arguments: ["0.0.0.0", "[::]:860,2"])
  func unspecified(text: String) throws {
    var route = LoginRoute(try Portal("10.0.0.1"))
    let nowhere = try redirect(text)
    #expect(throws: LoginFailure.redirectToNowhere(nowhere.portal)) { try route.follow(nowhere) }
    #expect(route.current == (try Portal("10.0.0.1")))
  }
}
