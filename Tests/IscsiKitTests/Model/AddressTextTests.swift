// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("Addresses, hosts and portals as text")
struct AddressTextTests {
  @Test(
    "What is no dotted decimal address is none",
    arguments: [
      "", ".", "1", "1.2.3", "1.2.3.4.", ".1.2.3.4", "1..2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.300", "0001.2.3.4",
      "1.2.3.4 ", "1.2.3.-4",
      "1.2.3.+4", "a.b.c.d", "1.2.3.4%eth0",
    ])
  func noIPv4(text: String) { #expect(IPAddress(text) == nil) }

  @Test(
    "Dotted decimal is read and written",
    arguments: [
      ("0.0.0.0", 0), ("255.255.255.255", UInt32.max), ("10.0.0.1", 0x0A00_0001), ("010.000.0.01", 0x0A00_0001),
    ])
  func ipv4(text: String, value: UInt32) {
    #expect(IPAddress(text) == .v4(value))
    #expect(IPAddress(IPAddress.v4(value).description) == .v4(value))
  }

  @Test("A host is an address, one with a scope where that can be, or a name")
  func hosts() throws {
    #expect(try PortalHost("10.0.0.1") == .address(.v4(0x0A00_0001), scope: nil))
    #expect(try PortalHost("fe80::1%eth0").description == "fe80::1%eth0")
    #expect(try PortalHost("storage_1.example") == .name("storage_1.example"))
    for text in ["%eth0", "fe80::1%", "10.0.0.1%eth0", "name%eth0", "fe80::1%a/b", "1.2.3", "1.2.3.4.5", "-a", "a..b"] {
      #expect(throws: PortalError.badHost(text)) { try PortalHost(text) }
    }
    #expect(throws: PortalError.noHost) { try PortalHost("") }
  }

  @Test("The name of a portal's file has an address, a port and perhaps a tag")
  func fileNames() {
    for text in ["10.0.0.1,3260", "10.0.0.1,3260,1", "fd00::1,1,65535", "fe80::1%eth0,3260,0", "no host at all,3260"] {
      #expect(PortalFileName(text)?.description == text)
    }
    for text in [
      "", ",", ",3260", "a", "a,", "a,x", "a,70000", "a,-1", "a,3260,", "a,3260,x", "a,3260,70000", "a,1,2,3", "a,,1",
    ] {
      #expect(PortalFileName(text) == nil)
    }
  }
}
