// SPDX-License-Identifier: Apache-2.0

extension HostileTarget {
  /// The part of a connection in which a target misbehaves; before it, it is an honest `InMemoryTarget`.
  public enum Phase: Hashable, Sendable, CaseIterable {
    /// The whole login.
    case login
    /// The security stage of a login with CHAP; the honest part must ask for CHAP.
    case authentication
    /// Text exchanges.
    case text
    /// The logout.
    case logout
  }

  /// One way to misbehave.
  public enum Case: String, Hashable, Sendable, CaseIterable {
    /// Octets that are no PDU at all.
    case garbageOctets
    /// The connection is closed in the middle of a header.
    case truncatedHeader
    /// The connection is closed in the middle of the data.
    case truncatedData
    /// DataSegmentLength says 16 octets more than come; the connection stays open.
    case lyingDataSegmentLength
    /// DataSegmentLength says 16777215, and 64 KiB come.
    case oversizedData
    /// CSG is the reserved value 2.
    case reservedStage
    /// The opcode is a reserved one.
    case reservedOpcode
    /// The connection is closed without an answer.
    case closesAtOnce
    /// No answer comes.
    case noAnswer

    /// The Initiator Task Tag is another one.
    case wrongTaskTag
    /// The ISID is another one.
    case wrongISID
    /// TSIH differs from one response to the next.
    case changingTSIH
    /// TSIH is 0 in the last response.
    case zeroTSIH
    /// CSG is another stage than the request's.
    case otherCurrentStage
    /// T is set and NSG is not behind CSG.
    case nextStageGoesBack
    /// T is set and NSG is another stage than the one asked for.
    case otherNextStage
    /// T and C are both set.
    case transitWhileContinued
    /// C is set for ever, with some text each time.
    case endlessContinuation
    /// T is never set, and no text comes.
    case endlessRounds
    /// Every response comes twice.
    case repeatedAnswer
    /// The text has no `=`, no NUL and is no UTF-8.
    case garbageText
    /// A value of more than 255 octets for a key that allows no more.
    case overlongValue
    /// Keys are answered that nobody offered.
    case unofferedKey
    /// A key is answered twice, with different values.
    case contradictingKeys
    /// A NOP-In comes instead of the response.
    case wrongOpcode
    /// A Reject comes instead of the response.
    case rejectsLogin
    /// The status is one that no standard knows.
    case unknownStatus
    /// Version-active is one that the initiator does not know.
    case wrongVersion
    /// A redirection without an address.
    case redirectWithoutAddress
    /// A redirection to something that is no portal.
    case redirectToGarbage
    /// A redirection to where the initiator came from, for ever.
    case redirectToItself

    /// AuthMethod is one that the initiator did not offer.
    case unofferedAuthMethod
    /// AuthMethod is None though the initiator has to authenticate or wants the target to.
    case authenticationDowngrade
    /// T is set, for the full feature phase, in answer to a request that did not set it.
    case transitWithoutRequest
    /// CHAP_A is an algorithm that the initiator did not offer.
    case unofferedAlgorithm
    /// CHAP_C has no octets.
    case emptyChallenge
    /// CHAP_C has more than 1024 octets.
    case longChallenge
    /// CHAP_C is no number.
    case malformedChallenge
    /// CHAP_I is missing.
    case missingIdentifier
    /// CHAP_I is more than an octet.
    case wrongIdentifier
    /// The target goes on without proving itself (mutual CHAP).
    case missingTargetResponse
    /// The target proves itself with a wrong CHAP_R (mutual CHAP).
    case wrongTargetResponse

    /// The Text Response has another Initiator Task Tag.
    case textWrongTaskTag
    /// The Text Response has F and C both set.
    case textFinalButContinued
    /// The Text Response is not the last one and has no Target Transfer Tag.
    case textWithoutTransferTag
    /// Text Responses without text and without end.
    case textEndlessRounds
    /// Text Responses full of text and without end.
    case textEndlessText
    /// A Reject comes instead of the Text Response.
    case textReject
    /// A Login Response comes instead of the Text Response.
    case textWrongOpcode
    /// Pings come for ever instead of the Text Response.
    case textEndlessPings
    /// The target says that it drops the connection.
    case textDropped
    /// The text names targets that would do harm as a path, a record or on a terminal.
    case textHostileNames

    /// The Logout Response says that the cleanup failed.
    case logoutRefused
    /// The Logout Response has another Initiator Task Tag.
    case logoutWrongTaskTag
    /// A Reject comes instead of the Logout Response.
    case logoutReject
    /// No Logout Response comes.
    case logoutNoAnswer
  }
}

extension HostileTarget.Case {
  /// Where the target misbehaves.
  public var phase: HostileTarget.Phase {
    switch self {
    case .unofferedAuthMethod, .authenticationDowngrade, .transitWithoutRequest, .unofferedAlgorithm, .emptyChallenge,
      .longChallenge,
      .malformedChallenge, .missingIdentifier, .wrongIdentifier, .missingTargetResponse, .wrongTargetResponse:
      .authentication
    case .textWrongTaskTag, .textFinalButContinued, .textWithoutTransferTag, .textEndlessRounds, .textEndlessText,
      .textReject, .textWrongOpcode, .textEndlessPings, .textDropped, .textHostileNames:
      .text
    case .logoutRefused, .logoutWrongTaskTag, .logoutReject, .logoutNoAnswer: .logout
    default: .login
    }
  }

  /// Whether the misbehaviour is in the octets and so cannot be shown as PDUs: `respond` gives nothing, only `reply`
  /// shows it.
  public var isStreamOnly: Bool {
    switch self {
    case .garbageOctets, .truncatedHeader, .truncatedData, .lyingDataSegmentLength, .oversizedData, .reservedStage,
      .reservedOpcode, .closesAtOnce, .noAnswer:
      true
    default: false
    }
  }

  /// Whether the initiator has to give up by its own clock, because nothing comes that is wrong.
  public var needsDeadline: Bool {
    switch self {
    case .lyingDataSegmentLength, .noAnswer, .logoutNoAnswer: true
    default: false
    }
  }

  /// The cases of a phase.
  public static func cases(in phase: HostileTarget.Phase) -> [Self] { allCases.filter { $0.phase == phase } }
}
