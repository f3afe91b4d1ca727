// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// The steps of a call's logins that its client is still to be told of.
final class LoginNews: Sendable {
  /// So many are told one by one. Of more, only the last of each login is: to tell hundreds of logins of each of their steps
  /// costs more than to make them.
  static let most = 16

  private let steps = Mutex<[InitiatorTypes.LoginProgress]>([])

  /// A login, by its place in the call, has come to a step.
  func note(_ index: Int, _ step: LoginStep) {
    steps.withLock { $0.append(InitiatorTypes.LoginProgress(index: index, step: step.rawValue)) }
  }

  /// What there is to tell now, oldest first.
  func take() -> [InitiatorTypes.LoginProgress] {
    let steps = takeAll()
    guard steps.count > Self.most else { return steps }
    var told: Set<Int> = []
    return steps.reversed().filter { told.insert($0.index).inserted }.reversed()
  }

  /// What there is to tell before the results, which say the rest where it is much.
  func takeLast() -> [InitiatorTypes.LoginProgress] {
    let steps = takeAll()
    return steps.count > Self.most ? [] : steps
  }

  private func takeAll() -> [InitiatorTypes.LoginProgress] {
    steps.withLock { steps in
      defer { steps = [] }
      return steps
    }
  }
}
