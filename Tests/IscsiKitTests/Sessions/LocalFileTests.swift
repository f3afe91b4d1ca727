// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@Suite("Files with the initiator's name and with secrets")
struct LocalFileTests {
  @Test(
    "The name is the value of the first InitiatorName line",
    arguments: [
      "InitiatorName=iqn.2001-04.com.example:a\n", "InitiatorName=iqn.2001-04.com.example:a",
      "# InitiatorName=iqn.2001-04.com.example:b\n\n  InitiatorName \t=  iqn.2001-04.com.example:a \t\r\n",
      "InitiatorAlias=x\nInitiatorName=iqn.2001-04.com.example:a\nInitiatorName=iqn.2001-04.com.example:b\n",
      "GenerateName=no\nInitiatorNames=x\nInitiatorName=iqn.2001-04.com.example:a\n",
    ])
  func name(text: String) throws {
    let file = try TemporaryFile(text)
    #expect(try InitiatorNameFile(path: file.path).read().description == "iqn.2001-04.com.example:a")
  }

  @Test(
    "The alias is the value of the first InitiatorAlias line, or else the host's name, and can be sent",
    arguments: [
      ("#InitiatorAlias=y\n InitiatorAlias = web 1 \nInitiatorAlias=z\n", "web 1"), ("InitiatorAlias=\n", nil),
      ("", nil),
      ("InitiatorAlias=a\u{1}b\n", nil), ("InitiatorAlias=" + String(repeating: "x", count: 256), nil),
    ])
  func alias(text: String, alias: String?) throws {
    let file = try TemporaryFile(text)
    let host = InitiatorNameFile(path: "/nonexistent/name").contents().alias
    #expect(host?.isEmpty != true)
    #expect(InitiatorNameFile(path: file.path).contents().alias == alias ?? host)
  }

  @Test("A file without a usable name says why, and what to do")
  func noName() throws {
    let missing = InitiatorNameFile(path: "/nonexistent/name")
    #expect(throws: InitiatorNameFileError.unreadable(path: "/nonexistent/name", .noSuchFileOrDirectory)) {
      try missing.read()
    }
    let empty = try TemporaryFile("#InitiatorName=iqn.2001-04.com.example:a\nInitiatorName\n")
    let noName = InitiatorNameFileError.noName(path: empty.path.string)
    #expect(throws: noName) { try InitiatorNameFile(path: empty.path).read() }
    #expect(noName.advice?.contains("--initiator-name") == true)
    let bad = try TemporaryFile("InitiatorName=host\n")
    #expect(throws: InitiatorNameFileError.badName(path: bad.path.string, .unknownFormat)) {
      try InitiatorNameFile(path: bad.path).read()
    }
  }

  @Test(
    "A secret is the first line without its line end",
    arguments: [
      ("secret", "secret"), ("secret\n", "secret"), ("secret\r\nmore\n", "secret"),
      (" blanks count \n", " blanks count "),
      ("größe\n", "größe"),
    ])
  func secret(text: String, secret: String) throws {
    let file = try TemporaryFile(text)
    #expect(try SecretFile(file.path.string).read().secret.octets == Array(secret.utf8))
  }

  @Test("A file without a secret is refused, and its text is never shown")
  func badSecrets() throws {
    for text in ["", "\n", "\r\nx"] {
      let file = try TemporaryFile(text)
      #expect(throws: SecretFileError.empty(path: file.path.string)) { try SecretFile(file.path.string).read() }
    }
    for text in [String(repeating: "z", count: 256), "zz\0zz", "zz\rzz"] {
      let file = try TemporaryFile(text)
      let error = #expect(throws: SecretFileError.self) { try SecretFile(file.path.string).read() }
      #expect(error == .badSecret(path: file.path.string))
      #expect(error?.description.contains("zz") == false)
    }
  }

  @Test("A secret that others can read is told")
  func permissions() throws {
    let hidden = try TemporaryFile("x", permissions: .ownerReadWrite)
    #expect(try SecretFile(hidden.path.string).read().isReadableByOthers == false)
    let open = try TemporaryFile("x", permissions: [.ownerReadWrite, .otherRead])
    #expect(try SecretFile(open.path.string).read().isReadableByOthers)
  }
}
