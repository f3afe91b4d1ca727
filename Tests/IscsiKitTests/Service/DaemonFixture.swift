// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Logging
import Synchronization
import SystemPackage
import Testing

@testable import IscsiKit

/// What outlives the daemons of a test: kernel, sysfs, targets, and the runtime directory with the session records.
final class DaemonMachine {
  /// The kernel, as the present or the last daemon sees it.
  private(set) var kernel = ScriptedKernel()
  let tree: SysfsTree
  let peer: LoopbackTarget
  private let makeNode: @Sendable (ScriptedKernel.Session) -> any PDUNode
  var exclusiveName = "iscsikit-test-\(UInt64.random(in: 0...UInt64.max))"
  /// Whose processes the next daemon takes for daemons.
  var daemonUsers = LegacyDaemonName.daemonUsers
  /// A socket by that name, for the next daemon.
  var exclusiveListener: FileDescriptor?

  /// The records whose discoveries a daemon repeats.
  var records: RecordSource?
  /// The file with the name of the machine, and its alias.
  var nameFile = InitiatorNameFile()
  /// What daemons log.
  let logged = Notes<String>()

  /// A machine on which each connection gets a target of its own.
  init(serving makeNode: @escaping @Sendable (ScriptedKernel.Session) -> any PDUNode) throws {
    self.makeNode = makeNode
    tree = try SysfsTree()
    peer = try LoopbackTarget { _ in SilentNode() }
    try tree.makeDirectory("class/iscsi_session")
    kernel.serve(makeNode)
  }

  /// A machine with targets that let everybody in.
  convenience init() throws {
    let target = try testTarget()
    try self.init { _ in target }
  }

  /// Goes with the tree.
  var runtimeDirectory: FilePath { tree.root.appending("run") }
  var initiator: Initiator { Initiator(socket: runtimeDirectory.appending("control.sock")) }

  /// What a daemon of this machine is made of.
  func configuration() throws -> Daemon.Configuration {
    var configuration = Daemon.Configuration(version: "1.2.3")
    configuration.runtimeDirectory = runtimeDirectory
    configuration.initiatorName = try InitiatorName("iqn.2001-04.com.example:host")
    configuration.initiatorNameFile = nameFile
    configuration.exclusiveName = exclusiveName
    configuration.exclusiveListener = exclusiveListener
    configuration.daemonUsers = daemonUsers
    configuration.exclusiveLock = runtimeDirectory.appending("daemon.lock")
    configuration.sysfs = Sysfs(root: tree.root)
    configuration.records = records
    return configuration
  }

  /// Starts a daemon; it ends with the task, with its error.
  func start() throws -> Task<Result<Void, DaemonError>, Never> {
    let logged = logged
    let daemon = Daemon(try configuration(), log: Logger(label: "test") { _ in NotingLogHandler(notes: logged) })
    let (kernel, root) = (kernel, tree.root)
    return Task {
      await Result { () async throws(DaemonError) in
        try await daemon.run { () async throws(KernelError) in
          try await KernelLink.open(channel: kernel, handle: kernel.handle, sysfs: root)
        }
      }
    }
  }

  /// Runs `body` beside a daemon that is ready, and ends it.
  func withDaemon(_ body: (Initiator) async throws -> Void) async throws {
    let running = try start()
    #expect(await eventually { () async in (try? await self.initiator.ping()) != nil })
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await body(initiator)) } catch { outcome = .failure(error) }
    running.cancel()
    try await running.value.get()
    try outcome.get()
    #expect(kernel.violations == [])
  }

  /// Lets the next daemon find the kernel as the last one has left it.
  func continueKernel() {
    kernel = ScriptedKernel(continuing: kernel)
    kernel.serve(makeNode)
  }

  /// Lets sysfs show a session as it is in the kernel, and as changed.
  func show(_ session: UInt32, _ change: (inout SessionSnapshot) -> Void = { _ in }) throws {
    var snapshot = try #require(kernel.snapshot(of: SessionID(rawValue: session)))
    change(&snapshot)
    try tree.add(snapshot)
  }

  /// A login to the peer, without a scan.
  func login(_ target: String = "iqn.2001-04.com.example:disk") -> LoginDescription {
    var login = LoginDescription(target: target, portal: peer.portal.description)
    login.scan = "none"
    login.timeouts = LoginDescription.TimeoutsDescription()
    login.timeouts?.login = 60
    return login
  }

  /// Logs in and shows the session in sysfs.
  func logIn(_ initiator: Initiator) async throws -> UInt32 {
    let results = try await initiator.login(InitiatorTypes.LoginInput(logins: [login()]))
    let session = try #require(results.first?.session).session
    try show(session)
    return session
  }
}

/// What tasks note, in order.
final class Notes<Element: Sendable & Equatable>: Sendable {
  private let noted = Mutex<[Element]>([])
  var all: [Element] { noted.withLock(\.self) }
  func add(_ element: Element) { noted.withLock { $0.append(element) } }
}

/// Notes the text of each entry.
struct NotingLogHandler: LogHandler {
  let notes: Notes<String>
  var logLevel = Logger.Level.info
  var metadata: Logger.Metadata = [:]

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) { notes.add("\(event.message)") }
}
