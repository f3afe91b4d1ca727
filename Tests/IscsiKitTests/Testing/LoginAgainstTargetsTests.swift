// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import Testing

@Suite("Login negotiation against targets")
struct LoginAgainstTargetsTests {
  /// How a login proves who is who.
  enum Proof: CaseIterable { case none, oneWay, mutual }

  private func secrets() throws -> (ours: CHAPCredentials, theirs: CHAPCredentials) {
    (
      CHAPCredentials(name: "host", secret: try #require(Secret("initiatorSecret1"))),
      CHAPCredentials(name: "disk", secret: try #require(Secret("targetSecret1234")))
    )
  }

  private func configuration(_ proof: Proof, _ algorithms: [CHAPAlgorithm] = [.md5]) throws -> LoginConfiguration {
    var configuration = LoginConfiguration(
      initiatorName: try InitiatorName("iqn.2001-04.com.example:host"),
      sessionType: .normal(try TargetName("iqn.2001-04.com.example:disk")), isid: testISID)
    let (ours, theirs) = try secrets()
    if proof != .none {
      configuration.authentication = Authentication(
        outgoing: ours, incoming: proof == .mutual ? theirs : nil, algorithms: algorithms)
    }
    return configuration
  }

  private func target(_ proof: Proof, _ algorithms: [CHAPAlgorithm] = [.md5]) throws -> InMemoryTarget {
    let (ours, theirs) = try secrets()
    return try testTarget(
      authentication: proof == .none ? nil : TargetCHAP(initiator: ours, target: theirs, algorithms: algorithms))
  }

  /// Runs a login until it ends. `nil` stands for a login that the driver ends: nothing comes, or no Login Response.
  private func run(_ configuration: LoginConfiguration, _ respond: (PDU) -> [PDU]) throws -> LoginNegotiation.Action? {
    var login = try LoginNegotiation(configuration)
    var action = login.start()
    while case .send(let request) = action {
      guard case .loginResponse(let response)? = respond(.loginRequest(request)).first else { return nil }
      action = login.receive(response)
    }
    return action
  }

  @Test(
    "An honest target is logged in to, with every proof and however it cuts its text", arguments: Proof.allCases,
    [(8192, 0), (60, 0), (8192, 2), (30, 1)])
  func honest(proof: Proof, cut: (length: Int, rounds: Int)) throws {
    var target = try target(proof)
    target.login.maxTextLength = cut.length
    target.login.extraRounds = cut.rounds
    target.login.tsih = 0x77
    let action = try run(try configuration(proof)) { target.respond(to: $0) }
    guard case .succeeded(let result)? = action else {
      Issue.record("\(String(describing: action))")
      return
    }
    #expect(result.tsih == 0x77 && result.tag == 1)
    #expect(result.negotiated.initialR2T && result.negotiated.maxBurstLength == 262_144)
    #expect(target.isLoggedIn)
  }

  @Test("Mutual CHAP succeeds with every algorithm", arguments: CHAPAlgorithm.allCases)
  func algorithms(algorithm: CHAPAlgorithm) throws {
    var target = try target(.mutual, [algorithm])
    let action = try run(try configuration(.mutual, CHAPAlgorithm.allCases)) { target.respond(to: $0) }
    guard case .succeeded(let result)? = action else {
      Issue.record("\(String(describing: action))")
      return
    }
    #expect(result.algorithm == algorithm)
  }

  @Test("A text that goes on over many requests is understood", arguments: [10, 100])
  func smallRequests(length: Int) throws {
    var target = try target(.none)
    var configuration = try configuration(.none)
    configuration.maxDataSegmentLength = length
    guard case .succeeded? = try run(configuration, { target.respond(to: $0) }) else {
      Issue.record("the login failed")
      return
    }
  }

  /// What an initiator may let pass: a second copy of the last answer comes after the login, TSIH counts in the last
  /// response only, and a TargetAlias is nothing but text to show.
  private static let harmless: Set<HostileTarget.Case> = [.repeatedAnswer, .changingTSIH, .overlongValue]

  @Test(
    "No misbehaviour gets a target logged in to, and every one comes to an end",
    arguments: HostileTarget.Case.cases(in: .login).filter { !harmless.contains($0) })
  func hostileLogin(misbehaviour: HostileTarget.Case) throws {
    for proof in Proof.allCases {
      var target = HostileTarget(misbehaviour, base: try target(proof))
      let action = try run(try configuration(proof)) { target.respond(to: $0) }
      if case .succeeded? = action { Issue.record("\(misbehaviour) with \(proof) went unnoticed") }
    }
  }

  @Test(
    "No trick with CHAP gets a target logged in to that has to prove itself",
    arguments: HostileTarget.Case.cases(in: .authentication))
  func hostileCHAP(misbehaviour: HostileTarget.Case) throws {
    var target = HostileTarget(misbehaviour, base: try target(.mutual))
    let action = try run(try configuration(.mutual)) { target.respond(to: $0) }
    guard case .failed? = action else {
      Issue.record("\(misbehaviour): \(String(describing: action))")
      return
    }
  }
}
