// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// Why something that was asked of the daemon did not work.
public enum InitiatorError: DiagnosableError, Hashable {
  /// Talking to the daemon failed.
  case daemon(VarlinkError)
  /// The daemon could not do it.
  case failed(InitiatorTypes.Failure)
  /// Whether the call was never made or not taken, so that nothing can have come of it.
  var isBeforeCall: Bool {
    switch self {
    case .daemon(.notConnected), .daemon(.unsayable), .daemon(.busy): true
    case .daemon(.remote): true
    case .daemon, .failed: false
    }
  }

  private var underlying: any DiagnosableError {
    switch self {
    case .daemon(let error): error
    case .failed(let failure): failure
    }
  }

  /// The code of the reason.
  public var exitStatus: ExitStatus { underlying.exitStatus }
  /// The reason in words.
  public var description: String { underlying.description }
  /// What to do about it.
  public var advice: String? {
    switch self {
    case .daemon(.notConnected(_, .noSuchFileOrDirectory)), .daemon(.notConnected(_, .connectionRefused)):
      "start it: systemctl start iscsi-admin, or iscsi-admin daemon"
    default: underlying.advice
    }
  }
}

/// All that the daemon tells at one time.
public struct DaemonSurvey: Hashable, Sendable {
  /// The daemon.
  public var daemon: InitiatorTypes.Identity
  /// What it knows of the sessions that it supervises.
  public var recoveries: [SessionID: InitiatorTypes.Recovery]
  /// The counters of their connections.
  public var counters: [SessionID: [InitiatorTypes.Counter]] = [:]
}

/// The daemon, as its clients see it: logs in and out, tells what there is and what happens.
///
/// Each call has a connection of its own, so that calls run side by side. A cancelled call is broken off.
public struct Initiator: Sendable {
  /// Where the daemon listens.
  public static let standardSocket: FilePath = "/run/iscsi-admin/control.sock"

  let socket: FilePath
  /// By which name a service manager may start the daemon for whoever asks, see ``LegacyDaemonName``; nil is by none.
  private let wakeName: String?
  /// What starts the daemon when nobody has that name, for the shell.
  private let startCommand: String?
  /// What a daemon that is busy may take to answer a question that needs neither network nor target.
  private let patience: Duration

  /// The daemon that listens at a path.
  ///
  /// - Parameters:
  ///   - socket: The path.
  ///   - wakeName: The name by which a service manager starts it when nobody listens at the path; nil if none does.
  ///   - startCommand: What starts it when nobody has that name either, for the shell; nil is nothing.
  public init(socket: FilePath = Initiator.standardSocket, wakeName: String? = nil, startCommand: String? = nil) {
    self.init(socket: socket, wakeName: wakeName, startCommand: startCommand, patience: .seconds(60))
  }

  init(socket: FilePath, wakeName: String? = nil, startCommand: String? = nil, patience: Duration) {
    self.socket = socket
    self.wakeName = wakeName
    self.startCommand = startCommand
    self.patience = patience
  }

  /// Asks the daemon for a sign of life.
  public func ping() async throws(InitiatorError) -> InitiatorTypes.Identity {
    try await call("Ping", Nothing(), until: .now + patience)
  }

  /// Asks a portal which targets it has.
  public func discover(_ input: InitiatorTypes.DiscoverInput) async throws(InitiatorError) -> InitiatorTypes.Discovery {
    try await call("Discover", input, until: nil)
  }

  /// Asks a portal without a daemon: a discovery needs the network only.
  ///
  /// - Parameters:
  ///   - input: What to ask and how.
  ///   - defaultInitiator: Gives our name, if the input has none; without it that is the machine's.
  /// - Returns: The answer.
  /// - Throws: `InitiatorNameFileError`, `LoginDescriptionError` or `InitiatorError`.
  public func discoverHere(
    _ input: InitiatorTypes.DiscoverInput,
    defaultInitiator: (() throws(InitiatorNameFileError) -> InitiatorName)? = nil
  ) async throws -> InitiatorTypes.Discovery {
    let file = InitiatorNameFile().contents()
    let name = input.initiator == nil ? try defaultInitiator?() ?? file.name : nil
    let login = LoginDescription(discovering: input)
    let (discovery, portal) = try login.discovery(
      initiator: name, alias: file.alias, timeout: input.timeout, sysfs: "/sys")
    do throws(OperationError) {
      return InitiatorTypes.Discovery(try await discovery.run(at: portal))
    } catch {
      throw InitiatorError.failed(InitiatorTypes.Failure(error))
    }
  }

  /// Logs in.
  ///
  /// - Parameters:
  ///   - input: What to log in to, and whether to wait for it.
  ///   - progress: Is told which login has come to which step.
  /// - Returns: How each login ended, in the order of the input.
  /// - Throws: Why nothing is known of them.
  public func login(
    _ input: InitiatorTypes.LoginInput, progress: (Int, LoginStep) -> Void = { _, _ in }
  ) async throws(InitiatorError) -> [InitiatorTypes.LoginResult] {
    let parts = stride(from: 0, to: max(input.logins.count, 1), by: Self.loginsPerCall).map { start in
      var part = input
      part.logins = Array(input.logins[start...].prefix(Self.loginsPerCall))
      return (start: start, input: part)
    }
    // Side by side: those of one part may be tried for minutes.
    let (steps, tell) = AsyncStream<(Int, LoginStep)>.makeStream()
    async let answers = logIn(by: parts, tell)
    for await (index, step) in steps { progress(index, step) }
    return try Self.results(await answers, of: parts.map(\.input.logins.count))
  }

  private func logIn(
    by parts: [(start: Int, input: InitiatorTypes.LoginInput)], _ tell: AsyncStream<(Int, LoginStep)>.Continuation
  ) async -> [Result<[InitiatorTypes.LoginResult], InitiatorError>] {
    defer { tell.finish() }
    return await inParallel(parts, limit: Self.callsAtOnce) { _, part in
      do throws(InitiatorError) {
        let answer = try await loginPart(part.input) { tell.yield((part.start + $0, $1)) }
        return answer.count == part.input.logins.count ? .success(answer) : .failure(.daemon(.malformed))
      } catch {
        return .failure(error)
      }
    }
  }

  /// The results of all parts. Of one that has failed as a whole its failure is that of each login; what is known of the
  /// others is not lost.
  private static func results(
    _ answers: [Result<[InitiatorTypes.LoginResult], InitiatorError>], of counts: [Int]
  ) throws(InitiatorError) -> [InitiatorTypes.LoginResult] {
    let isAnyKnown = answers.contains { if case .success = $0 { true } else { false } }
    var results: [InitiatorTypes.LoginResult] = []
    for (answer, count) in zip(answers, counts) {
      switch answer {
      case .success(let known): results += known
      case .failure(let error):
        guard isAnyKnown else { throw error }
        let failure = InitiatorTypes.LoginResult(failure: InitiatorTypes.Failure(error))
        results += Array(repeating: failure, count: count)
      }
    }
    return results
  }

  /// How many logins one message has: some 600 octets each, of the mebibyte that a message may have.
  private static let loginsPerCall = 256
  /// How many messages of one login are under way: a quarter of the clients that a daemon takes.
  private static let callsAtOnce = 32

  private func loginPart(
    _ input: InitiatorTypes.LoginInput, progress: (Int, LoginStep) -> Void
  ) async throws(InitiatorError) -> [InitiatorTypes.LoginResult] {
    let replies = try await replies("Login", input)
    do throws(VarlinkError) {
      for try await reply in replies {
        let output: InitiatorTypes.LoginOutput = try decode(reply)
        if let results = output.results { return results }
        if let step = output.progress.flatMap({ LoginStep(rawValue: $0.step) }), let index = output.progress?.index {
          progress(index, step)
        }
      }
    } catch {
      throw Self.error(error)
    }
    throw .daemon(.closed)
  }

  /// Logs out; a result for each session.
  public func logOut(
    _ input: InitiatorTypes.LogoutInput
  ) async throws(InitiatorError) -> [InitiatorTypes.LogoutResult] {
    let output: InitiatorTypes.LogoutOutput = try await call("Logout", input, until: nil)
    return output.results
  }

  /// Reads the devices of sessions again; a result for each session.
  public func rescan(_ sessions: [SessionID]) async throws(InitiatorError) -> [InitiatorTypes.RescanResult] {
    let input = InitiatorTypes.RescanInput(sessions: sessions.map(\.rawValue))
    let output: InitiatorTypes.RescanOutput = try await call("Rescan", input, until: nil)
    return output.results
  }

  /// All sessions.
  ///
  /// - Parameter deadline: When to give up; nil is in a minute.
  /// - Returns: The sessions by number.
  /// - Throws: Why nothing is known of them.
  public func sessions(
    until deadline: ContinuousClock.Instant? = nil
  ) async throws(InitiatorError) -> [InitiatorTypes.Session] {
    let output: InitiatorTypes.ListOutput = try await call(
      "ListSessions", Nothing(), until: deadline ?? .now + patience)
    return output.sessions
  }

  /// What the daemon knows of the sessions that it supervises, beyond what the kernel shows.
  ///
  /// - Parameter deadline: When to give up; nil is in a minute.
  /// - Returns: Its knowledge by session.
  /// - Throws: Why nothing is known of them.
  public func recoveries(
    until deadline: ContinuousClock.Instant? = nil
  ) async throws(InitiatorError) -> [SessionID: InitiatorTypes.Recovery] {
    let output: InitiatorTypes.ListOutput = try await call(
      "ListSessions", InitiatorTypes.ListInput(onlyRecovery: true), until: deadline ?? .now + patience)
    return output.sessions.reduce(into: [:]) { $0[SessionID(rawValue: $1.session)] = $1.recovery }
  }

  /// One session.
  public func session(_ id: SessionID) async throws(InitiatorError) -> InitiatorTypes.Session {
    let input = InitiatorTypes.SessionInput(session: id.rawValue)
    let output: InitiatorTypes.SessionOutput = try await call("GetSession", input, until: .now + patience)
    return output.session
  }

  /// The counters of a session's connection.
  public func statistics(of id: SessionID) async throws(InitiatorError) -> [InitiatorTypes.Counter] {
    let input = InitiatorTypes.SessionInput(session: id.rawValue)
    let output: InitiatorTypes.StatisticsOutput = try await call("Statistics", input, until: .now + patience)
    return output.counters
  }

  /// Asks for all that changes by itself, over one connection, however many sessions there are.
  ///
  /// - Parameters:
  ///   - withCounters: Whether the counters of each connection are wanted too, for which the kernel is asked one by one.
  ///   - ids: The sessions whose counters are wanted; all if none is named.
  ///   - deadline: When to give up on the whole.
  /// - Returns: The daemon, and what it knows of its sessions. A session that is gone before it is asked for its counters has
  ///   none, nor do those have any that were not asked for by the deadline.
  /// - Throws: Why nothing is known of them.
  public func survey(
    withCounters: Bool = true, of ids: [SessionID] = [], until deadline: ContinuousClock.Instant
  ) async throws(InitiatorError) -> DaemonSurvey {
    do throws(VarlinkError) {
      let client = try await connect(until: deadline)
      defer { client.close() }
      let method = { (name: String) in "\(InitiatorInterface.name).\(name)" }
      let identity: InitiatorTypes.Identity = try decode(await client.call(method("Ping"), until: deadline))
      let list: InitiatorTypes.ListOutput = try decode(
        await client.call(method("ListSessions"), ["onlyRecovery": .bool(true)], until: deadline))
      let recoveries = list.sessions.map { (SessionID(rawValue: $0.session), $0.recovery) }
      var survey = DaemonSurvey(
        daemon: identity, recoveries: recoveries.reduce(into: [:]) { $0[$1.0] = $1.1 })
      let wanted = Set(ids.map(\.rawValue))
      for session in list.sessions where withCounters && (wanted.isEmpty || wanted.contains(session.session)) {
        do throws(VarlinkError) {
          let output: InitiatorTypes.StatisticsOutput = try decode(
            await client.call(method("Statistics"), ["session": .integer(Int64(session.session))], until: deadline))
          survey.counters[SessionID(rawValue: session.session)] = output.counters
        } catch .remote {
          continue
        } catch {
          // What is known of the recoveries matters most just when the kernel is slow.
          break
        }
      }
      return survey
    } catch {
      throw Self.error(error)
    }
  }

  /// Sets timeouts of a session as it lives, and of its disks.
  ///
  /// - Parameters:
  ///   - timeouts: What to change.
  ///   - scheduler: What is to order the I/O of the disks; nil leaves it.
  ///   - resetsScheduler: Whether disks have what the kernel gives them again, in the place of what was wanted before.
  ///   - id: The session.
  ///   - isTrial: Whether nothing is changed, and the results are what would become of it.
  /// - Returns: What became of each setting at each place, by what the kernel shows afterwards.
  /// - Throws: Why nothing was set.
  @discardableResult
  public func set(
    _ timeouts: LoginDescription.TimeoutsDescription, scheduler: IOScheduler? = nil,
    resetsScheduler: Bool = false, of id: SessionID, isTrial: Bool = false
  ) async throws(InitiatorError) -> [InitiatorTypes.SetResult] {
    var input = InitiatorTypes.SetInput(session: id.rawValue, timeouts: timeouts)
    input.scheduler = TimeoutSettings([:], scheduler: scheduler, resetsScheduler: resetsScheduler).schedulerWord
    input.trial = isTrial ? true : nil
    let output: InitiatorTypes.SetOutput = try await call("Set", input, until: .now + patience)
    // A daemon before this answer has changed what it knew of the settings, which need not be all.
    guard let results = output.results else {
      throw .daemon(.unexpected(JSONCodingError(path: ["results"], problem: .missing)))
    }
    return results
  }

  /// Ends the daemon; sessions stay in the kernel.
  public func shutDown() async throws(InitiatorError) {
    let _: Nothing = try await call("Shutdown", Nothing(), until: .now + patience)
  }

  // MARK: - Calls

  /// Parameters of a method that has none.
  private struct Nothing: Codable {}

  private func call<Output: Decodable>(
    _ method: String, _ input: some Encodable, until deadline: ContinuousClock.Instant?
  ) async throws(InitiatorError) -> Output {
    let parameters = try encode(input)
    do throws(VarlinkError) {
      let client = try await connect(until: deadline)
      defer { client.close() }
      return try decode(await client.call("\(InitiatorInterface.name).\(method)", parameters, until: deadline))
    } catch {
      throw Self.error(error)
    }
  }

  /// Connects for a call. One without a deadline begins when the daemon has given a sign of life: a service manager
  /// holds the socket also while the daemon does not start, and there nobody would ever answer.
  private func connect(until deadline: ContinuousClock.Instant?) async throws(VarlinkError) -> VarlinkClient {
    let client = try await connectWaking(until: deadline ?? .now + patience)
    if deadline == nil { _ = try await client.call("\(InitiatorInterface.name).Ping", until: .now + patience) }
    return client
  }

  /// Connects, to a daemon that is started for it where a service manager does that.
  private func connectWaking(until deadline: ContinuousClock.Instant) async throws(VarlinkError) -> VarlinkClient {
    do throws(VarlinkError) {
      return try await VarlinkClient.connect(to: socket, until: deadline)
    } catch {
      switch error {
      case .notConnected(_, .noSuchFileOrDirectory), .notConnected(_, .connectionRefused):
        guard let wakeName else { throw error }
        if let startCommand, LegacyDaemonName.isFree(wakeName) {
          _ = try? await BlockingWork(limit: 1).run(until: deadline) { ShellCommand.run(startCommand) }
        }
        _ = await LegacyDaemonName.wake(wakeName, until: deadline)
        return try await VarlinkClient.connect(to: socket, until: deadline)
      default: throw error
      }
    }
  }

  /// The replies to a method that has several.
  func replies(
    _ method: String, _ input: some Encodable, until deadline: ContinuousClock.Instant? = nil
  ) async throws(InitiatorError) -> VarlinkReplies {
    let parameters = try encode(input)
    do throws(VarlinkError) {
      let client = try await connect(until: deadline)
      return try await client.callMore("\(InitiatorInterface.name).\(method)", parameters, until: deadline)
    } catch {
      throw Self.error(error)
    }
  }

  private func encode(_ input: some Encodable) throws(InitiatorError) -> JSONValue {
    do throws(JSONCodingError) { return try JSONValueEncoder().encode(input) } catch {
      throw .daemon(.unexpected(error))
    }
  }

  func decode<Output: Decodable>(_ value: JSONValue) throws(VarlinkError) -> Output {
    do throws(JSONCodingError) { return try JSONValueDecoder().decode(from: value) } catch { throw .unexpected(error) }
  }

  /// An error of the interface as what it tells.
  static func error(_ error: VarlinkError) -> InitiatorError {
    guard case .remote(InitiatorInterface.name + ".OperationFailed", let parameters) = error,
      let output = try? JSONValueDecoder().decode(InitiatorTypes.FailureOutput.self, from: parameters)
    else { return .daemon(error) }
    return .failed(output.failure)
  }
}
