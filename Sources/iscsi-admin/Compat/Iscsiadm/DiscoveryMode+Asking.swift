// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import SystemPackage

extension DiscoveryMode {
  /// Asks for targets over each interface, takes them over into the records of nodes, shows them and logs in to them if
  /// that is wanted.
  func discover(
    _ record: DiscoveryRecord, over interfaces: [InterfaceRecord]
  ) throws(IscsiadmError) -> ExitStatus {
    var found: [(InterfaceRecord, [DiscoveredTarget])] = []
    for interface in interfaces {
      do throws(IscsiadmError) {
        let targets = record.kind == .isns ? try askISNS(record, as: interface) : try ask(record, over: interface)
        found.append((interface, targets))
      } catch {
        // A name that is not known is passed over, unless no interface is asked for.
        if error.status != .transport || (options.interfaces.isEmpty && interfaces == [.standard]) { throw error }
      }
    }
    // An answer without portals takes no record away: nobody is to be rid of all nodes by one fault of a target.
    guard found.contains(where: { $0.1.contains { !$0.portals.isEmpty } }) else { throw Self.nothingFound }
    let answers = found
    // What was not asked may be there still.
    let effects = found.count == interfaces.count ? effects : effects.subtracting(.remove)
    let nodes = try machine.mergingFound(effects, console) { (changes, isKept) throws(DatabaseError) in
      try changes.merge(answers, foundBy: record, machine.configuration, effects, unless: isKept)
    }
    switch max(options.printLevel ?? 0, 0) {
    case 0: console.say(nodes.map { NodeText.line($0, tag: .signed) }.joined())
    case 1: console.say(NodeText.tree(nodes))
    default: break
    }
    guard options.flags.contains(.login) else { return .success }
    do throws(IscsiadmError) {
      return try NodeMode(machine: machine, console: console, options: options).logIn(nodes)
    } catch {
      // Each login has told how it went, and open-iscsi sums up in other modes only.
      return error.status
    }
  }

  /// What a discovery changes: all, unless some of it is asked for. What updates records adds those that are not there.
  var effects: DiscoveryEffects {
    if options.operations.isEmpty { return [.add, .reset, .remove] }
    var effects: DiscoveryEffects = []
    if options.operations.contains(.new) { effects.insert(.add) }
    if options.operations.contains(.update) { effects.formUnion([.add, .reset]) }
    if options.operations.contains(.delete) { effects.insert(.remove) }
    return effects
  }

  /// Over which interfaces is asked: those that `-I` names, else all that users have made, else the default one.
  func interfaces() throws(IscsiadmError) -> [InterfaceRecord] {
    guard options.interfaces.isEmpty else {
      var interfaces: [InterfaceRecord] = []
      for name in options.interfaces {
        if let record = try machine.interface(named: name) {
          if record.transport == "tcp" {
            interfaces.append(record)
          } else {
            console.warn("Could not insert module \(record.transport). Kmod error -2")
            console.warn("Could not load transport \(record.transport).Dropping interface \(name).")
          }
        } else {
          console.warn(NodeText.noInterface(name, machine.database))
        }
      }
      if interfaces.isEmpty { throw IscsiadmError(.noObjectsFound) }
      return interfaces
    }
    let listing = try machine.reading { () throws(DatabaseError) in try machine.database.interfaces() }
    console.warn(of: listing.problems)
    let made = listing.records.map(\.record).filter { $0.transport == "tcp" }
    return made.isEmpty ? [.standard] : made
  }

  /// Asks once, and again as often as the record says while the failure is one that may pass.
  private func ask(
    _ record: DiscoveryRecord, over interface: InterfaceRecord
  ) throws(IscsiadmError) -> [DiscoveredTarget] {
    let discovery = try discovery(record, as: interface)
    for attempt in 0...record.reopenLimit {
      let result = runBlocking { () async -> Result<SendTargetsResponse, OperationError> in
        // A target that refuses connections may only be starting.
        if attempt > 0 { try? await Task.sleep(for: .seconds(1)) }
        do throws(OperationError) {
          return .success(try await discovery.run(at: record.portal, over: interface))
        } catch {
          return .failure(error)
        }
      }
      switch result {
      case .success(let response):
        for redirect in response.redirects where !redirect.to.isPermanent {
          // The address is the new one, and the port the one that was asked.
          console.warn(
            "discovery login temporarily redirected to \(redirect.to.portal.host) port \(redirect.from.port)")
        }
        for refusal in response.refused { console.warn("Discovery TargetName invalid: \(refusal.text)") }
        return response.targets
      case .failure(let error):
        let failure = DiscoveryFailure(error, host: record.host)
        failure.lines.forEach(console.warn)
        if !failure.mayPass { throw IscsiadmError(failure.status, Self.failure(failure.status)) }
      }
    }
    throw IscsiadmError(
      .pduTimeout, "connection login retries (reopen_max) \(record.reopenLimit) exceeded",
      Self.failure(.pduTimeout))
  }

  private func discovery(
    _ record: DiscoveryRecord, as interface: InterfaceRecord
  ) throws(IscsiadmError) -> SendTargetsDiscovery {
    do {
      let file = InitiatorNameFile().contents()
      let name = if let own = interface.initiatorName { try InitiatorName(own) } else { try file.name }
      var discovery = SendTargetsDiscovery(initiator: name)
      discovery.alias = file.alias
      discovery.authentication = record.authentication.authentication
      discovery.timeout = record.loginTimeout + record.activeTimeout
      discovery.loginTimeout = record.loginTimeout
      return discovery
    } catch {
      let status = (error as? any DiagnosableError)?.exitStatus ?? .invalidArgument
      throw IscsiadmError(status, "\(error)", Self.failure(status))
    }
  }

  private static var nothingFound: IscsiadmError { IscsiadmError(.noObjectsFound, "No portals found") }

  private static func failure(_ status: ExitStatus) -> String {
    "Could not perform SendTargets discovery: \(status.openISCSIText)"
  }
}
