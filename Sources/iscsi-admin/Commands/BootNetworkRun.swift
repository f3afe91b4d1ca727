// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import SystemPackage

/// Sets the links of a plan up, all at the same time, and makes their routes as they come, so that no link that waits holds up
/// a login that does not need it.
struct BootNetworkRun: Sendable {
  /// How a link has ended; nil is that the time is up for which the others are waited for.
  typealias Ended = (index: Int, result: Result<BootLinkReport, BootNetworkError>)?

  /// How long the other links are waited for when each target that is needed can be reached.
  static let patience = Duration.seconds(10)
  /// How long they are waited for when there is a login at all.
  static let longPatience = Duration.seconds(60)

  /// What the plan is made from.
  let input: BootPlan.Input
  /// Sets the links up.
  let network: BootNetwork
  /// Whether name servers are written down in any case; else that is done if the machine knows no name server, and parameters
  /// name one, or a target has a name for an address.
  let writesNames: Bool
  /// The links.
  let links: [BootLink]
  /// The plan as it is by now.
  private(set) var plan: BootPlan
  private var reports: [Int: BootLinkReport] = [:]
  private var failures: [Int: BootNetworkError] = [:]
  private var routing = BootRouting()
  /// The routes that are made.
  private var made: [BootRoute] = []
  /// The routes that the kernel does not take as it is by now.
  private var refused: [String] = []
  private var warnings: [String] = []
  private let hasNames = NameServers.areThere()

  init(_ input: BootPlan.Input, by network: BootNetwork, writesNames: Bool) {
    (self.input, self.network, self.writesNames) = (input, network, writesNames)
    plan = BootPlan(input)
    links = plan.links
  }

  /// Whether all links have ended.
  var isComplete: Bool { reports.count + failures.count == links.count }

  /// Whether it is known by now what the network is for, be it not for us.
  private var hasPurpose: Bool { !plan.logins.isEmpty || plan.hasOtherRootPath }

  /// Whether each target that is needed can be reached over a link with a carrier, as far as that can be known.
  var isEnough: Bool {
    guard !plan.awaitsRootPath else { return false }
    let reached = Set(
      routing.targets.filter { reports[$0.key].map { $0.hasCarrier || $0.wasThere } ?? false }.flatMap(\.value))
    var goal = BootGoal(plan.logins, isMultipath: plan.isMultipath)
    for (index, login) in plan.logins.enumerated() {
      if let address = login.record.portal.host.numeric, reached.contains(address) { goal.reach(index) }
    }
    return goal.isReached && !plan.logins.isEmpty
  }

  /// Sets all up, and then, or as soon as the rest can wait, does what needs it; what is late is set up meanwhile.
  ///
  /// - Parameters:
  ///   - input: What the plan is made from.
  ///   - network: Sets the links up.
  ///   - writesNames: Whether name servers are written down in any case.
  ///   - deadline: Until when a server that does not answer is asked again; nil asks once, and then waits for all links.
  ///   - tell: Is told what is tried again.
  ///   - body: What needs the network.
  /// - Returns: What has become of the network.
  static func run(
    _ input: BootPlan.Input, by network: BootNetwork, writesNames: Bool, until deadline: ContinuousClock.Instant? = nil,
    tell: @escaping @Sendable (String) -> Void = { _ in }, body: (BootPlan) async -> Void = { _ in }
  ) async -> BootNetworkOutcome {
    let (stream, ends) = AsyncStream.makeStream(of: Ended.self)
    var run = BootNetworkRun(input, by: network, writesNames: writesNames)
    return await withTaskGroup(of: Void.self) { group in
      for (index, link) in run.links.enumerated() {
        group.addTask { ends.yield((index, await setUp(link, by: network, until: deadline, tell: tell))) }
      }
      func wait(for duration: Duration) {
        guard deadline != nil else { return }
        group.addTask {
          if (try? await Reactor.shared.sleep(until: .now + duration)) != nil { ends.yield(nil) }
        }
      }
      wait(for: longPatience)
      var isPatient = true
      var isLate = false
      var events = stream.makeAsyncIterator()
      while !run.isComplete, let event = await events.next() {
        if let (index, result) = event { await run.take(index, result) } else { isLate = true }
        if isLate, run.hasPurpose { break }
        if isPatient, run.isEnough {
          isPatient = false
          wait(for: patience)
        }
      }
      let early = run
      async let late = early.finish(stream)
      await body(run.plan)
      ends.finish()
      group.cancelAll()
      return await late.outcome
    }
  }

  /// Takes what comes until the end.
  private func finish(_ stream: AsyncStream<Ended>) async -> BootNetworkRun {
    var run = self
    run.routing.isFixed = true
    guard !run.isComplete else { return run }
    for await event in stream {
      if let (index, result) = event { await run.take(index, result) }
    }
    return run
  }

  /// Sets a link up; what somebody else has to answer is asked for again.
  private static func setUp(
    _ link: BootLink, by network: BootNetwork, until deadline: ContinuousClock.Instant?,
    tell: @escaping @Sendable (String) -> Void
  ) async -> Result<BootLinkReport, BootNetworkError> {
    while true {
      do throws(BootNetworkError) { return .success(try await network.setUp(link)) } catch {
        guard error.mayPass, let deadline, .now + .seconds(1) < deadline, !Task.isCancelled,
          (try? await Reactor.shared.sleep(until: .now + .seconds(1))) != nil
        else {
          let advice = error.advice.map { "; \($0)" } ?? ""
          if error != .cancelled { tell(BootLinkFailure(link: link, reason: error).description + advice) }
          return .failure(error)
        }
        tell("\(BootLinkFailure(link: link, reason: error).description); trying again")
      }
    }
  }

  /// Takes how a link has ended, and makes the routes that follow from it.
  private mutating func take(_ index: Int, _ result: Result<BootLinkReport, BootNetworkError>) async {
    switch result {
    case .success(let report): reports[index] = report
    case .failure(let error): failures[index] = error
    }
    guard !reports.isEmpty else { return }
    var told = input
    told.rootPaths = links.indices.compactMap { reports[$0]?.rootPath }
    let asked = BootPlan(told)
    plan = asked.settled(reports, isComplete: isComplete, after: routing)
    let needsNames = needsNames
    routing = await network.routing(
      of: asked, over: reports, after: routing, withDefaultRoute: needsNames, isComplete: isComplete)
    let changes = routing.changes(after: made)
    let rejected = await network.make(changes)
    made.removeAll { route in changes.contains { $0.hasDestination(of: route) } }
    made += changes.filter { route in !rejected.contains { $0.route == route } }
    routing.drop(rejected.map(\.route))
    refused = rejected.map { BootNetworkError.refused($0.route, $0.reason).description }
    for index in reports.keys { reports[index]?.targets = routing.targets[index] ?? [] }
    if writesNames || needsNames || (plan.wantsNames && !hasNames) { writeNames() }
  }

  /// Whether a target is to be reached by name, and the machine knows nobody who knows it: that takes a way to wherever it is, too.
  private var needsNames: Bool {
    let isFresh = reports.values.contains { !$0.wasThere && !$0.nameServers.isEmpty }
    return isFresh && plan.logins.contains { $0.record.portal.host.numeric == nil } && !hasNames
  }

  private mutating func writeNames() {
    var servers: [IPAddress] = []
    for server in outcome.reports.flatMap(\.nameServers) where !servers.contains(server) { servers.append(server) }
    do throws(Errno) { try NameServers.write(servers) } catch {
      let warning = "the name servers cannot be written to \(NameServers.file): \(error)"
      if !warnings.contains(warning) { warnings.append(warning) }
    }
  }

  /// What has become of the network by now.
  private var outcome: BootNetworkOutcome {
    var outcome = BootNetworkOutcome()
    for (index, link) in links.enumerated() {
      if let report = reports[index] {
        outcome.reports.append(report)
        outcome.warnings += report.warnings
        if !report.hasCarrier, !report.wasThere { outcome.warnings.append("\(report.device) has no carrier yet") }
      }
      if let error = failures[index] { outcome.failures.append(BootLinkFailure(link: link, reason: error)) }
    }
    outcome.warnings += routing.lost.map { "nothing tells the way to \($0): give a gateway in ip=, or a route" }
    outcome.warnings += refused + warnings
    return outcome
  }
}
