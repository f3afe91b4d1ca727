// SPDX-License-Identifier: Apache-2.0

public import SystemPackage

/// Why the kernel's initiator could not be reached, or what it refused.
public enum KernelError: DiagnosableError, Hashable {
  /// Not root, or root without the capabilities that the kernel checks.
  case notPermitted(Operation, Errno)
  /// The kernel has no iSCSI transport class: `socket` answered `EPROTONOSUPPORT`.
  case transportMissing
  /// The kernel has no `iscsi_tcp`, and loading it did not help.
  case moduleMissing(ModuleFailure)
  /// The process is in a network namespace other than the first, where the kernel has no iSCSI side.
  case wrongNetworkNamespace
  /// No answer before the deadline. The kernel may still execute the request.
  case timedOut(KernelMessageType)
  /// The deadline passed while another request held the link: it was not sent, and never will be.
  case notSent(KernelMessageType)
  /// The kernel refused a request.
  case rejected(KernelMessageType, Errno, by: Layer)
  /// The answer was lost because the receive buffer overflowed; what became of the request shows in sysfs.
  case overrun(KernelMessageType)
  /// A system call of the link failed.
  case system(Operation, Errno)
  /// A sysfs file has not what it should have.
  case malformed(path: String)
  /// The answer does not fit the request.
  case unexpectedReply(KernelMessageType)
  /// A value that the kernel would misunderstand; nothing was sent.
  case invalidArgument(String)
  /// This program drives the session already.
  case alreadyOwned(SessionID)
  /// The task that waited was cancelled.
  case cancelled
  /// The link was closed.
  case closed

  /// Which layer of the kernel refused a request.
  public enum Layer: Hashable, Sendable {
    /// The transport class: permissions, numbers, lengths.
    case interface
    /// `iscsi_tcp` and libiscsi: the return code in a reply that is otherwise good.
    case transport
  }

  /// What failed.
  public enum Operation: String, Hashable, Sendable {
    /// Reading the transport's handle in sysfs.
    case readHandle = "read the handle of transport tcp"
    /// Opening the socket.
    case open = "open the netlink socket"
    /// Joining the group that the kernel sends its events to.
    case join = "join the kernel's event group"
    /// Sizing the socket's buffers.
    case setBuffer = "set the netlink socket's buffers"
    /// Sending.
    case send = "send to the kernel"
    /// Receiving.
    case receive = "receive from the kernel"
    /// Duplicating the socket that is to be bound.
    case duplicate = "duplicate the socket"
    /// Starting the link's thread.
    case startThread = "start the kernel link's thread"
    /// A request.
    case request = "send requests to the kernel's initiator"
  }

  /// What happened to `modprobe iscsi_tcp`.
  public enum ModuleFailure: Hashable, Sendable {
    /// There is no modprobe in `/sbin`, `/usr/sbin`, `/bin` or `/usr/bin`.
    case noModprobe
    /// It could not be started.
    case notStarted(Errno)
    /// It ended with this status and these last words.
    case failed(status: Int32, message: String)
    /// It did not end in time and was killed.
    case timedOut
    /// It succeeded, but sysfs still has no transport `tcp`.
    case noEffect
  }

  /// What failed and why.
  public var description: String {
    switch self {
    case .notPermitted(let operation, let errno):
      "not allowed to \(operation.rawValue): \(errno.label)"
    case .transportMissing:
      "the kernel has no iSCSI transport (scsi_transport_iscsi)"
    case .moduleMissing(let failure):
      "the kernel module iscsi_tcp is not loaded: \(failure.description)"
    case .wrongNetworkNamespace:
      "the kernel's initiator cannot be reached from this network namespace"
    case .timedOut(let request):
      "the kernel did not answer \(request) in time"
    case .notSent(let request):
      "\(request) could not be sent in time: the kernel works on another request"
    case .rejected(let request, let errno, .interface):
      "the kernel rejected \(request): \(errno.label)"
    case .rejected(let request, let errno, .transport):
      "the kernel's transport refused \(request): \(errno.label)"
    case .overrun(let request):
      "the kernel's answer to \(request) was lost: the receive buffer overflowed"
    case .system(let operation, let errno):
      "cannot \(operation.rawValue): \(errno.label)"
    case .malformed(let path):
      "\(path) does not have what the kernel documents"
    case .unexpectedReply(let request):
      "the kernel's answer to \(request) makes no sense"
    case .invalidArgument(let reason):
      reason
    case .alreadyOwned(let session):
      "session \(session) is driven by this program already"
    case .cancelled:
      "cancelled"
    case .closed:
      "the link to the kernel is closed"
    }
  }

  /// What the user can do about it.
  public var advice: String? {
    switch self {
    case .notPermitted: "run as root, or with CAP_SYS_ADMIN and CAP_NET_ADMIN in the host's user namespace"
    case .transportMissing: "use a kernel that has CONFIG_ISCSI_TCP, and install its modules package"
    case .moduleMissing(.noModprobe): "install kmod, or load the module with another tool"
    case .moduleMissing: "run `modprobe iscsi_tcp` and read its message; the module may be in an extra package"
    case .wrongNetworkNamespace: "run in the host's network namespace (for a container: host networking)"
    case .timedOut, .notSent:
      "see the kernel's log for hung tasks; a stuck request blocks every iSCSI request of the machine"
    case .overrun: "try again; the state of the session is read from sysfs"
    case .alreadyOwned: "wait until the running operation on this session is done"
    case .rejected(_, .noMemory, .interface): "see the kernel's log; it gives this answer for every failure to create"
    default: nil
    }
  }

  /// The exit code of open-iscsi's table.
  public var exitStatus: ExitStatus {
    switch self {
    case .notPermitted: .access
    case .transportMissing, .moduleMissing, .wrongNetworkNamespace: .driverNotFound
    case .timedOut, .notSent: .requestTimeout
    case .overrun: .tryAgain
    case .malformed: .sysfsLookup
    case .invalidArgument: .invalidArgument
    case .alreadyOwned: .busy
    case .rejected(_, let errno, _):
      switch errno {
      case .resourceBusy: .busy
      case .socketNotConnected: .sessionNotConnected
      case .noSuchAddressOrDevice, .operationNotSupportedByDevice: .hostNotFound
      case .noFunction: .notSupported
      default: .internal
      }
    case .cancelled: .failure
    case .system, .unexpectedReply, .closed: .internal
    }
  }
}

extension KernelError.ModuleFailure: CustomStringConvertible {
  /// What happened, for the end of a sentence.
  public var description: String {
    switch self {
    case .noModprobe: "there is no modprobe to load it with"
    case .notStarted(let errno): "modprobe could not be started: \(errno.label)"
    case .failed(let status, let message):
      message.isEmpty ? "modprobe ended with status \(status)" : message
    case .timedOut: "modprobe did not end in time"
    case .noEffect: "modprobe succeeded, but sysfs has no transport tcp"
    }
  }
}

extension Errno {
  /// The constant's name with its text and number: `ENOTCONN (107, Transport endpoint is not connected)`.
  var label: String {
    Self.names[rawValue].map { "\($0) (\(rawValue), \(description))" } ?? "errno \(rawValue) (\(description))"
  }

  /// The names of those errors that the link and the kernel's initiator give.
  private static let names: [Int32: String] = [
    1: "EPERM", 2: "ENOENT", 5: "EIO", 6: "ENXIO", 9: "EBADF", 11: "EAGAIN", 12: "ENOMEM", 13: "EACCES", 16: "EBUSY",
    17: "EEXIST", 19: "ENODEV", 22: "EINVAL", 24: "EMFILE", 32: "EPIPE", 38: "ENOSYS", 90: "EMSGSIZE",
    93: "EPROTONOSUPPORT", 97: "EAFNOSUPPORT", 98: "EADDRINUSE", 105: "ENOBUFS", 107: "ENOTCONN", 110: "ETIMEDOUT",
    111: "ECONNREFUSED",
  ]
}
