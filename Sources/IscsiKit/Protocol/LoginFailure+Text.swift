// SPDX-License-Identifier: Apache-2.0

extension LoginFailure {
  /// The reason in words, fit to follow "login to ... failed: ".
  public var description: String {
    switch self {
    case .equalSecrets: "the CHAP secrets of both directions are equal"
    case .incompleteCredentials: "the target is to prove itself by CHAP, but there are no credentials of our own"
    case .noAlgorithms: "no CHAP algorithm is configured"
    case .badCHAPName: "a CHAP name must have at most 255 octets and no NUL"
    case .invalidParameter(let key, let value): "\(key) cannot be \(value.quotedForMessage)"
    case .rejected(let status): "\(status.reason) (\(status))"
    case .authenticationRequired(let status): "the target requires authentication" + (status.map { " (\($0))" } ?? "")
    case .nameless: "the target wants CHAP, and there is a secret but no name"
    case .authenticationRefused: "the target accepts no authentication method that we offer"
    case .noCommonAlgorithm(let offered):
      "the target accepts none of the CHAP algorithms \(offered.map(\.description).joined(separator: ", "))"
    case .algorithmsRejected(let offered):
      "the target ended CHAP with the algorithms \(offered.map(\.description).joined(separator: ", ")) (0200)"
    case .targetNotAuthenticated(let fault): fault.description
    case .digestRefused(let key): "the target refuses \(key)=CRC32C"
    case .malformedText(let error): "the target sent a malformed text: \(error)"
    case .violation(let violation): "protocol violation by the target: \(violation)"
    case .redirectToNowhere(let portal): "the target redirected the login to \(portal.address), which is nowhere"
    case .redirectLoop(let portal): "the redirects lead back to \(portal.address)"
    case .tooManyRedirects(let limit): "the target redirected the login more than \(limit) times"
    case .timedOut: "no Login Response in time"
    case .connectionClosed: "the target closed the connection"
    }
  }

  /// What to do about it.
  public var advice: String? {
    switch self {
    case .equalSecrets: "set a different secret for each direction, here and on the target"
    case .incompleteCredentials: "set our own CHAP name and secret too, or remove those of the target"
    case .noAlgorithms: "configure at least one of MD5, SHA1, SHA256, SHA3-256"
    case .authenticationRequired: "configure the CHAP name and secret that the target has for this initiator"
    case .nameless: "set the CHAP name too (node.session.auth.username of a record)"
    case .authenticationRefused: "check whether the target has CHAP turned on for this initiator"
    case .noCommonAlgorithm: "offer more algorithms (MD5 is the one that every target has)"
    case .algorithmsRejected: "offer MD5 only: not every target knows the other CHAP algorithms"
    case .targetNotAuthenticated(let fault): fault.advice
    case .digestRefused: "offer None behind CRC32C, or turn the digest on at the target"
    case .rejected(let status): status.advice
    case .redirectToNowhere, .redirectLoop, .tooManyRedirects: "check the redirects that are configured on the target"
    case .connectionClosed: "check the portal's address, the network and that the target listens"
    case .timedOut: "check the target; it accepted the connection but does not answer"
    case .badCHAPName, .invalidParameter, .malformedText, .violation: nil
    }
  }
}

extension LoginStatus {
  /// What the status says, in words (RFC 7143, section 11.13.5).
  public var reason: String {
    switch self {
    case .success: "success"
    case .movedTemporarily: "the target moved for now"
    case .movedPermanently: "the target moved for good"
    case .initiatorError: "the target sees an error of the initiator"
    case .authenticationFailure: "CHAP secret or name rejected"
    case .authorizationFailure: "this initiator is not allowed to use the target"
    case .notFound: "no such target at this portal"
    case .targetRemoved: "the target was removed"
    case .unsupportedVersion: "no protocol version in common"
    case .tooManyConnections: "too many connections on this session"
    case .missingParameter: "the target misses a parameter"
    case .cannotIncludeInSession: "the connection cannot be part of the session"
    case .sessionTypeNotSupported: "the target does not support this type of session"
    case .sessionDoesNotExist: "no such session at the target"
    case .invalidDuringLogin: "a request did not fit the login"
    case .targetError: "the target failed"
    case .serviceUnavailable: "the target's service is not available at the moment"
    case .outOfResources: "target has no room for another session"
    default:
      switch statusClass {
      case 1: "unknown redirection by the target"
      case 2: "unknown error of the initiator"
      case 3: "unknown error of the target"
      default: "unknown status"
      }
    }
  }

  /// What to do about the status.
  fileprivate var advice: String? {
    switch self {
    case .authenticationFailure: "check the CHAP name and secret against those that the target has for this initiator"
    case .authorizationFailure: "add this initiator's name to the access list of the target"
    case .notFound, .targetRemoved: "run discovery again and check the target's name and portal"
    case .tooManyConnections, .outOfResources: "log out of sessions that are not needed, or raise the target's limit"
    case .targetError, .serviceUnavailable: "try again later, and look at the target's log"
    default: nil
    }
  }
}

extension TargetAuthenticationFault: CustomStringConvertible {
  /// The fault in words.
  public var description: String {
    switch self {
    case .declined: "the target refuses to prove itself by CHAP"
    case .noResponse: "the target did not prove itself by CHAP"
    case .wrongResponse: "the target's CHAP response is wrong"
    case .wrongName: "the target has another CHAP name than the one configured"
    case .reflected: "the target sent our own CHAP challenge or response back"
    }
  }

  /// What to do about it.
  fileprivate var advice: String {
    switch self {
    case .declined, .noResponse: "configure mutual CHAP on the target, or remove the target's credentials here"
    case .wrongResponse: "check the secret of the target's direction on both sides"
    case .wrongName: "set the incoming CHAP name to the one that the target sends"
    case .reflected: "check who answers at the target's address: it does not know the secret"
    }
  }
}

extension LoginViolation: CustomStringConvertible {
  /// The violation in words.
  public var description: String {
    switch self {
    case .unexpectedResponse: "a Login Response that no request asked for"
    case .wrongTaskTag: "a Login Response with another Initiator Task Tag"
    case .wrongISID: "a Login Response with another ISID"
    case .wrongVersion(let version): "version \(version) is active, which was not offered"
    case .wrongStatSN(let expected, let received): "StatSN is \(received) where \(expected) is due"
    case .wrongStage(let stage): "a response of the \(stage) stage, which is not the current one"
    case .wrongNextStage(let stage): "a transit to the \(stage) stage, which was not asked for"
    case .uninvitedTransit: "a transit (T) that was not asked for"
    case .transitWithContinuation: "a response with both T and C"
    case .interruptedText: "an answer before the request's text was complete"
    case .tooManyResponses(let limit): "no end of the login after \(limit) responses"
    case .tooManyKeys(let limit): "more than \(limit) keys"
    case .keyTwice(let key): "the key \(key) came twice"
    case .keyOutOfOrder(let key): "the key \(key) is not due in this step"
    case .keyOutsideItsStage(let key): "the key \(key) does not belong to this stage"
    case .keyMissing(let key): "the key \(key) is missing"
    case .keyOfInitiator(let key): "the key \(key) is for initiators only"
    case .answerWithoutOffer(let key): "a value for the key \(key), which was not offered"
    case .answerNotOffered(let key, let value): "\(key)=\(value.quotedForMessage) is not among what was offered"
    case .badCHAPValue(let key): "the value of \(key) has a wrong form or length"
    case .zeroTSIH: "the new session has TSIH 0"
    case .wrongTSIH(let tsih): "TSIH \(tsih) is not that of the session"
    case .badRedirect: "a redirect without a TargetAddress that is a portal"
    }
  }
}

extension LoginStage: CustomStringConvertible {
  /// The stage in words.
  public var description: String {
    switch self {
    case .security: "security negotiation"
    case .operational: "operational negotiation"
    case .fullFeature: "full feature"
    }
  }
}
