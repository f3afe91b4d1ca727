// SPDX-License-Identifier: Apache-2.0

/// Why a target did not prove who it is, although mutual CHAP asks for it.
public enum TargetAuthenticationFault: Hashable, Sendable {
  /// It chose AuthMethod=None.
  case declined
  /// It went on without a response.
  case noResponse
  /// Its response is not that of the secret.
  case wrongResponse
  /// It has another name than the one configured.
  case wrongName
  /// It sent our own challenge or response back.
  case reflected
}

/// How a target broke the rules of the login phase.
public enum LoginViolation: Hashable, Sendable {
  /// A response came that no request asked for.
  case unexpectedResponse
  /// The Initiator Task Tag is not that of the login.
  case wrongTaskTag
  /// The ISID is not that of the login.
  case wrongISID
  /// Version-active is not one that we offered.
  case wrongVersion(UInt8)
  /// StatSN does not follow the one before.
  case wrongStatSN(expected: UInt32, received: UInt32)
  /// CSG is not the stage that we are in.
  case wrongStage(LoginStage)
  /// NSG is not the stage that we asked for.
  case wrongNextStage(LoginStage)
  /// T is set although we did not set it.
  case uninvitedTransit
  /// T and C are both set.
  case transitWithContinuation
  /// The target sent text, C or T before our text was complete.
  case interruptedText
  /// More responses than this without an end of the login.
  case tooManyResponses(Int)
  /// More keys than this.
  case tooManyKeys(Int)
  /// A key was sent twice.
  case keyTwice(String)
  /// A key that this step does not have.
  case keyOutOfOrder(String)
  /// A key that belongs to another stage.
  case keyOutsideItsStage(String)
  /// A key that this step must have.
  case keyMissing(String)
  /// A key that only an initiator may send.
  case keyOfInitiator(String)
  /// A value for a key that we did not offer, when it is too late to answer.
  case answerWithoutOffer(String)
  /// A value that our offer does not have.
  case answerNotOffered(key: String, value: String)
  /// A CHAP value of the wrong form or length. The value is left out on purpose.
  case badCHAPValue(TextKey)
  /// The last response of a new session has TSIH 0.
  case zeroTSIH
  /// TSIH is not the one of the session.
  case wrongTSIH(UInt16)
  /// A redirect has no TargetAddress that is a portal.
  case badRedirect
}

/// Why a login failed.
public enum LoginFailure: DiagnosableError, Hashable {
  /// Both directions of CHAP have the same secret.
  case equalSecrets
  /// There are credentials for the target but none for us.
  case incompleteCredentials
  /// The list of CHAP algorithms is empty.
  case noAlgorithms
  /// A CHAP name is longer than 255 octets or has a NUL.
  case badCHAPName
  /// This value cannot be offered for this key.
  case invalidParameter(TextKey, value: String)
  /// The target answered with a status other than success and redirection.
  case rejected(LoginStatus)
  /// The target wants authentication and we have no credentials; the status, if it said so by one.
  case authenticationRequired(LoginStatus?)
  /// The target wants CHAP, and we have a secret without a name.
  case nameless
  /// The target takes none of the methods that we offer.
  case authenticationRefused
  /// The target takes none of the CHAP algorithms that we offer.
  case noCommonAlgorithm(offered: [CHAPAlgorithm])
  /// The target ended the login with 0200 in the midst of CHAP, which was offered with more than MD5.
  ///
  /// Targets that do not know an algorithm should answer `CHAP_A=Reject` but do this; and tgt takes 7, which is
  /// SHA-256, for SHA-1, and then finds the response too long.
  case algorithmsRejected([CHAPAlgorithm])
  /// The target did not prove who it is.
  case targetNotAuthenticated(TargetAuthenticationFault)
  /// The target does not do the digest that we insist on.
  case digestRefused(TextKey)
  /// The target's text cannot be read.
  case malformedText(TextError)
  /// The target broke the protocol.
  case violation(LoginViolation)
  /// A redirect names this portal, whose address is 0.0.0.0 or [::].
  case redirectToNowhere(Portal)
  /// A redirect led back to this portal.
  case redirectLoop(Portal)
  /// More redirects in a row than this.
  case tooManyRedirects(Int)
  /// No Login Response came in time.
  case timedOut
  /// The target closed the connection.
  case connectionClosed

  /// 24 where the target refuses us, 7 for what we cannot offer, 5 for a target that may work later, 11 for a timeout,
  /// 4 for a closed connection, and 19 for what no retry mends, such as a target that does not prove who it is.
  public var exitStatus: ExitStatus {
    switch self {
    case .incompleteCredentials, .noAlgorithms, .badCHAPName, .invalidParameter: .invalidArgument
    case .equalSecrets, .authenticationRequired, .nameless, .authenticationRefused, .noCommonAlgorithm,
      .rejected(.authenticationFailure), .rejected(.authorizationFailure):
      .authentication
    case .rejected(let status): status.statusClass == 1 || status.statusClass == 3 ? .login : .fatalLogin
    case .targetNotAuthenticated, .algorithmsRejected, .digestRefused, .malformedText, .violation, .redirectToNowhere,
      .redirectLoop,
      .tooManyRedirects:
      .fatalLogin
    case .timedOut: .pduTimeout
    case .connectionClosed: .transport
    }
  }

  /// Whether the same login may work later without anybody changing a setting.
  public var isTransient: Bool {
    switch self {
    case .rejected(let status): status.statusClass == 1 || status.statusClass == 3
    case .timedOut, .connectionClosed: true
    default: false
    }
  }
}
