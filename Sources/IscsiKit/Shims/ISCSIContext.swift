// SPDX-License-Identifier: Apache-2.0
import CISCSI
import Glibc
import SystemPackage

/// Why libiscsi refused a call.
enum ISCSIContextError: Error, Hashable, Sendable {
  /// No memory.
  case noMemory
  /// A text is empty, longer than libiscsi's 255 octets or has a NUL in it; libiscsi would cut it silently.
  case unusableText
  /// libiscsi gave up, in its own words.
  case failed(String)
  /// The connection ended, or the target broke the protocol: libiscsi does not tell which.
  case disconnected
  /// The context was closed.
  case closed
}

/// Owner of one `struct iscsi_context` of libiscsi: the asynchronous calls that we use and the event interface that
/// drives them. Nothing here waits.
///
/// A `start` function begins a call; then `descriptor` is to be waited for as `events` says and `service` to be called,
/// until `outcome` is set. One call at a time. The class is not Sendable: the compiler keeps it in one isolation region.
///
/// libiscsi ends pending commands with `SCSI_STATUS_CANCELLED` when a context is destroyed, but only if it is logged
/// in; during connect and login it drops its callbacks. So nothing hangs on a callback: it leaves its status in a mailbox
/// that lives longer than the context. A call that is given up needs `close`, since libiscsi's queues still refer to it.
@safe final class ISCSIContext {
  /// What a descriptor is to be waited for.
  struct Events: OptionSet, Hashable, Sendable {
    let rawValue: Int32
    /// POLLIN.
    static let read = Events(rawValue: Int32(POLLIN))
    /// POLLOUT.
    static let write = Events(rawValue: Int32(POLLOUT))
  }

  /// How a call ended.
  enum Outcome: Hashable, Sendable {
    /// With a SCSI status octet; 0 is success for calls of every kind.
    case status(UInt8)
    /// The target moved for now (`redirection`).
    case redirected
    /// Without success; `message` says why.
    case failed
    /// The connection ended before the call did.
    case disconnected
  }

  /// Where callbacks leave the outcome of the call under way.
  private final class Mailbox {
    var status: Int32?
    var targets: [(name: String, portals: [String])] = []
  }

  private var context: OpaquePointer?
  private var task: UnsafeMutablePointer<scsi_task>?
  private let mailbox = Mailbox()

  /// A context with libiscsi's logging and its silent reconnects off and an ISID of its own.
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

  /// Drops the connection at once, without a logout. Safe at any time but inside of a callback.
  func close() {
    if let context = unsafe context {
      unsafe self.context = nil
      // Callbacks of pending calls run inside of this and find the mailbox and the task, which self still holds.
      _ = unsafe iscsi_destroy_context(context)
    }
    releaseTask()
  }

  /// Makes this a session with `target`, or a discovery session if it is nil. Only our own credentials are used.
  func configure(target: TargetName?, authentication: Authentication) throws(ISCSIContextError) {
    let context = unsafe try alive()
    if let target {
      // libiscsi copies the name, which is shorter than its buffer.
      _ = unsafe iscsi_set_targetname(context, target.description)
    }
    _ = unsafe iscsi_set_session_type(context, target == nil ? ISCSI_SESSION_DISCOVERY : ISCSI_SESSION_NORMAL)
    if let outgoing = authentication.outgoing {
      try unsafe set(outgoing) { unsafe iscsi_set_initiator_username_pwd(context, $0, $1) }
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

  // MARK: Calls

  /// Begins to open the TCP connection. `address` must be numeric: libiscsi would block while it resolves a name.
  func startConnect(to address: String) throws(ISCSIContextError) {
    try unsafe start { context, box in unsafe iscsi_connect_async(context, address, postStatus, box) }
    // libiscsi does not set it, and a program that we start must not inherit the connection.
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  }

  /// Begins to log in.
  func startLogin() throws(ISCSIContextError) {
    try unsafe start { context, box in unsafe iscsi_login_async(context, postStatus, box) }
  }

  /// Begins SendTargets; `targets` has the answer.
  func startDiscovery() throws(ISCSIContextError) {
    mailbox.targets = []
    try unsafe start { context, box in unsafe iscsi_discovery_async(context, postTargets, box) }
  }

  /// Begins to log out.
  func startLogout() throws(ISCSIContextError) {
    try unsafe start { context, box in unsafe iscsi_logout_async(context, postStatus, box) }
  }

  /// Begins a SCSI command that reads at most `allocation` octets; `data` has the answer.
  ///
  /// `lun` is the first level of the LUN as SAM encodes it: libiscsi writes it into the PDU as it is, the rest zero.
  func startCommand(descriptor: [UInt8], allocation: Int32, lun: UInt16) throws(ISCSIContextError) {
    guard descriptor.count <= Int(SCSI_CDB_MAX_SIZE) else { throw .unusableText }
    releaseTask()
    var descriptor = descriptor
    let direction = allocation == 0 ? SCSI_XFER_NONE : SCSI_XFER_READ
    // libiscsi copies the descriptor block into the task.
    let created = unsafe scsi_create_task(Int32(descriptor.count), &descriptor, Int32(direction.rawValue), allocation)
    guard let task = unsafe created else { throw .noMemory }
    unsafe self.task = unsafe task
    try unsafe start { context, box in
      unsafe iscsi_scsi_command_async(context, Int32(lun), task, postStatus, nil, box)
    }
  }

  private func start(_ call: (OpaquePointer, UnsafeMutableRawPointer) -> Int32) throws(ISCSIContextError) {
    let context = unsafe try alive()
    mailbox.status = nil
    // Unretained: the mailbox lives longer than the context, so no callback can come too late.
    guard unsafe call(context, Unmanaged.passUnretained(mailbox).toOpaque()) == 0 else { throw .failed(message) }
  }

  // MARK: Events

  /// How the call under way ended; nil while it has not.
  var outcome: Outcome? {
    guard let status = mailbox.status else { return nil }
    if let octet = UInt8(exactly: status) { return .status(octet) }
    return switch UInt32(bitPattern: status) {
    case SCSI_STATUS_REDIRECT.rawValue: .redirected
    case SCSI_STATUS_CANCELLED.rawValue: .disconnected
    default: .failed
    }
  }

  /// The socket; -1 if there is none.
  var descriptor: Int32 {
    guard let context = unsafe context else { return -1 }
    return unsafe iscsi_get_fd(context)
  }

  /// What libiscsi waits for. While a connect is pending it is `write` alone, later `read` is always part of it.
  var events: Events {
    guard let context = unsafe context else { return [] }
    return unsafe Events(rawValue: iscsi_which_events(context)).intersection([.read, .write])
  }

  /// Lets libiscsi do what `events` have made possible.
  func service(_ events: Events) throws(ISCSIContextError) {
    let context = unsafe try alive()
    // With reconnects off, the last words of libiscsi are then always that it cannot reconnect.
    guard unsafe iscsi_service(context, events.rawValue) == 0 else { throw .disconnected }
  }

  /// SO_ERROR of the socket, which reading clears: why a connect failed. libiscsi tells that as text only.
  func takeSocketError() -> Errno? {
    var value: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    // The kernel fills at most `size` octets of `value`.
    guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &value, &size) == 0 else { return Errno(rawValue: errno) }
    return value == 0 ? nil : Errno(rawValue: value)
  }

  // MARK: Answers

  /// libiscsi's description of its last error.
  var message: String {
    // The text belongs to the context and is copied here.
    guard let context = unsafe context, let text = unsafe iscsi_get_error(context) else { return "" }
    return unsafe Self.text(text)
  }

  /// The address that the target named in a login response, if any.
  var redirection: String? {
    // The text belongs to the context and is copied here.
    guard let context = unsafe context, let text = unsafe iscsi_get_target_address(context) else { return nil }
    let address = unsafe Self.text(text)
    return address.isEmpty ? nil : address
  }

  /// The targets of a discovery with their portals, as they came.
  var targets: [(name: String, portals: [String])] { mailbox.targets }

  /// The first octets of the last command's answer: data, or sense data behind its length.
  func data(upTo limit: Int) -> [UInt8] {
    // The buffer has `size` octets and belongs to the task; a target can send more than was asked for.
    guard let data = unsafe task?.pointee.datain, let start = unsafe data.data, unsafe data.size > 0 else { return [] }
    let octets = unsafe UnsafeBufferPointer(start: start, count: min(Int(data.size), limit))
    return unsafe Array(octets)
  }

  // MARK: Helpers

  private func alive() throws(ISCSIContextError) -> OpaquePointer {
    guard let context = unsafe context else { throw .closed }
    return unsafe context
  }

  /// The task is ours, also after its callback. It is freed when libiscsi has no reference to it any more: after an
  /// answer, or after the context.
  private func releaseTask() {
    guard let task = unsafe task else { return }
    unsafe self.task = nil
    unsafe scsi_free_scsi_task(task)
  }

  /// A copy of a text that ends with NUL.
  private static func text(_ start: UnsafePointer<CChar>) -> String {
    unsafe String(decoding: UnsafeRawBufferPointer(start: start, count: strlen(start)), as: UTF8.self)
  }

  /// Leaves a status in a mailbox. The first one counts: libiscsi may report the end of the connection for a call that
  /// has its answer already.
  fileprivate static func post(_ status: Int32, to box: UnsafeMutableRawPointer?) {
    guard let box = unsafe box else { return }
    // The pointer is the one that `start` gave; its mailbox lives as long as the ISCSIContext.
    let mailbox = unsafe Unmanaged<Mailbox>.fromOpaque(box).takeUnretainedValue()
    if mailbox.status == nil { mailbox.status = status }
  }

  /// Copies a list of targets into a mailbox.
  fileprivate static func post(targets list: UnsafeMutableRawPointer?, to box: UnsafeMutableRawPointer?) {
    guard let box = unsafe box else { return }
    // As above; the list is libiscsi's own, ended by NULL, and was read from one PDU of at most 256 KiB.
    let mailbox = unsafe Unmanaged<Mailbox>.fromOpaque(box).takeUnretainedValue()
    var next = unsafe list?.assumingMemoryBound(to: iscsi_discovery_address.self)
    while let target = unsafe next {
      var portals: [String] = []
      var nextPortal = unsafe target.pointee.portals
      while let portal = unsafe nextPortal {
        if let address = unsafe portal.pointee.portal { unsafe portals.append(text(address)) }
        unsafe nextPortal = unsafe portal.pointee.next
      }
      if let name = unsafe target.pointee.target_name {
        unsafe mailbox.targets.append((text(name), portals.reversed()))
      }
      unsafe next = unsafe target.pointee.next
    }
    // libiscsi builds its lists from the end.
    mailbox.targets.reverse()
  }
}

/// Callback that leaves the status.
private let postStatus: iscsi_command_cb = { _, status, _, box in
  unsafe ISCSIContext.post(status, to: box)
}

/// Callback of a discovery: copies the list, which libiscsi frees when the callback returns.
private let postTargets: iscsi_command_cb = { _, status, list, box in
  unsafe ISCSIContext.post(targets: list, to: box)
  unsafe ISCSIContext.post(status, to: box)
}
