// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Synchronization

/// What is known of the logins of a call while they run, and what to say of it: without a clock and without output.
struct LoginTally: Sendable {
  private let names: [String]
  private var steps: [LoginStep?]
  /// When the next line is due, from the start on: after 1, 2, 4, ... seconds, which is often enough to see that it
  /// lives and seldom enough to read.
  private(set) var due: Duration = .seconds(1)

  /// A tally of logins that have not begun.
  ///
  /// - Parameter names: What each login is called: `login to iqn... at 10.0.0.1:3260`.
  init(_ names: [String]) {
    self.names = names
    steps = Array(repeating: nil, count: names.count)
  }

  /// A login has come to a step.
  mutating func note(_ index: Int, _ step: LoginStep) {
    if steps.indices.contains(index) { steps[index] = step }
  }

  /// The line that is due when this much time has passed; nil if none is.
  mutating func line(after elapsed: Duration) -> String? {
    guard elapsed >= due else { return nil }
    while due <= elapsed { due *= 2 }
    // Where all have ended their results are what is told next.
    return steps.allSatisfy { $0 == .end } ? nil : "\(text) (\(elapsed.components.seconds) s)"
  }

  private var text: String {
    if names.count == 1 { return "\(names[0]): \((steps[0] ?? .connect).rawValue)" }
    let ended = steps.count { $0 == .end }
    let waiting = steps.count { $0 == nil }
    var parts = ["\(ended) of \(names.count) logins ended"]
    let underWay = steps.indices.filter { steps[$0] != nil && steps[$0] != .end }
    if underWay.count == 1, let last = underWay.first, let step = steps[last] {
      // The one that holds up the others is worth its name.
      parts.append("\(names[last]): \(step.rawValue)")
    } else {
      for step in LoginStep.allCases where step != .end {
        let count = steps.count { $0 == step }
        if count > 0 { parts.append("\(count) \(step.rawValue)") }
      }
    }
    if waiting > 0 { parts.append("\(waiting) to begin") }
    return parts.joined(separator: ", ")
  }
}

/// Tells on standard error how logins get on, once they take longer than a second.
final class LoginProgress: Sendable {
  private let start = ContinuousClock.now
  private let tally: Mutex<LoginTally>
  private let ticker = Mutex<Task<Void, Never>?>(nil)

  /// Starts to watch.
  init(_ logins: [LoginDescription], isShown: Bool) {
    tally = Mutex(
      LoginTally(
        logins.map { login in
          let place = (try? Portal(login.portal))?.address ?? login.portal
          return "login to \(login.target) at \(place)"
        }))
    guard isShown else { return }
    let task = Task { [weak self] in
      while let next = self?.next, (try? await Reactor.shared.sleep(until: next)) != nil { self?.tell() }
    }
    ticker.withLock { $0 = task }
  }

  /// A login has come to a step.
  func note(_ index: Int, _ step: LoginStep) {
    tally.withLock { $0.note(index, step) }
  }

  /// All logins have ended.
  func end() { ticker.withLock { $0?.cancel() } }

  private var next: ContinuousClock.Instant { start + tally.withLock { $0.due } }

  private func tell() {
    let elapsed = start.duration(to: .now)
    if let line = tally.withLock({ $0.line(after: elapsed) }) { StandardError.tell(line) }
  }
}
