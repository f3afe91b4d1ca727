// SPDX-License-Identifier: Apache-2.0

import SystemPackage
import Testing

@testable import IscsiKit

@Suite struct `Kernel errors` {
  @Test(
    arguments: [
      (-28, .notPermitted), (-27, .permissionDenied), (-5, .noMemory), (-11, .addressFamilyNotSupported),
      (-26, .addressFamilyNotSupported), (-6, .addressInUse), (-1, .invalidArgument), (.min, .invalidArgument),
    ] as [(Int32, Errno)])
  func `A code of libnl has the errno that it was made of`(_ code: Int32, _ error: Errno) {
    #expect(Errno(libnl: code) == error)
  }

  static let table: [(error: KernelError, text: String, status: IscsiKit.ExitStatus, hasAdvice: Bool)] = [
    (
      .notPermitted(.join, .notPermitted),
      "not allowed to join the kernel's event group: EPERM (1, Operation not permitted)", .access, true
    ),
    (
      .notPermitted(.readHandle, .permissionDenied),
      "not allowed to read the handle of transport tcp: EACCES (13, Permission denied)", .access, true
    ),
    (.transportMissing, "the kernel has no iSCSI transport (scsi_transport_iscsi)", .driverNotFound, true),
    (
      .moduleMissing(.noModprobe),
      "the kernel module iscsi_tcp is not loaded: there is no modprobe to load it with", .driverNotFound, true
    ),
    (
      .moduleMissing(.failed(status: 1, message: "modprobe: FATAL: Module iscsi_tcp not found")),
      "the kernel module iscsi_tcp is not loaded: modprobe: FATAL: Module iscsi_tcp not found", .driverNotFound, true
    ),
    (
      .moduleMissing(.failed(status: 1, message: "")),
      "the kernel module iscsi_tcp is not loaded: modprobe ended with status 1", .driverNotFound, true
    ),
    (
      .moduleMissing(.notStarted(.noMemory)),
      "the kernel module iscsi_tcp is not loaded: modprobe could not be started: ENOMEM (12, Cannot allocate memory)",
      .driverNotFound, true
    ),
    (
      .moduleMissing(.timedOut), "the kernel module iscsi_tcp is not loaded: modprobe did not end in time",
      .driverNotFound, true
    ),
    (
      .moduleMissing(.noEffect),
      "the kernel module iscsi_tcp is not loaded: modprobe succeeded, but sysfs has no transport tcp", .driverNotFound,
      true
    ),
    (
      .wrongNetworkNamespace, "the kernel's initiator cannot be reached from this network namespace", .driverNotFound,
      true
    ),
    (.timedOut(.bindConnection), "the kernel did not answer BIND_CONN in time", .requestTimeout, true),
    (
      .rejected(.startConnection, .socketNotConnected, by: .transport),
      "the kernel's transport refused START_CONN: ENOTCONN (107, Transport endpoint is not connected)",
      .sessionNotConnected, false
    ),
    (
      .rejected(.destroySession, .resourceBusy, by: .interface),
      "the kernel rejected DESTROY_SESSION: EBUSY (16, Device or resource busy)", .busy, false
    ),
    (
      .rejected(.createSession, .noMemory, by: .interface),
      "the kernel rejected CREATE_SESSION: ENOMEM (12, Cannot allocate memory)", .internal, true
    ),
    (
      .rejected(.setHostParameter, .operationNotSupportedByDevice, by: .interface),
      "the kernel rejected SET_HOST_PARAM: ENODEV (19, No such device)", .hostNotFound, false
    ),
    (
      .rejected(KernelMessageType(rawValue: 99), .noFunction, by: .interface),
      "the kernel rejected message 99: ENOSYS (38, Function not implemented)", .notSupported, false
    ),
    (
      .overrun(.setParameter),
      "the kernel's answer to SET_PARAM was lost: the receive buffer overflowed", .tryAgain, true
    ),
    (.system(.send, .ioError), "cannot send to the kernel: EIO (5, Input/output error)", .internal, false),
    (.malformed(path: "/sys/x"), "/sys/x does not have what the kernel documents", .sysfsLookup, false),
    (.unexpectedReply(.createSession), "the kernel's answer to CREATE_SESSION makes no sense", .internal, false),
    (.invalidArgument("no"), "no", .invalidArgument, false),
    (
      .alreadyOwned(SessionID(rawValue: 3)), "session 3 is driven by this program already", .busy, true
    ),
    (.cancelled, "cancelled", .failure, false), (.closed, "the link to the kernel is closed", .internal, false),
  ]

  @Test(arguments: table.indices) func `Every error says why, what to do, and its exit status`(_ index: Int) {
    let (error, text, status, hasAdvice) = Self.table[index]
    #expect(error.description == text)
    #expect(error.exitStatus == status)
    #expect((error.advice != nil) == hasAdvice)
    #expect(error.advice?.hasSuffix(".") != true)
  }
}
