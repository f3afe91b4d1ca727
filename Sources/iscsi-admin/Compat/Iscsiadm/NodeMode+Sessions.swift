// SPDX-License-Identifier: Apache-2.0
import IscsiKit

extension NodeMode {
  // MARK: - Logging in

  /// Logs in to the nodes of records, as many sessions each as are wanted.
  func logIn(_ records: [NodeRecord]) throws(IscsiadmError) -> ExitStatus {
    let plans = NodeLoginPlan.plans(for: records, beside: try presentSessions().counts(of: records))
    var status: ExitStatus?
    for plan in plans where plan.logins.isEmpty {
      let wanted = plan.record.sessionCount
      console.warn(
        "\(plan.record.interface.name): \(wanted) session\(wanted == 1 ? "" : "s") requested, but \(plan.present) "
          + "already present.")
      status = status ?? .sessionExists
    }
    let failed = perform(plans.flatMap(\.logins))
    if let status = status ?? failed { throw IscsiadmError(status, "Could not log into all portals") }
    return .success
  }

  /// One more session of a session's record; of each, where several stand for it, by their tags or as one in the older form does.
  func addSession(_ session: SessionSnapshot) throws(IscsiadmError) -> ExitStatus {
    let records = try records(NodeSelection(session: session)).map(\.record)
    let present = try presentSessions()
    let there = records.first.map(present.count) ?? 0
    if let status = perform(records.map { NodeLogin(record: $0, sessionCount: there + records.count) }) {
      throw IscsiadmError(status, "Could not log into all portals")
    }
    return .success
  }

  private func presentSessions() throws(IscsiadmError) -> PresentSessions { PresentSessions(try machine.sessions()) }

  /// Asks the daemon for all logins at once and tells how each went.
  ///
  /// - Returns: The code of the first that failed; nil if none did.
  private func perform(_ logins: [NodeLogin]) -> ExitStatus? {
    guard !logins.isEmpty else { return nil }
    let waits = !options.flags.contains(.noWait)
    for login in logins { console.say("Logging in to \(NodeText.label(login))\n") }
    var statuses = [ExitStatus?](repeating: nil, count: logins.count)
    var (indices, descriptions): ([Int], [LoginDescription]) = ([], [])
    for (index, login) in logins.enumerated() {
      do throws(LoginDescriptionError) {
        let description = try login.description
        // Here, where what is wrong with one is no matter of the others.
        try description.check()
        descriptions.append(description)
        indices.append(index)
      } catch {
        statuses[index] = refuse(login.record.interface, error, waits: waits)
      }
    }
    for (index, status) in zip(indices, ask(for: descriptions, waits: waits)) { statuses[index] = status }
    for (login, status) in zip(logins, statuses) { tell(login, status, waits: waits) }
    return statuses.compactMap(\.self).first { $0 != .success }
  }

  /// The code of a login that is not asked for. One that cannot be bound is tried by open-iscsi until its time has run out, without a
  /// word here.
  private func refuse(_ interface: InterfaceRecord, _ error: LoginDescriptionError, waits: Bool) -> ExitStatus {
    if interface.transport != "tcp" { return .driverNotFound }
    guard (try? interface.binding()) == nil else {
      console.warn(error.description)
      return error.exitStatus
    }
    return waits ? .transportTimeout : .success
  }

  private func ask(for logins: [LoginDescription], waits: Bool) -> [ExitStatus] {
    guard !logins.isEmpty else { return [] }
    var input = InitiatorTypes.LoginInput(logins: logins)
    input.wait = waits
    let call = input
    switch machine.base.ask({ (daemon) async throws(InitiatorError) in try await daemon.login(call) }) {
    case .success(let results):
      return logins.indices.map { index in
        guard index < results.count else { return waits ? .internal : .success }
        let status = results[index].failure?.exitStatus ?? .success
        // Who does not wait has asked for a session, and there is one or will be.
        if !waits, status == .sessionExists { return .success }
        // A portal that cannot be reached is tried for as long as a login may take, and so is a device that is not there: that
        // time has run out.
        let isUnbound = status == .invalidArgument && logins[index].interface?.isBound == true
        return status == .transport || isUnbound ? .transportTimeout : status
      }
    case .failure(let error):
      return logins.map { _ in error.exitStatus }
    }
  }

  private func tell(_ login: NodeLogin, _ status: ExitStatus?, waits: Bool) {
    let label = NodeText.label(login.record)
    switch status {
    case .success, nil:
      if waits { console.say("Login to \(label) successful.\n") }
    case .some(let status):
      if status == .daemonNotConnected { machine.base.warnOfNoDaemon(console) }
      console.warn("Could not login to \(label).")
      console.warn(ofReported: status)
    }
  }

  /// Logs in to all nodes with a startup (`-L`).
  func logInAll(_ word: String) throws(IscsiadmError) -> ExitStatus {
    guard word == "all" || NodeRecord.Startup(rawValue: word) != nil else {
      throw IscsiadmError.usage("Invalid loginall option \(word).")
    }
    let records = try records(NodeSelection()).map(\.record).filter { $0.starts(word) }
    guard !records.isEmpty else { throw Self.noRecords }
    var first: IscsiadmError?
    do throws(IscsiadmError) { _ = try logIn(records.filter { !$0.leadingLogin }) } catch { first = error }
    do throws(IscsiadmError) { try logInLeading(records.filter(\.leadingLogin)) } catch { first = first ?? error }
    if let first { throw first }
    return .success
  }

  /// Logs in to one portal of each target over each interface, the first that works; a target that has a session already
  /// is left alone.
  private func logInLeading(_ records: [NodeRecord]) throws(IscsiadmError) {
    let connected = Set(try machine.sessions().compactMap(\.targetName))
    var done: Set<[String]> = []
    var failed: Set<[String]> = []
    for record in records where !connected.contains(record.target.description) {
      let place = [record.interface.name.description, record.target.description]
      guard !done.contains(place) else { continue }
      if perform([NodeLogin(record: record, sessionCount: Int(record.sessionCount))]) == nil {
        done.insert(place)
      } else {
        failed.insert(place)
      }
    }
    if !failed.isSubset(of: done) {
      throw IscsiadmError(.fatalLogin, "Could not login all leading-login portals")
    }
  }

  // MARK: - Of sessions

  /// Logs out of the sessions of a selection. Without a target it is all that there are, of whatever portal.
  func logOut(_ selection: NodeSelection) throws(IscsiadmError) -> ExitStatus {
    try perform(.logout, selection, isOfAll: selection.nodes.target == nil)
  }
  func rescan(_ selection: NodeSelection) throws(IscsiadmError) -> ExitStatus { try perform(.rescan, selection) }
  func showStatistics(_ selection: NodeSelection) throws(IscsiadmError) -> ExitStatus {
    try perform(.statistics, selection)
  }

  private func perform(
    _ action: SessionAction, _ selection: NodeSelection, isOfAll: Bool = false
  ) throws(IscsiadmError) -> ExitStatus {
    let sessions = try machine.sessions().filter { $0.isListed && selection.includes($0) }
    return try SessionActions(machine: machine.base, console: console)
      .perform(action, on: sessions, isOfAll: isOfAll)
  }

  /// Logs out of all sessions whose record has a startup (`-U`). Those that the machine has booted from stay, and so do
  /// those without a record.
  func logOutAll(_ word: String) throws(IscsiadmError) -> ExitStatus {
    guard word == "all" || word == "manual" || word == "automatic" else {
      throw IscsiadmError.usage("Invalid logoutall option \(word).")
    }
    let listing = try machine.reading { () throws(DatabaseError) in try machine.database.nodes() }
    console.warn(of: listing.problems)
    let keys = Set(
      listing.records.map(\.record).filter {
        $0.starts(word) && !$0.starts("onboot") && $0.discoveryKind != .firmware
      }.map(SessionKey.init))
    let sessions = try machine.sessions().filter { $0.isListed && keys.contains(SessionKey($0)) }
    return try SessionActions(machine: machine.base, console: console).perform(.logout, on: sessions, isOfAll: true)
  }
}

extension NodeRecord {
  /// Whether `-L` and `-U` mean the record by a word. The older place of the startup counts as well: it is `manual` in
  /// nearly all records.
  fileprivate func starts(_ word: String) -> Bool {
    word == "all" || startup.rawValue == word || connectionStartup.rawValue == word
  }
}

extension IscsiadmError {
  /// An option's argument is none, told with how to get help.
  static func usage(_ line: String) -> IscsiadmError {
    IscsiadmError(.invalidArgument, line, tail: IscsiadmOptions.tryHelp)
  }
}
