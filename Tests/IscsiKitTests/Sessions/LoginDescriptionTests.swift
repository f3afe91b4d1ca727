// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

/// A member of a description of a login, and what it makes of the request.
struct DescribedField: CustomTestStringConvertible {
  let text: String
  let check: @Sendable (LoginRequest) -> Bool
  var testDescription: String { text }

  init(_ text: String, _ check: @escaping @Sendable (LoginRequest) -> Bool) {
    self.text = text
    self.check = check
  }

  private static func timeout(
    _ name: String, _ path: any KeyPath<SessionTimeouts, Duration> & Sendable
  ) -> DescribedField {
    DescribedField(#""timeouts":{"\#(name)":123}"#) { $0.options.timeouts[keyPath: path] == .seconds(123) }
  }

  private static func parameter<Value: Equatable & Sendable>(
    _ text: String, _ path: any KeyPath<OperationalParameters, Value> & Sendable, _ value: Value
  ) -> DescribedField {
    DescribedField(#""parameters":{\#(text)}"#) { $0.options.operational[keyPath: path] == value }
  }

  private static func credentials(_ name: String, _ secret: String) -> CHAPCredentials? {
    Secret(secret).map { CHAPCredentials(name: name, secret: $0) }
  }

  static let all: [DescribedField] = identity + interface + times + parameters + others

  private static let identity = [
    DescribedField(#""initiator":"iqn.2001-04.com.example:me""#) {
      $0.initiator.description == "iqn.2001-04.com.example:me"
    },
    DescribedField(#""authentication":{"user":"u","secret":"s"}"#) {
      $0.options.authentication == Authentication(outgoing: credentials("u", "s"))
    },
    DescribedField(#""authentication":{"user":"u","secret":"s","mutualUser":"m","mutualSecret":"t"}"#) {
      $0.options.authentication.incoming == credentials("m", "t")
    },
    DescribedField(#""authentication":{"user":"u","secret":"s","algorithms":["SHA3-256","md5"]}"#) {
      $0.options.authentication.algorithms == [.sha3, .md5]
    },
  ]

  private static let interface = [
    DescribedField(#""interface":{}"#) { $0.options.binding == .automatic && $0.options.interfaceName == "default" },
    DescribedField(#""interface":{"name":"iface0"}"#) {
      $0.options.binding == .automatic && $0.options.interfaceName == "iface0"
    },
    DescribedField(#""interface":{"device":"eth0"}"#) {
      $0.options.binding == .device("eth0") && $0.options.interfaceName == "eth0"
    },
    DescribedField(#""interface":{"name":"iface0","device":"eth0"}"#) {
      $0.options.binding == .device("eth0") && $0.options.interfaceName == "iface0"
    },
    DescribedField(#""interface":{"hardwareAddress":"02:AB:00:00:00:01"}"#) {
      $0.options.binding == HardwareAddress("02:ab:00:00:00:01").map { .hardwareAddress($0) }
        && $0.options.interfaceName == "02:ab:00:00:00:01"
    },
    DescribedField(#""interface":{"sourceAddress":"2001:DB8::0:1"}"#) {
      $0.options.binding == IPAddress("2001:db8::1").map { .sourceAddress($0) }
        && $0.options.interfaceName == "2001:db8::1"
    },
  ]

  private static let times = [
    DescribedField(#""timeouts":{"replacement":-1}"#) { $0.options.timeouts.replacement == nil },
    DescribedField(#""timeouts":{"replacement":0}"#) { $0.options.timeouts.replacement == .zero },
    DescribedField(#""timeouts":{"replacement":2147483}"#) {
      $0.options.timeouts.replacement == .seconds(2_147_483)
    },
    timeout("abort", \.abort), timeout("luReset", \.luReset), timeout("targetReset", \.targetReset),
    timeout("noopInterval", \.noopInterval), timeout("noopTimeout", \.noopTimeout), timeout("login", \.login),
    timeout("loginRetryWindow", \.loginRetryWindow),
  ]

  private static let parameters = [
    parameter(#""headerDigest":["CRC32C","None"]"#, \.headerDigest, [.crc32c, .none]),
    parameter(#""dataDigest":["CRC32C"]"#, \.dataDigest, [.crc32c]),
    parameter(#""initialR2T":true"#, \.initialR2T, true), parameter(#""immediateData":false"#, \.immediateData, false),
    parameter(#""firstBurstLength":512"#, \.firstBurstLength, 512),
    parameter(#""maxBurstLength":1024"#, \.maxBurstLength, 1024),
    parameter(#""maxRecvDataSegmentLength":2048"#, \.maxRecvDataSegmentLength, 2048),
    parameter(#""maxXmitDataSegmentLength":4096"#, \.maxXmitDataSegmentLength, 4096),
    parameter(#""maxOutstandingR2T":8"#, \.maxOutstandingR2T, 8),
  ]

  private static let others = [
    DescribedField(#""scan":"all""#) { $0.options.scan == .all },
    DescribedField(#""scan":"none""#) { $0.options.scan == .none },
    DescribedField(#""luns":[]"#) { $0.options.scan == .only([]) },
    DescribedField(#""luns":[0,255,256,16640]"#) {
      // Flat space numbers with and without the bits that Linux shows.
      $0.options.scan == .only([0, 255, 0x4100, 0x4100].map { LUN(linuxNumber: $0) })
    },
    DescribedField(#""maxCommands":512"#) { $0.options.maxCommands == 512 },
    DescribedField(#""queueDepth":16"#) { $0.options.queueDepth == 16 },
    DescribedField(#""fastAbort":false"#) { !$0.options.fastAbort },
    DescribedField(#""sessionCount":64"#) { $0.options.sessionCount == 64 },
    DescribedField(#""recoveryLimit":5"#) { $0.options.recoveryLimit == 5 },
    // Of another version.
    DescribedField(#""unknown":{"a":[1]}"#) { $0.options == SessionOptions() },
  ]
}

@Suite("Descriptions of logins")
struct LoginDescriptionTests {
  private static let start = #"{"target":"iqn.2001-04.com.example:disk","portal":"192.0.2.1:3261,4""#

  private func description(_ member: String? = nil) throws -> LoginDescription {
    let text = Self.start + (member.map { "," + $0 } ?? "") + "}"
    return try JSONValueDecoder().decode(from: JSONText.parse(Array(text.utf8)))
  }

  private static func machine() throws(LoginDescriptionError) -> InitiatorName {
    do throws(ISCSINameError) { return try InitiatorName("iqn.2001-04.com.example:machine") } catch {
      throw LoginDescriptionError(field: "machine", reason: error.description)
    }
  }

  private func request(_ member: String? = nil) throws -> LoginRequest {
    try description(member).request(defaultInitiator: Self.machine)
  }

  @Test("What is missing has its default")
  func defaults() throws {
    let (request, portal) = (try request(), try Portal("192.0.2.1:3261,4"))
    #expect(request.target.description == "iqn.2001-04.com.example:disk" && request.portal == portal)
    #expect(request.initiator.description == "iqn.2001-04.com.example:machine")
    #expect(request.options == SessionOptions())
  }

  @Test("Every field does what it says", arguments: DescribedField.all)
  func fields(field: DescribedField) throws {
    let request = try request(field.text)
    #expect(field.check(request))
    // It comes back the same from its own description.
    let again = try LoginDescription(request).request(defaultInitiator: Self.machine)
    #expect(again == request)
  }

  private static let bad: [(String, String)] = [
    (#""initiator":"me""#, "initiator"),
    (#""authentication":{"user":"u","secret":""}"#, "authentication.secret"),
    (#""authentication":{"user":"u","secret":"a\nb"}"#, "authentication.secret"),
    (#""authentication":{"user":"u","secret":"s","mutualUser":"m","mutualSecret":""}"#, "authentication.mutualSecret"),
    (#""authentication":{"user":"u","secret":"s","mutualUser":"m"}"#, "authentication.mutualUser"),
    (#""authentication":{"user":"u","secret":"s","mutualSecret":"t"}"#, "authentication.mutualUser"),
    (#""authentication":{"user":"u","secret":"s","algorithms":["MD4"]}"#, "authentication.algorithms"),
    (#""interface":{"device":"eth0","sourceAddress":"192.0.2.1"}"#, "interface"),
    (#""interface":{"device":"a/b"}"#, "interface.device"), (#""interface":{"device":""}"#, "interface.device"),
    (#""interface":{"hardwareAddress":"02:00"}"#, "interface.hardwareAddress"),
    (#""interface":{"sourceAddress":"here"}"#, "interface.sourceAddress"),
    (#""timeouts":{"replacement":-2}"#, "timeouts.replacement"),
    (#""timeouts":{"replacement":2147484}"#, "timeouts.replacement"),
    (#""timeouts":{"noopInterval":3000000}"#, "timeouts.noopInterval"),
    (#""timeouts":{"abort":0}"#, "timeouts.abort"), (#""timeouts":{"luReset":-1}"#, "timeouts.luReset"),
    (#""timeouts":{"targetReset":9223372036854775807}"#, "timeouts.targetReset"),
    (#""timeouts":{"noopInterval":-1}"#, "timeouts.noopInterval"),
    (#""timeouts":{"noopTimeout":-1}"#, "timeouts.noopTimeout"), (#""timeouts":{"login":0}"#, "timeouts.login"),
    (#""timeouts":{"login":-9223372036854775808}"#, "timeouts.login"),
    (#""timeouts":{"loginRetryWindow":-1}"#, "timeouts.loginRetryWindow"),
    (#""parameters":{"headerDigest":["CRC"]}"#, "parameters.headerDigest"),
    (#""parameters":{"dataDigest":["None",""]}"#, "parameters.dataDigest"), (#""scan":"some""#, "scan"),
    (#""sessionCount":0"#, "sessionCount"), (#""sessionCount":65"#, "sessionCount"),
    (#""recoveryLimit":0"#, "recoveryLimit"), (#""recoveryLimit":2147483648"#, "recoveryLimit"),
  ]

  @Test("A value that cannot be is told with its path", arguments: bad)
  func badValues(member: String, field: String) throws {
    let error = #expect(throws: LoginDescriptionError.self) { try request(member) }
    #expect(error?.field == field && error?.exitStatus == .invalidArgument)
    #expect(error?.description.hasPrefix("\(field): ") == true)
  }

  @Test("Target and portal are told too")
  func badPlaces() throws {
    for (target, portal, field) in [
      ("-disk", "192.0.2.1", "target"), ("", "192.0.2.1", "target"), ("iqn.2001-04.com.example:disk", "", "portal"),
      ("iqn.2001-04.com.example:disk", "192.0.2.1:0", "portal"),
    ] {
      let login = LoginDescription(target: target, portal: portal)
      let error = #expect(throws: LoginDescriptionError.self) { try login.request(defaultInitiator: Self.machine) }
      #expect(error?.field == field)
    }
  }

  @Test("A value of another type, or out of the range of its type, is told with its path")
  func badTypes() throws {
    for (member, path) in [
      (#""timeouts":{"abort":"15"}"#, "timeouts.abort"), (#""maxCommands":65536"#, "maxCommands"),
      (#""luns":[1,-1]"#, "luns.1"), (#""parameters":{"maxOutstandingR2T":70000}"#, "parameters.maxOutstandingR2T"),
      (#""authentication":{"user":"u"}"#, "authentication.secret"), (#""fastAbort":1"#, "fastAbort"),
    ] {
      let error = #expect(throws: JSONCodingError.self) { try description(member) }
      #expect(error?.path.joined(separator: ".") == path)
    }
  }

  @Test("The machine's name is asked for only if there is none, and its error is passed on")
  func initiator() throws {
    let failure = LoginDescriptionError(field: "initiator", reason: "missing")
    let named = try description(#""initiator":"iqn.2001-04.com.example:me""#)
    _ = try named.request { () throws(LoginDescriptionError) in throw failure }
    let nameless = try description()
    #expect(throws: failure) { try nameless.request { () throws(LoginDescriptionError) in throw failure } }
  }

  @Test("No secret is in a dump, a description or an error")
  func secrets() throws {
    var request = try request()
    request.options.authentication = try TestAccounts.authentication(mutual: true)
    let description = LoginDescription(request)
    #expect(description.authentication?.secret == TestAccounts.secrets[0])
    let record = SessionRecord(session: SessionID(rawValue: 1), request: request, isid: .random())
    var input = InitiatorTypes.DiscoverInput(portal: "192.0.2.1")
    input.authentication = description.authentication
    var texts: [String] = []
    for value: Any in [request, description, record, input, InitiatorTypes.LoginInput(logins: [description])] {
      var dumped = ""
      dump(value, to: &dumped)
      texts += [dumped, "\(value)", String(reflecting: value)]
    }
    var bad = description
    bad.authentication?.secret += "\n"
    let error = #expect(throws: LoginDescriptionError.self) { try bad.request(defaultInitiator: Self.machine) }
    texts += ["\(try #require(error))", String(reflecting: error)]
    for text in texts {
      for secret in TestAccounts.secrets { #expect(!text.contains(secret), "\(text)") }
    }
  }
}
