// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Synchronization
import SystemPackage

/// What `boot connect` does: the network, and then all logins.
struct BootConnection: Sendable {
  /// For how long a target is waited for that a DHCP server is to name.
  private static let usualWindow = Duration.seconds(900)

  /// What the plan is made from.
  let input: BootPlan.Input
  /// Sets the network up; nil leaves it.
  let network: BootNetwork?
  /// Whether name servers are written down in any case.
  let writesNames: Bool
  /// Is told how it gets on, a line a time.
  let tell: @Sendable (String) -> Void
  /// Whether it is no failure that a DHCP server names a root file system of another kind.
  var isOptional = false
  /// Tells the system that is booted which network devices it has to leave alone; nil tells nothing.
  var handover: BootHandover?
  /// Where sysfs and the daemon's records are.
  var machine = BootInitiator.Machine()

  /// Does it.
  func run(_ plan: BootPlan) async -> BootConnectOutcome {
    var outcome = await connect(plan)
    outcome.units = units(of: outcome.disks)
    if let handover { await leaveNotes(by: handover, &outcome) }
    return outcome
  }

  private func connect(_ plan: BootPlan) async -> BootConnectOutcome {
    var outcome = BootConnectOutcome()
    guard let network else {
      await logIn(plan, &outcome)
      if outcome.awaitsRootPath { outcome.refusals.append(NoRootPath()) }
      return outcome
    }
    let windows = plan.logins.compactMap { try? $0.request().options.timeouts.loginRetryWindow }
    let window = windows.max() ?? input.parameters.loginSeconds.map { .seconds(Int64($0)) } ?? Self.usualWindow
    outcome.network = await BootNetworkRun.run(
      input, by: network, writesNames: writesNames, until: .now + window, tell: tell
    ) { plan in await logIn(plan, &outcome) }
    // Without a network nobody could have told it, and that is told already.
    if outcome.awaitsRootPath, outcome.network.failures.isEmpty { outcome.refusals.append(NoRootPath()) }
    return outcome
  }

  /// The units that the sessions with the targets of some disks show.
  private func units(of disks: [BootDisk]) -> [TargetName: Set<UInt64>] {
    // Where there is but one reading of a number, nobody has to look.
    let targets = disks.filter { $0.otherLUN != nil }.map(\.target)
    guard !targets.isEmpty, let sessions = try? machine.sysfs.sessions() else { return [:] }
    return Dictionary(
      uniqueKeysWithValues: Set(targets).map { target in
        let devices = sessions.filter { $0.targetName == target.description }.flatMap(\.devices)
        return (target, Set(devices.map(\.lun)))
      })
  }

  /// Notes the devices over which there are sessions.
  private func leaveNotes(by handover: BootHandover, _ outcome: inout BootConnectOutcome) async {
    let present = outcome.logins.filter(\.result.isThere).map(\.login)
    guard !present.isEmpty else { return }
    var names = outcome.network.reports.filter { !$0.targets.isEmpty }.map(\.device)
    for login in present {
      guard let address = login.record.portal.host.numeric else { continue }
      let device = try? await NetworkDevices().device(towards: address, until: .now + .seconds(5))
      if let device = login.record.interface.networkDevice ?? device ?? nil { names.append(device) }
    }
    // A target that has a name may be on any of them.
    if names.isEmpty { names = outcome.network.reports.map(\.device) }
    var servers: [IPAddress] = []
    for server in outcome.network.reports.flatMap(\.nameServers) where !servers.contains(server) {
      servers.append(server)
    }
    do throws(Errno) { try handover.leave(for: names.filter { $0 != "lo" }, nameServers: servers) } catch {
      outcome.network.warnings.append("what manages the network cannot be told to leave it alone: \(error)")
    }
  }

  private func logIn(_ plan: BootPlan, _ outcome: inout BootConnectOutcome) async {
    outcome.problems = plan.problems
    outcome.disks = plan.disks
    if isOptional, plan.hasOtherRootPath, plan.logins.isEmpty {
      outcome.isNotConfigured = true
      return
    }
    outcome.awaitsRootPath = plan.awaitsRootPath
    await logInToAll(plan, &outcome)
  }

  private func logInToAll(_ plan: BootPlan, _ outcome: inout BootConnectOutcome) async {
    let (requests, places) = Self.requests(plan, &outcome)
    guard !requests.isEmpty else { return }
    let start = ContinuousClock.now
    let windows = Dictionary(
      zip(requests.map { BootPlace($0) }, requests.map(\.options.timeouts.loginRetryWindow)), uniquingKeysWith: max)
    let initiator: BootInitiator
    do throws(KernelError) { initiator = try await BootInitiator(machine) } catch {
      outcome.refusals.append(error)
      return
    }
    var goal = BootGoal(plan.logins, isMultipath: plan.isMultipath)
    for index in plan.logins.indices where !places.contains(index) { goal.refuse(index) }
    var results: [Int: Result<LoginReport, OperationError>] = [:]
    let tell = tell
    await initiator.logIn(requests) { event in
      let window = windows[BootPlace(event)]
      if let line = bootProgress(event, left: window.map { $0 - start.duration(to: .now) }) { tell(line) }
    } ended: { index, result -> ContinuousClock.Instant? in
      results[places[index]] = result
      let wasOver = goal.isOver
      if result.isThere { goal.reach(places[index]) }
      return !wasOver && goal.isOver ? .now + BootGoal.patience : nil
    }
    outcome.isReached = goal.isReached
    outcome.logins = plan.logins.indices.compactMap { index in
      results[index].map {
        BootConnectOutcome.Login(login: plan.logins[index], result: $0, isMissed: goal.misses(index))
      }
    }
  }

  /// The requests of a plan, and which of its logins each is. One that nobody can make keeps no other from it.
  static func requests(
    _ plan: BootPlan, _ outcome: inout BootConnectOutcome
  ) -> (requests: [LoginRequest], places: [Int]) {
    var requests: [LoginRequest] = []
    var places: [Int] = []
    for (index, login) in plan.logins.enumerated() {
      do throws(LoginDescriptionError) {
        requests.append(try login.request())
        places.append(index)
      } catch {
        outcome.refusals.append(UnusableLogin(login: login, reason: error))
      }
    }
    return (requests, places)
  }
}

/// What tells the logins of a boot apart in what happens.
private struct BootPlace: Hashable {
  let target: String
  let portal: String

  init(_ request: LoginRequest) { (target, portal) = (request.target.description, request.portal.address) }
  init(_ event: SessionEvent) { (target, portal) = (event.target, event.portal.address) }
}

extension Result where Success == LoginReport, Failure == OperationError {
  /// Whether there is a session now.
  var isThere: Bool {
    switch self {
    case .success: true
    case .failure(let error): existing != nil || error.exitStatus == .sessionExists
    }
  }

  /// The session that was there before.
  var existing: SessionID? {
    if case .failure(let error) = self, case .sessionExists(let session) = error.cause { session } else { nil }
  }
}

/// A login that cannot be made.
struct UnusableLogin: DiagnosableError {
  let login: BootLogin
  let reason: LoginDescriptionError
  var description: String {
    "login to \(login.record.target) at \(login.record.portal.address) failed: \(reason.description)"
  }
  var exitStatus: IscsiKit.ExitStatus { reason.exitStatus }
}

/// The DHCP server was to tell the target, and has not.
struct NoRootPath: DiagnosableError {
  let description = "no DHCP server has told a target (root-path, option 17: iscsi:server:protocol:port:LUN:name)"
  let exitStatus = IscsiKit.ExitStatus.noObjectsFound
  let advice: String? =
    "set the root-path at the DHCP server, or name the target by netroot=iscsi:... or iscsi_target_name="
}

/// Nobody can be told which disk the boot is from.
struct BootDiskFailure: DiagnosableError {
  let path: FilePath
  let reason: Errno
  var description: String { "writing \(path) failed: \(reason)" }
  var exitStatus: IscsiKit.ExitStatus {
    [.permissionDenied, .notPermitted, .readOnlyFileSystem].contains(reason) ? .access : .failure
  }
}

/// How `boot connect` ended.
struct BootConnectOutcome: Sendable {
  /// How a login ended.
  struct Login: Sendable {
    let login: BootLogin
    let result: Result<LoginReport, OperationError>
    /// Whether the boot lacks its target.
    let isMissed: Bool
  }

  var network = BootNetworkOutcome()
  var problems: [BootProblem] = []
  /// The disk that the system is on, by each target that is a way to it.
  var disks: [BootDisk] = []
  /// The units that their targets show, where that is of importance.
  var units: [TargetName: Set<UInt64>] = [:]
  var logins: [Login] = []
  /// Whether each target that is needed has a session.
  var isReached = false
  /// Whether a DHCP server was to name a target, and has not.
  var awaitsRootPath = false
  /// Whether it turned out that nothing asks for a boot from iSCSI.
  var isNotConfigured = false
  /// What could not even be tried.
  var refusals: [any DiagnosableError] = []

  /// Writes the ends of the disk's names, one a line, if there is a disk.
  func writeDisks(to path: FilePath) throws(BootDiskFailure) {
    guard !disks.isEmpty else { return }
    let suffixes = disks.flatMap { $0.pathSuffixes(amongUnits: units[$0.target] ?? []) }
    let text = suffixes.map { $0 + "\n" }.joined()
    do throws(Errno) { try AtomicFile.write(Array(text.utf8), to: path) } catch {
      throw BootDiskFailure(path: path, reason: error)
    }
  }

  /// What the command prints.
  func show(in output: inout CommandOutput, _ report: ReportOptions) throws {
    if !isNotConfigured { for problem in problems { output.warn(problem.description) } }
    for warning in network.warnings { output.warn(warning) }
    for login in logins {
      guard case .failure(let error) = login.result, !login.result.isThere else { continue }
      if login.isMissed {
        output.fail(error)
      } else {
        output.warn(
          error.cause == .cancelled
            ? "\(error.operation) was given up: the boot can go on without it" : error.description)
      }
    }
    for refusal in refusals {
      if isReached { output.warn(refusal.description) } else { output.fail(refusal) }
    }
    // They were told as they happened; with the targets there, no more is to be said of them.
    if !isReached, !isNotConfigured {
      for failure in network.failures { output.fail(failure, isSilent: !report.quiet) }
    }
    if report.json {
      try output.show(BootConnectDocument(network, logins))
    } else if !report.quiet {
      output.text = logins.compactMap { bootLine($0).map { $0 + "\n" } }.joined()
    }
  }
}
