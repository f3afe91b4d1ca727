// SPDX-License-Identifier: Apache-2.0

extension BootRule {
  /// What is wrong with the CHAP settings of the logins: what a login refuses or passes over, and what it takes and should not be. Other
  /// halves of credentials are among the problems of the plan.
  static func credentials(of plan: BootPlan) -> [Match] {
    var found: [Match] = []
    for login in plan.logins {
      let place = "\(login.record.target) (\(login.origin ?? login.source))"
      let told = login.record.authentication
      let matches =
        [fault(of: told, place)].compactMap(\.self)
        + told.warnings.filter(\.isAboutLength).map { warning in
          Match(
            .warning, warning.description, evidence: [place],
            remedy: .advice("set a longer secret, here and on the target"))
        }
      // One target may have several addresses.
      for match in matches where !found.contains(where: { ($0.what, $0.evidence) == (match.what, match.evidence) }) {
        found.append(match)
      }
    }
    return found
  }

  private static func fault(of told: RecordAuthentication, _ place: String) -> Match? {
    func problem(_ failure: LoginFailure) -> Match {
      Match(.problem, failure.description, evidence: [place], remedy: failure.advice.map(Finding.Remedy.advice))
    }
    let isMutual = told.targetName != nil || told.targetSecret != nil
    if isMutual, told.name == nil || told.secret == nil { return problem(.incompleteCredentials) }
    if told.targetName != nil, told.targetSecret == nil {
      return Match(
        .problem, "the target is to prove itself by CHAP, but there is no secret for that", evidence: [place],
        remedy: .advice("set the target's secret too (iscsi_in_password=), or remove its name"))
    }
    do throws(LoginFailure) {
      try told.authentication.validate()
      return nil
    } catch {
      return problem(error)
    }
  }
}

extension CHAPWarning {
  /// Whether it is about a secret that is short.
  fileprivate var isAboutLength: Bool {
    switch self {
    case .shortOutgoingSecret, .shortIncomingSecret: true
    case .nameless, .namelessTarget: false
    }
  }
}
