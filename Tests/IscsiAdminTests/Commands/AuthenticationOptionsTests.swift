// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@testable import iscsi_admin

@Suite("Options for authentication")
struct AuthenticationOptionsTests {
  private func resolve(
    _ arguments: [String], urlUser: String? = nil, environment: [String: String] = [:],
    warn: (String) -> Void = { Issue.record("\($0)") }
  ) throws -> Authentication {
    try AuthenticationOptions.parse(arguments).resolve(urlUser: urlUser, environment: environment, warn: warn)
  }

  private func secret(_ text: String) throws -> Secret { try #require(Secret(text)) }

  @Test("Without options there is no authentication, and MD5 is the digest that every target knows")
  func nothing() throws {
    #expect(try resolve([], environment: ["ISCSI_PASSWORD": "x"]) == .none)
  }

  @Test("Secrets come from files, else from the environment")
  func sources() throws {
    let file = try TemporaryFile("fromTheFile1\n")
    let mutual = try TemporaryFile("fromTheOther\n")
    let environment = ["ISCSI_PASSWORD": "fromEnvironment", "ISCSI_MUTUAL_PASSWORD": "fromOverThere"]
    #expect(
      try resolve(["--user", "a"], environment: environment).outgoing
        == CHAPCredentials(name: "a", secret: secret("fromEnvironment")))
    #expect(
      try resolve(["--user", "a", "--password-file", file.path.string], environment: environment).outgoing?.secret
        == secret("fromTheFile1"))
    #expect(
      try resolve([], urlUser: "b", environment: environment).outgoing
        == CHAPCredentials(name: "b", secret: secret("fromEnvironment")))
    #expect(
      try resolve(["--user", "a", "--mutual-user", "t"], environment: environment).incoming
        == CHAPCredentials(name: "t", secret: secret("fromOverThere")))
    #expect(
      try resolve(
        ["--user", "a", "--mutual-user", "t", "--mutual-password-file", mutual.path.string], environment: environment
      ).incoming?.secret == secret("fromTheOther"))
  }

  @Test("Digests are offered in the order that was given")
  func algorithms() throws {
    #expect(
      try resolve(["--chap-algorithms", "SHA3-256,sha256,SHA1,MD5"]).algorithms == [.sha3, .sha256, .sha1, .md5])
  }

  @Test("A combination that makes no sense is refused with its reason")
  func refusals() throws {
    let same = ["ISCSI_PASSWORD": "same", "ISCSI_MUTUAL_PASSWORD": "same"]
    let file = try TemporaryFile("x")
    let cases: [([String], [String: String], AuthenticationOptionsError)] = [
      (["--user", "a"], [:], .noSecret(.outgoing)),
      (["--password-file", file.path.string], [:], .noUser(.outgoing)),
      (["--user", "", "--password-file", file.path.string], [:], .badUser(.outgoing)),
      (["--user", "a"], ["ISCSI_PASSWORD": ""], .badVariable(.outgoing)),
      (["--user", "a"], ["ISCSI_PASSWORD": "x\ny"], .badVariable(.outgoing)),
      (["--mutual-user", "t"], same, .unusable(.incompleteCredentials)),
      (["--user", "a", "--mutual-user", "t"], same, .unusable(.equalSecrets)),
      (["--password-file", "-", "--mutual-password-file", "-"], [:], .standardInputTwice),
      (
        ["--user", "a", "--password-file", "/nonexistent"], [:],
        .file(.unreadable(path: "/nonexistent", .noSuchFileOrDirectory))
      ),
    ]
    for (arguments, environment, reason) in cases {
      #expect(throws: reason) { try resolve(arguments, environment: environment) }
    }
    #expect(throws: AuthenticationOptionsError.twoUsers) {
      try resolve(["--user", "a"], urlUser: "b", environment: same)
    }
  }

  @Test("A secret behind a colon in a URL is told to be none, and not repeated; a name with colons is one")
  func colon() throws {
    let error = try #require(throws: AuthenticationOptionsError.self) { try resolve([], urlUser: "me:topSecret") }
    #expect(error == .colonInURL && error.exitStatus == .invalidArgument)
    #expect(
      diagnostic(error)
        == "iscsi-admin: the URL's user has a colon: a secret behind it is for all to read, and taken for a part of the "
        + "name; give it with --password-file FILE or in $ISCSI_PASSWORD\n")
    let name = "iqn.2026-11.org.example:host"
    let environment = ["ISCSI_PASSWORD": "fromEnvironment"]
    #expect(try resolve([], urlUser: name, environment: environment).outgoing?.name == name)
    let file = try TemporaryFile("fromTheFile1\n")
    #expect(try resolve(["--password-file", file.path.string], urlUser: name).outgoing?.name == name)
  }

  @Test("No message about secrets that cannot be used has one of them")
  func discretion() throws {
    let file = try TemporaryFile("topSecret\n")
    let environment = ["ISCSI_PASSWORD": "topSecret\n", "ISCSI_MUTUAL_PASSWORD": "topSecret"]
    for arguments in [
      ["--user", "a"], ["--user", "a", "--password-file", file.path.string, "--mutual-user", "t"],
      ["--password-file", file.path.string], ["--mutual-user", "t"],
    ] {
      let error = try #require(throws: AuthenticationOptionsError.self) {
        try resolve(arguments, environment: environment)
      }
      #expect(error.exitStatus == .invalidArgument)
      #expect(!diagnostic(error).contains("topSecret"))
      #expect(!"\(String(reflecting: error))".contains("topSecret"))
    }
  }

  @Test("A secret that every user can read is used with a warning")
  func warning() throws {
    let file = try TemporaryFile("longEnough12", permissions: [.ownerReadWrite, .otherRead])
    var warnings: [String] = []
    _ = try resolve(["--user", "a", "--password-file", file.path.string]) { warnings.append($0) }
    #expect(warnings.count == 1)
    #expect(warnings.first?.contains(file.path.string) == true)
  }

  @Test("A secret of less than 96 bits is used with a warning, which does not show it")
  func shortSecrets() throws {
    let environment = ["ISCSI_PASSWORD": "tooShort", "ISCSI_MUTUAL_PASSWORD": "alsoShort"]
    var warnings: [String] = []
    let authentication = try resolve(["--user", "a", "--mutual-user", "t"], environment: environment) {
      warnings.append($0)
    }
    #expect(
      warnings == [CHAPWarning.shortOutgoingSecret(octets: 8), .shortIncomingSecret(octets: 9)].map(\.description))
    #expect(authentication.incoming != nil)
  }
}
