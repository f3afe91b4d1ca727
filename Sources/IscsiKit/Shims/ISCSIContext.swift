// SPDX-License-Identifier: Apache-2.0
import CISCSI
import Glibc
import SystemPackage

/// Why a call of libiscsi did not end with an answer.
enum ISCSIContextError: Error, Hashable, Sendable {
  /// No memory.
  case noMemory
  /// A text is longer than libiscsi's 255 octets or has a NUL in it; libiscsi would cut it silently.
  case unusableText
  /// The TCP connection could not be made.
  case connect(Errno)
  /// libiscsi gave up, in its own words.
  case failed(String)
  /// The deadline passed.
  case timedOut
  /// The task was cancelled.
  case cancelled
  /// Another call is under way.
  case busy
  /// An earlier failure closed the connection.
  case closed
}

/// Owner of one `struct iscsi_context` of libiscsi: one connection, one call at a time.
///
/// libiscsi's asynchronous functions are used, and its event loop (`iscsi_get_fd`, `iscsi_which_events`,
/// `iscsi_service`) runs inside of the async methods, so no thread blocks and nobody else calls into the context. The
/// class is not Sendable: the compiler keeps it within one isolation region.
///
/// libiscsi ends pending commands with `SCSI_STATUS_CANCELLED` when a context is destroyed, but only if it is logged
/// in; during connect and login it drops its callbacks. So no continuation hangs on a callback: callbacks leave their
/// status in a mailbox that lives longer than the context, and the loop looks into it. Any failure that is not a SCSI
/// status destroys the context, because its queues may still refer to the call that was given up.
@safe final class ISCSIContext {
  /// Where callbacks leave the outcome of the call under way.
  private final class Mailbox {
    var status: Int32?
    var targets: [(name: String, portals: [String])] = []
  }

  private var context: OpaquePointer?
  private let mailbox = Mailbox()
  private var isBusy = false

  /// A context for one session, with libiscsi's logging and its silent reconnects off and an ISID of its own.
  init(initiator: InitiatorName, isid: ISID) throws(ISCSIContextError) {
    // libiscsi copies the name.
    guard let context = unsafe iscsi_create_context(initiator.description) else { throw .noMemory }
    unsafe self.context = unsafe context
    // The environment can turn the log on (LIBISCSI_DEBUG), and the log has the login keys in it.
    unsafe iscsi_set_log_fn(context, nil)
    unsafe iscsi_set_log_level(context, 0)
    // A lost connection is an error here, not something to mend in silence.
    unsafe iscsi_set_noautoreconnect(context, 1)
    let octets = isid.octets
    let random = UInt32(octets[1]) << 16 | UInt32(octets[2]) << 8 | UInt32(octets[3])
    // Type 10b, so that two sessions from one machine never reinstate each other.
    _ = unsafe iscsi_set_isid_random(context, random, UInt32(octets[4]) << 8 | UInt32(octets[5]))
  }

  deinit { close() }

  /// Drops the connection at once, without a logout. Safe at any time.
  func close() {
    guard let context = unsafe context else { return }
    unsafe self.context = nil
    // Callbacks of pending calls run inside of this and find the mailbox, which self still holds.
    _ = unsafe iscsi_destroy_context(context)
  }

  /// Makes this a session with `target`, or a discovery session if it is nil.
  func configure(target: TargetName?, authentication: Authentication) throws(ISCSIContextError) {
    guard let context = unsafe context else { throw .closed }
    if let target {
      // libiscsi copies the name, which is shorter than its buffer.
      _ = unsafe iscsi_set_targetname(context, target.description)
    }
    _ = unsafe iscsi_set_session_type(context, target == nil ? ISCSI_SESSION_DISCOVERY : ISCSI_SESSION_NORMAL)
    if let outgoing = authentication.outgoing {
      try unsafe set(outgoing) { unsafe iscsi_set_initiator_username_pwd(context, $0, $1) }
    }
    if let incoming = authentication.incoming {
      try unsafe set(incoming) { unsafe iscsi_set_target_username_pwd(context, $0, $1) }
    }
  }

  private func set(
    _ credentials: CHAPCredentials, _ call: (UnsafePointer<CChar>?, UnsafePointer<CChar>?) -> Int32
  ) throws(ISCSIContextError) {
    let limit = Int(MAX_STRING_SIZE)
    let name = Array(credentials.name.utf8)
    // An empty name would turn CHAP off in libiscsi.
    guard (1...limit).contains(name.count), !name.contains(0), credentials.secret.octets.count <= limit else {
      throw .unusableText
    }
    // The two copies end with a NUL and live through the call, in which libiscsi makes its own.
    let status = unsafe (name + [0]).map(CChar.init(bitPattern:)).withUnsafeBufferPointer { name in
      unsafe (credentials.secret.octets + [0]).map(CChar.init(bitPattern:)).withUnsafeBufferPointer { secret in
        unsafe call(name.baseAddress, secret.baseAddress)
      }
    }
    guard status == 0 else { throw .failed(message) }
  }

  /// libiscsi's description of its last error.
  private var message: String {
    // The text belongs to the context and is copied here.
    guard let context = unsafe context, let text = unsafe iscsi_get_error(context) else { return "" }
    return unsafe String(decoding: UnsafeRawBufferPointer(start: text, count: strlen(text)), as: UTF8.self)
  }

  /// The address that the target named in a login response, if any.
  var redirection: String? {
    // The text belongs to the context and is copied here.
    guard let context = unsafe context, let text = unsafe iscsi_get_target_address(context) else { return nil }
    let address = unsafe String(decoding: UnsafeRawBufferPointer(start: text, count: strlen(text)), as: UTF8.self)
    return address.isEmpty ? nil : address
  }

  // MARK: Calls

  /// Opens the TCP connection; `address` is numeric, because libiscsi would block while it resolves a name.
  func connect(to address: String, until deadline: ContinuousClock.Instant?) async throws(ISCSIContextError) {
    let status = try await unsafe call(until: deadline) { context, box in
      unsafe iscsi_connect_async(context, address, postStatus, box)
    }
    guard status == Int32(SCSI_STATUS_GOOD.rawValue) else { throw fail() }
  }

  /// What a target said to a login.
  enum LoginOutcome: Hashable, Sendable {
    /// In full feature phase.
    case accepted
    /// Refused with this status; `redirection` may say where to go instead.
    case rejected(LoginStatus)
  }

  /// Logs in on the open connection.
  func login(until deadline: ContinuousClock.Instant?) async throws(ISCSIContextError) -> LoginOutcome {
    let status = try await unsafe call(until: deadline) { context, box in
      unsafe iscsi_login_async(context, postStatus, box)
    }
    switch status {
    case Int32(SCSI_STATUS_GOOD.rawValue): return .accepted
    case Int32(SCSI_STATUS_REDIRECT.rawValue): return .rejected(.movedTemporarily)
    default:
      guard let rejection = Self.loginStatus(in: message) else { throw fail() }
      return .rejected(rejection)
    }
  }

  /// libiscsi tells the status of a login response only at the end of its text: `... Status: words(513)`.
  static func loginStatus(in message: String) -> LoginStatus? {
    guard message.hasSuffix(")"), message.contains("Status: "), let open = message.lastIndex(of: "("),
      let value = UInt16(message[message.index(after: open)...].dropLast())
    else { return nil }
    return LoginStatus(rawValue: value)
  }

  /// SendTargets on a discovery session. The texts are as they came from the target.
  func discover(
    until deadline: ContinuousClock.Instant?
  ) async throws(ISCSIContextError) -> [(name: String, portals: [String])] {
    mailbox.targets = []
    let status = try await unsafe call(until: deadline) { context, box in
      unsafe iscsi_discovery_async(context, postTargets, box)
    }
    guard status == Int32(SCSI_STATUS_GOOD.rawValue) else { throw fail() }
    return mailbox.targets
  }

  /// Sends a command to the unit whose first level (the only one libiscsi can address) is `lun`.
  func execute(
    _ command: SCSICommand, lun: UInt16, until deadline: ContinuousClock.Instant?
  ) async throws(ISCSIContextError) -> SCSIAnswer {
    var descriptor = command.descriptor
    let direction = command.allocation == 0 ? SCSI_XFER_NONE : SCSI_XFER_READ
    // libiscsi copies the descriptor block into the task, which has room for 16 octets.
    let created = unsafe scsi_create_task(
      Int32(descriptor.count), &descriptor, Int32(direction.rawValue), Int32(command.allocation))
    guard let task = unsafe created else { throw .noMemory }
    // The task is ours, also after a callback. It is freed when the context has no reference to it any more: after an
    // answer, or after the failure that destroyed the context.
    defer { unsafe scsi_free_scsi_task(task) }
    let status = try await unsafe call(until: deadline) { context, box in
      unsafe iscsi_scsi_command_async(
        context, Int32(lun), task, postStatus, nil, box)
    }
    guard let octet = UInt8(exactly: status) else { throw fail() }
    // The buffer has `size` octets and belongs to the task; a target can send more than was asked for.
    let data = unsafe task.pointee.datain
    guard let start = unsafe data.data, unsafe data.size > 0 else { return SCSIAnswer(status: octet, data: []) }
    let limit = octet == SCSIAnswer.good ? command.allocation : 512
    let octets = unsafe UnsafeBufferPointer(start: start, count: min(Int(data.size), limit))
    return unsafe SCSIAnswer(status: octet, data: Array(octets))
  }

  /// Ends the session in order and closes the connection, also if the logout fails.
  func logout(until deadline: ContinuousClock.Instant?) async throws(ISCSIContextError) {
    let status = try await unsafe call(until: deadline) { context, box in
      unsafe iscsi_logout_async(context, postStatus, box)
    }
    guard status == Int32(SCSI_STATUS_GOOD.rawValue) else { throw fail() }
    close()
  }

  // MARK: The loop

  /// Starts a call and serves the connection until its callback has come; any throw has closed the context.
  private func call(
    until deadline: ContinuousClock.Instant?, _ start: (OpaquePointer, UnsafeMutableRawPointer) -> Int32
  ) async throws(ISCSIContextError) -> Int32 {
    guard let context = unsafe context else { throw .closed }
    guard !isBusy else { throw .busy }
    isBusy = true
    defer { isBusy = false }
    mailbox.status = nil
    // Unretained: the mailbox lives longer than the context, so no callback can come too late.
    guard unsafe start(context, Unmanaged.passUnretained(mailbox).toOpaque()) == 0 else { throw fail() }
    // libiscsi does not set it, and a program that we start must not inherit the connection. A descriptor that is not
    // there is found by the wait.
    _ = unsafe fcntl(iscsi_get_fd(context), F_SETFD, FD_CLOEXEC)
    while true {
      if let status = mailbox.status { return status }
      try await serve(until: deadline)
    }
  }

  private func serve(until deadline: ContinuousClock.Instant?) async throws(ISCSIContextError) {
    guard let context = unsafe context else { throw .closed }
    let events = unsafe iscsi_which_events(context)
    let descriptor = unsafe iscsi_get_fd(context)
    var interest: Reactor.Interest = []
    if events & Int32(POLLIN) != 0 { interest.insert(.read) }
    if events & Int32(POLLOUT) != 0 { interest.insert(.write) }
    let ready: Reactor.Interest
    do {
      ready = try await Reactor.shared.wait(for: descriptor, interest, until: deadline)
    } catch {
      switch error {
      case .timedOut: throw fail(.timedOut)
      case .cancelled: throw fail(.cancelled)
      case .failed(let errno): throw fail(.failed("waiting for the connection: \(errno)"))
      }
    }
    // While a connect is pending libiscsi waits for POLLOUT alone. It would report a failure as text only, so the
    // socket is asked first.
    if events == Int32(POLLOUT), let refusal = Self.pendingError(descriptor) { throw fail(.connect(refusal)) }
    // Errors and hang-ups are left to the read and write that they make ready: those tell more.
    var ready32: Int32 = 0
    if ready.contains(.read), interest.contains(.read) { ready32 |= Int32(POLLIN) }
    if ready.contains(.write), interest.contains(.write) { ready32 |= Int32(POLLOUT) }
    // A hang-up can be reported as readable only, to one who waits for room to write.
    if ready32 == 0 { ready32 = events }
    if unsafe iscsi_service(context, ready32) != 0 { throw fail() }
  }

  /// SO_ERROR of a socket, which reading clears; nil for none.
  private static func pendingError(_ descriptor: Int32) -> Errno? {
    var value: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    // The kernel fills at most `size` octets of `value`.
    guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &value, &size) == 0 else { return Errno(rawValue: errno) }
    return value == 0 ? nil : Errno(rawValue: value)
  }

  /// Closes the context and returns the reason: `error`, or what libiscsi says.
  private func fail(_ error: ISCSIContextError? = nil) -> ISCSIContextError {
    let error = error ?? .failed(message)
    close()
    return error
  }
}

/// Callback that leaves the status in the mailbox. The first one counts: libiscsi may report the end of the connection
/// for a call that has its answer already.
private let postStatus: iscsi_command_cb = { _, status, _, box in
  unsafe ISCSIContext.post(status, to: box)
}

/// Callback of a discovery: copies the list, which libiscsi frees when the callback returns.
private let postTargets: iscsi_command_cb = { _, status, list, box in
  unsafe ISCSIContext.post(targets: list, to: box)
  unsafe ISCSIContext.post(status, to: box)
}

extension ISCSIContext {
  /// How many targets, and portals of one, are taken from a discovery.
  private static let listLimit = 65_536

  /// Leaves a status in a mailbox.
  fileprivate static func post(_ status: Int32, to box: UnsafeMutableRawPointer?) {
    guard let box = unsafe box else { return }
    // The pointer is the one that `call` gave; its mailbox lives as long as the ISCSIContext.
    let mailbox = unsafe Unmanaged<Mailbox>.fromOpaque(box).takeUnretainedValue()
    if mailbox.status == nil { mailbox.status = status }
  }

  /// Copies a list of targets into a mailbox.
  fileprivate static func post(targets list: UnsafeMutableRawPointer?, to box: UnsafeMutableRawPointer?) {
    guard let box = unsafe box else { return }
    // As above; the list is libiscsi's own, NULL-terminated, with NUL-terminated texts.
    let mailbox = unsafe Unmanaged<Mailbox>.fromOpaque(box).takeUnretainedValue()
    var next = unsafe list?.assumingMemoryBound(to: iscsi_discovery_address.self)
    while let target = unsafe next, mailbox.targets.count < listLimit {
      var portals: [String] = []
      var nextPortal = unsafe target.pointee.portals
      while let portal = unsafe nextPortal, portals.count < listLimit {
        if let text = unsafe portal.pointee.portal { unsafe portals.append(String(cString: text)) }
        unsafe nextPortal = unsafe portal.pointee.next
      }
      if let name = unsafe target.pointee.target_name {
        unsafe mailbox.targets.append((String(cString: name), portals.reversed()))
      }
      unsafe next = unsafe target.pointee.next
    }
    // libiscsi builds its lists from the end.
    mailbox.targets.reverse()
  }
}
