// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Testing

@testable import iscsi_admin

@Suite("Where metrics are served")
struct ListenAddressTests {
  @Test(
    "Places that only this machine reaches",
    arguments: [
      ("unix:/run/x.sock", "unix:/run/x.sock"), ("127.0.0.1:9860", "127.0.0.1:9860"), ("127.9.9.9:0", "127.9.9.9:0"),
      ("[::1]:80", "[::1]:80"), ("localhost:80", "127.0.0.1:80"),
    ])
  func good(text: String, description: String) throws {
    #expect(try ListenAddress(text).description == description)
  }

  @Test(
    "Anything else is refused",
    arguments: [
      "", "unix:", "unix:/", "unix:relative", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80",
      "[127.0.0.1]:80", ":80", "example.org:80", "[::1]", "/run/x.sock",
    ])
  func bad(text: String) {
    #expect(throws: ValidationError.self) { try ListenAddress(text) }
  }

  @Test("An address that others reach is refused with a way out", arguments: ["0.0.0.0:80", "10.0.0.1:80", "[::]:80"])
  func foreign(text: String) {
    let error = #expect(throws: ValidationError.self) { try ListenAddress(text) }
    #expect(error?.message.contains("can be reached from other machines") == true)
    #expect(error?.message.contains("127.0.0.1") == true)
  }
}
