// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

/// What was answered to the discovery of a record.
struct DiscoveryAnswer: Sendable {
  /// What was found, an entry for each interface over which there was an answer.
  var found: [FoundTargets] = []
  /// The interfaces over which all that was answered could be understood.
  var wholeOver: Set<InterfaceName> = []
  /// Why there is no answer over other interfaces.
  var failures: [any DiagnosableError] = []

  /// Asks over each interface, one after the other.
  ///
  /// - Parameters:
  ///   - record: Whom to ask, and how.
  ///   - interfaces: Over what the nodes are to be logged in to. An iSNS server is asked over any, but in the name of each.
  ///   - machine: Our name, where an interface has none of its own.
  ///   - alias: What a target's administrator is shown beside it.
  ///   - sysfs: Where to look a MAC address up.
  init(
    to record: DiscoveryRecord, over interfaces: [InterfaceRecord], as machine: InitiatorName, alias: String?,
    sysfs: FilePath
  ) async {
    for interface in interfaces {
      do {
        let name = if let own = interface.initiatorName { try InitiatorName(own) } else { machine }
        let (targets, isWhole) =
          switch record.kind {
          case .sendTargets: try await Self.askTarget(record, over: interface, as: name, alias, sysfs)
          case .isns: try await Self.askServer(record, as: name)
          }
        found.append(FoundTargets(over: interface, targets))
        if isWhole { wholeOver.insert(interface.name) }
      } catch let error as any DiagnosableError {
        failures.append(error)
      } catch {
        failures.append(OperationError(.discovery(record.portal), .cancelled))
      }
    }
  }

  private static func askTarget(
    _ record: DiscoveryRecord, over interface: InterfaceRecord, as name: InitiatorName, _ alias: String?,
    _ sysfs: FilePath
  ) async throws -> ([DiscoveredTarget], Bool) {
    var discovery = SendTargetsDiscovery(initiator: name)
    discovery.alias = alias
    discovery.authentication = record.authentication.authentication
    discovery.timeout = record.loginTimeout + record.activeTimeout
    discovery.loginTimeout = record.loginTimeout
    discovery.sysfs = sysfs
    let response = try await discovery.run(at: record.portal, over: interface)
    return (response.targets, response.isWhole)
  }

  private static func askServer(
    _ record: DiscoveryRecord, as name: InitiatorName
  ) async throws -> ([DiscoveredTarget], Bool) {
    let answer = try await ISNSDiscovery(initiator: name).run(at: record.portal)
    return (answer.targets, answer.refusedCount == 0)
  }
}

extension SendTargetsResponse {
  /// Whether all that was answered could be understood. A portal of all addresses is understood, and is none.
  var isWhole: Bool {
    let isRefused = refused.contains { $0.reason != .unspecifiedAddress }
    return !isRefused && refusedCount == refused.count && targets.allSatisfy { !$0.portals.isEmpty }
  }
}
