// SPDX-License-Identifier: Apache-2.0

extension SessionDriver {
  /// Who waits for what becomes of a session that others drive.
  struct Waiter {
    let answer: OneShot<Bool>
    /// Whether the first login is waited for, and not only the end.
    let forLogin: Bool
  }

  /// How a first login that others have asked for has ended.
  enum LoginEnd: Sendable {
    /// There is a session, or it was none of ours after all.
    case settled
    /// There is none: what was asked for, and why it failed.
    case failed(LoginRequest?, OperationError.Cause)
  }

  /// Waits until the session is gone; false if it is not by the deadline, or when the task is cancelled.
  func waitForEnd(until deadline: ContinuousClock.Instant) async -> Bool {
    if isFinished { return true }
    return await wait(forLogin: false, until: deadline)
  }

  /// Waits until the first login has come to its end, which is when whoever asked for it is told; nil when the task is cancelled.
  func waitForLogin() async -> LoginEnd? {
    if !isFinished, !hasSession {
      guard await wait(forLogin: true, until: nil) else { return nil }
    }
    return isFinished && abandonment == nil ? .failed(identity.request, loginFailure ?? .cancelled) : .settled
  }

  /// Tells those who wait how far the session has come.
  func answerWaiters() {
    guard isFinished || hasSession else { return }
    for waiter in waiters where isFinished || waiter.forLogin { waiter.answer.resolve(true) }
  }

  /// Whether the session was logged in to, whatever has become of it since, and nobody waits for its first scan any more.
  private var hasSession: Bool {
    switch machine.phase {
    case .new, .loggingIn, .waitingToLogIn: false
    default: loginWaiter == nil
    }
  }

  private func wait(forLogin: Bool, until deadline: ContinuousClock.Instant?) async -> Bool {
    let answer = OneShot<Bool>()
    waiters.append(Waiter(answer: answer, forLogin: forLogin))
    let timer = deadline.map { Reactor.shared.schedule(at: $0) { answer.resolve(false) } }
    defer {
      timer?.cancel()
      waiters.removeAll { $0.answer === answer }
    }
    return await withTaskCancellationHandler {
      await answer.value
    } onCancel: {
      answer.resolve(false)
    }
  }
}
