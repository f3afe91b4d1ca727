// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import Testing

/// A login request of a stage with these entries, which asks for the next stage.
func loginRequest(_ stage: LoginStage, to next: LoginStage?, _ entries: String...) -> LoginRequestPDU {
  changed(LoginRequestPDU(isid: testISID)) {
    $0.currentStage = stage
    $0.transit = next != nil
    $0.nextStage = next ?? .security
    $0.initiatorTaskTag = 0x55
    $0.commandSN = 1
    $0.data = entries.flatMap { Array($0.utf8) + [0] }
  }
}

/// The target of the tests.
func testTarget(authentication: TargetCHAP? = nil) throws -> InMemoryTarget {
  InMemoryTarget(
    name: try TargetName("iqn.2001-04.com.example:disk"), portals: [try Portal("192.0.2.1:3260,1")],
    authentication: authentication)
}

/// The target of the tests in a discovery session.
func loggedInTarget() throws -> InMemoryTarget {
  var target = try testTarget()
  let request = loginRequest(
    .operational, to: .fullFeature, "InitiatorName=iqn.2001-04.com.example:host", "SessionType=Discovery",
    "MaxRecvDataSegmentLength=32768")
  let response = try target.login(request)
  #expect(response.status == .success && response.transit && target.isLoggedIn)
  return target
}

extension InMemoryTarget {
  /// The one Login Response to a request.
  mutating func login(_ request: LoginRequestPDU) throws -> LoginResponsePDU {
    let answers = respond(to: .loginRequest(request))
    guard answers.count == 1, case .loginResponse(let response)? = answers.first else {
      throw UnexpectedAnswer(answers: answers)
    }
    return response
  }
}

/// The target answered with something else than one Login Response.
struct UnexpectedAnswer: Error {
  let answers: [PDU]
}
