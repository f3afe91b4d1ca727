// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

@Suite("iSCSI URLs")
struct TargetURLTests {
  @Test(
    "Every form is read, and written back without its secret",
    arguments: [
      ("iscsi://10.0.0.1/iqn.2001-04.com.example:a", "iscsi://10.0.0.1:3260/iqn.2001-04.com.example:a"),
      ("iscsi://10.0.0.1:860/iqn.2001-04.com.example:a/", "iscsi://10.0.0.1:860/iqn.2001-04.com.example:a"),
      ("ISCSI://san/iqn.2001-04.com.example:a/7", "iscsi://san:3260/iqn.2001-04.com.example:a/7"),
      ("iscsi://[fe80::1%eth0]:1/eui.02004567A425678D/0", "iscsi://[fe80::1%eth0]:1/eui.02004567A425678D/0"),
      ("iscsi://me@san/iqn.2001-04.com.example:a", "iscsi://me@san:3260/iqn.2001-04.com.example:a"),
      ("iscsi://me%topSecret@san/iqn.2001-04.com.example:a", "iscsi://me@san:3260/iqn.2001-04.com.example:a"),
      ("iscsi://san/iqn.2001-04.com.example%3Aa", "iscsi://san:3260/iqn.2001-04.com.example:a"),
    ])
  func accepts(text: String, canonical: String) throws {
    let url = try TargetURL(text)
    #expect(url.description == canonical)
    #expect(!"\(url) \(String(reflecting: url))".contains("topSecret"))
  }

  @Test(
    "The first percent sign ends the user, the last at sign the secret",
    arguments: [("a%b", "a", "b"), ("a%b%c", "a", "b%c"), ("a%b@c/d", "a", "b@c/d"), ("a:b%c", "a:b", "c")])
  func credentials(text: String, user: String, secret: String) throws {
    let url = try TargetURL("iscsi://\(text)@san:1/iqn.2001-04.com.example:a/1")
    #expect(url.user == user)
    #expect(url.secret.map { String(decoding: $0.octets, as: UTF8.self) } == secret)
    #expect(url.portal.description == "san:1")
    #expect(url.lun == LUN(number: 1))
  }

  @Test(
    "What makes no sense is refused with its reason",
    arguments: [
      ("", TargetURLError.scheme), ("iscsi:/san/iqn.2001-04.com.example:a", .scheme),
      ("iser://san/iqn.2001-04.com.example:a", .scheme), ("iscsi://san", .noTarget), ("iscsi://san/", .noTarget),
      ("iscsi:///iqn.2001-04.com.example:a", .portal), ("iscsi://san:0/iqn.2001-04.com.example:a", .portal),
      ("iscsi://san:1,1/iqn.2001-04.com.example:a", .portal), ("iscsi://[::1/iqn.2001-04.com.example:a", .portal),
      ("iscsi://@san/iqn.2001-04.com.example:a", .emptyCredentials),
      ("iscsi://%s@san/iqn.2001-04.com.example:a", .emptyCredentials),
      ("iscsi://u%@san/iqn.2001-04.com.example:a", .emptyCredentials),
      ("iscsi://u\n@san/iqn.2001-04.com.example:a", .badCredentials),
      ("iscsi://u%s\0@san/iqn.2001-04.com.example:a", .badCredentials),
      ("iscsi://san/%2Edisk", .target(.forbiddenBeginning("."))), ("iscsi://san/iqn.2001-04.com.example%3", .badEscape),
      ("iscsi://san/iqn.2001-04.com.example%zz", .badEscape), ("iscsi://san/iqn.2001-04.com.example:%ff", .badEscape),
      ("iscsi://san/iqn.2001-04.com.example:%2e%2F", .target(.forbiddenCharacter("/", offset: 25))),
      ("iscsi://san/iqn.2001-04.com.example:a/x", .badLUN), ("iscsi://san/iqn.2001-04.com.example:a/-1", .badLUN),
      ("iscsi://san/iqn.2001-04.com.example:a/16384", .badLUN),
      ("iscsi://san/iqn.2001-04.com.example:a/99999999999999999999999", .badLUN),
      ("iscsi://san/iqn.2001-04.com.example:a/1/2", .trailingText),
      ("iscsi://san/iqn.2001-04.com.example:a/1?x", .badLUN),
    ])
  func refuses(text: String, reason: TargetURLError) {
    #expect(throws: reason) { try TargetURL(text) }
  }

  @Test("No error of a URL shows a secret that stands in it")
  func errorsHideSecrets() {
    for text in [
      "iscsi://u%topSecret@:0/x", "iscsi://u%topSecret/x", "iscsi://u%topSecret@san/a,x", "u%topSecret@san",
      "iscsi://u%topSecret\n@san/iqn.2001-04.com.example:a",
    ] {
      let error = #expect(throws: TargetURLError.self) { try TargetURL(text) }
      #expect(error.map { "\($0) \(String(reflecting: $0))".contains("topSecret") } == false)
    }
  }
}
