// SPDX-License-Identifier: Apache-2.0

/// What the manager finds out about network, target and kernel.
extension SessionDriver {
  /// The network has something that it did not have.
  func networkRestored() { handle(.networkRestored(connecting?.progress ?? .notBegun)) }

  /// Looks whether a session that is believed to be up is.
  func lookForLoss() {
    if machine.isUp { handle(.observed(observe())) }
  }

  /// What the session's connection is bound to, and our own address in it as far as that is known without a look.
  var ownEnd: (binding: InterfaceBinding, address: IPAddress?) {
    (identity.request?.options.binding ?? .automatic, machine.isUp ? lastLocalAddress : nil)
  }

  /// What the network shows on the way to the portal.
  func networkFound(_ finding: NetworkFinding?) { handle(.networkFound(finding)) }

  /// Takes what is known of the target's silence.
  func silenceFound(_ finding: SilenceWatch.News) {
    switch finding {
    case .silent where areNOPsIdle: break
    case .silent(let since): handle(.silenceFound(since: since))
    case .answered: handle(.silenceFound(since: nil))
    case .unknown: handle(.silenceUnknown)
    }
  }
}
