// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Synchronization

/// Tells on standard error how logins get on, once they take longer than a second.
final class LoginProgress: Sendable {
  private struct State {
    var steps: [LoginStep?]
    var begun = 0
    var ticker: Task<Void, Never>?
  }

  private let requests: [LoginRequest]
  private let start = ContinuousClock.now
  private let state: Mutex<State>

  /// Starts to watch.
  init(_ requests: [LoginRequest], isShown: Bool) {
    self.requests = requests
    state = Mutex(State(steps: Array(repeating: nil, count: requests.count)))
    guard isShown else { return }
    // After 1, 2, 4, ... seconds: often enough to see that it lives, seldom enough to read.
    let ticker = Task { [weak self] in
      var elapsed = 1
      while let start = self?.start, (try? await Reactor.shared.sleep(until: start + .seconds(elapsed))) != nil {
        self?.tell(after: elapsed)
        elapsed *= 2
      }
    }
    state.withLock { $0.ticker = ticker }
  }

  /// A login has come to a step.
  func note(_ index: Int, _ step: LoginStep) {
    state.withLock { state in
      guard state.steps.indices.contains(index) else { return }
      if state.steps[index] == nil { state.begun += 1 }
      state.steps[index] = step
    }
  }

  /// All logins have ended.
  func end() { state.withLock { $0.ticker?.cancel() } }

  private func tell(after seconds: Int) {
    let (steps, begun) = state.withLock { ($0.steps, $0.begun) }
    if requests.count == 1, let request = requests.first {
      let step = (steps.first ?? nil)?.rawValue ?? "waiting"
      StandardError.write(
        "iscsi-admin: login to \(request.target) at \(request.portal.address): \(step) (\(seconds) s)\n")
    } else {
      StandardError.write("iscsi-admin: \(begun) of \(requests.count) logins begun (\(seconds) s)\n")
    }
  }
}
