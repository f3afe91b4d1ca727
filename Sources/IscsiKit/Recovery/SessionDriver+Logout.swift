// SPDX-License-Identifier: Apache-2.0

extension SessionDriver {
  /// Who waits for a logout, and by what number the session was known when it was asked for: a login that is broken off takes
  /// its number back.
  struct LogoutWaiter {
    let answer: OneShot<Result<LogoutReport, OperationError>>
    let session: SessionID?
  }

  /// Logs out, and returns when the session is gone; many may ask. A cancellation ends the wait, and not the logout: who
  /// asks again and again for one that takes long must not leave ever more behind.
  func logOut(timeout: Duration) async -> Result<LogoutReport, OperationError> {
    // Who joins a logout takes it as it is.
    if machine.ending == nil { logoutTimeout = timeout }
    let (answer, session) = (OneShot<Result<LogoutReport, OperationError>>(), session)
    let operation = logoutOperation(of: session)
    logoutWaiters.append(LogoutWaiter(answer: answer, session: session))
    defer { logoutWaiters.removeAll { $0.answer === answer } }
    if isFinished { answerLogouts() } else { handle(.logOut) }
    return await withTaskCancellationHandler {
      await answer.value
    } onCancel: {
      answer.resolve(.failure(OperationError(operation, .cancelled)))
    }
  }

  /// Answers those who wait, for the session is gone, or was let go of.
  func answerLogouts() {
    answerLogouts { session in
      guard let problems, let session else {
        return .failure(OperationError(self.logoutOperation(of: session), abandonment ?? .noSession))
      }
      let report = LogoutReport(
        session: session, target: identity.target, portal: identity.portal, problems: problems)
      return .success(report)
    }
  }

  /// Answers each who waits by the number that it knows.
  func answerLogouts(_ result: (SessionID?) -> Result<LogoutReport, OperationError>) {
    for waiter in logoutWaiters { waiter.answer.resolve(result(session ?? waiter.session)) }
    logoutWaiters = []
  }

  func logoutOperation(of session: SessionID?) -> OperationError.Operation {
    .logout(session ?? SessionID(rawValue: 0), target: identity.target)
  }
}
