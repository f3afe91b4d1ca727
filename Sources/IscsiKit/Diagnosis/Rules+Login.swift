// SPDX-License-Identifier: Apache-2.0

// What a target that takes the connection has against the login.

extension DiagnosisRule {
  static let chapWrong = DiagnosisRule("chap-wrong", "the target does not accept our CHAP name or secret") { evidence in
    guard let failure = evidence.failure, failure.exitStatus == .authentication, failure.status != .authorizationFailure
    else {
      return nil
    }
    let name = evidence.session?.userName
    return Match(
      .problem, "authentication fails: \(failure.cause)",
      evidence: [
        evidence.failureText, evidence.probe == .accepted ? "\(evidence.portalText) takes connections" : nil,
        name.map { "our CHAP name is \($0)" } ?? "we have no CHAP name",
      ],
      // Not a logout: it is refused while the disk is in use, and what waits to be written would be lost.
      remedy: evidence.checkedTarget.map { target in
        .command(
          "iscsi-admin node set \(target) node.session.auth.username=NAME node.session.auth.password=@FILE",
          "stores what the target wants; a session whose disks nobody needs takes it with iscsi-admin logout and login, and one "
            + "that is used comes back, and loses nothing, when the target takes the old secret again")
      })
  }

  static let notAllowed = DiagnosisRule("not-allowed", "the target does not let this initiator in") { evidence in
    guard let failure = evidence.failure, failure.status == .authorizationFailure else { return nil }
    let name = evidence.session?.initiatorName
    return Match(
      .problem, "the target does not let this initiator in: \(failure.cause)",
      evidence: [evidence.failureText, name.map { "our name is \($0)" }],
      remedy: .advice("allow \(name ?? "our initiator name") in the target's access list"))
  }

  static let loginRefused = DiagnosisRule(
    "login-refused", "the portal takes connections, and the target refuses the login"
  ) { evidence in
    guard evidence.probe == .accepted, let failure = evidence.failure, failure.exitStatus != .authentication,
      failure.status != nil || [.login, .fatalLogin, .pduTimeout].contains(failure.exitStatus)
    else { return nil }
    let status = failure.status.map { " with status \($0)" } ?? ""
    let remedy: Finding.Remedy? =
      switch failure.status {
      case .notFound?, .targetRemoved?:
        evidence.portal.map {
          .command(
            "iscsi-admin discover \($0.address.shellWord) --save",
            "shows the targets that there are, and keeps them; then log in to the new one, and log out of this one")
        }
      default: .advice("look into the target's log; the daemon goes on trying")
      }
    return Match(
      .problem, "\(evidence.portalText) takes connections, but the login fails\(status): \(failure.cause)",
      evidence: ["a connection to \(evidence.portalText) was accepted just now", evidence.failureText], remedy: remedy)
  }

  static let noSession = DiagnosisRule("no-session", "there is a record, and no session") { evidence in
    guard evidence.session == nil, let portal = evidence.portal, let target = evidence.target else { return nil }
    let others = evidence.others.filter { $0.targetName == target }.map(\.id.description)
    return Match(
      // A path beside others, to which nobody logs in by itself, may be left out on purpose.
      others.isEmpty || evidence.isAutomatic ? .problem : .note,
      others.isEmpty
        ? "there is no session with \(target) at \(portal.address)\(evidence.interfaceText)"
        : "a path is missing: there is no session with \(target) at \(portal.address)\(evidence.interfaceText)",
      evidence: [
        "the kernel has no such session, and there is a record of it",
        others.isEmpty ? nil : "the target is reached by session \(others.joined(separator: ", "))",
      ],
      // By the record, which says how: with a portal it would be left out.
      remedy: evidence.checkedTarget.map { .command("iscsi-admin login \($0)") })
  }
}

extension InitiatorTypes.Attempt {
  /// The code of what failed; nil from a daemon that does not tell.
  var exitStatus: ExitStatus? { exitCode.flatMap { UInt8(exactly: $0) }.flatMap(ExitStatus.init) }
  /// The status that the target refused the login with.
  var status: LoginStatus? { loginStatus.flatMap { UInt16(exactly: $0) }.map(LoginStatus.init) }
}

extension Evidence {
  /// The target's name, if it is one: it is text of others, for a shell.
  var checkedTarget: TargetName? { target.flatMap { try? TargetName($0) } }
}
