// SPDX-License-Identifier: Apache-2.0

/// A parameter of a session or connection that `iscsi_tcp` lets user space set (kernel: `enum iscsi_param`).
///
/// The kernel takes every value as text, and reads numbers leniently: "abc" is a success that changes nothing. So only
/// typed values go in. All but the recovery timeout need a bound connection. All survive a recovery stop but the digests.
public enum KernelParameter: Hashable, Sendable {
  /// 0: our MaxRecvDataSegmentLength, in octets.
  case maxRecvDataSegmentLength(UInt32)
  /// 1: the most we send in one PDU, in octets.
  case maxXmitDataSegmentLength(UInt32)
  /// 2: HeaderDigest; the kernel turns it off at every recovery stop.
  case headerDigest(Digest)
  /// 3: DataDigest; the kernel turns it off at every recovery stop.
  case dataDigest(Digest)
  /// 4: InitialR2T.
  case initialR2T(Bool)
  /// 5: MaxOutstandingR2T; the kernel refuses what is not a power of two. Only before the start.
  case maxOutstandingR2T(UInt16)
  /// 6: ImmediateData.
  case immediateData(Bool)
  /// 7: FirstBurstLength, in octets.
  case firstBurstLength(UInt32)
  /// 8: MaxBurstLength, in octets.
  case maxBurstLength(UInt32)
  /// 9: DataPDUInOrder.
  case dataPDUInOrder(Bool)
  /// 10: DataSequenceInOrder.
  case dataSequenceInOrder(Bool)
  /// 11: ErrorRecoveryLevel; `iscsi_tcp` knows 0 only.
  case errorRecoveryLevel(UInt8)
  /// 14: ExpStatSN: the last StatSN that was received, plus one.
  case expStatSN(UInt32)
  /// 15: TargetName.
  case targetName(String)
  /// 16: the target portal group tag.
  case targetPortalGroupTag(UInt16)
  /// 17: the address that was configured, before any redirect.
  case persistentAddress(String)
  /// 18: the port that was configured.
  case persistentPort(UInt16)
  /// 19: how long I/O waits for a lost session; nil is for ever. Ignored once somebody wrote sysfs `recovery_tmo`.
  case recoveryTimeout(Duration?)
  /// 22: CHAP name that we use.
  case userName(String)
  /// 23: CHAP name that the target uses.
  case userNameIn(String)
  /// 24: our CHAP secret. The kernel keeps and shows it in clear; it has no need of it.
  case password(Secret)
  /// 25: the target's CHAP secret; the same.
  case passwordIn(Secret)
  /// 26: whether R2Ts of a command that is being aborted stay unanswered.
  case fastAbort(Bool)
  /// 27: how long an ABORT TASK may take.
  case abortTimeout(Duration)
  /// 28: how long a LOGICAL UNIT RESET may take.
  case luResetTimeout(Duration)
  /// 30: how long a NOP-Out may go unanswered; zero turns the check off.
  case noopTimeout(Duration)
  /// 31: silence before a NOP-Out; zero turns the check off.
  case noopInterval(Duration)
  /// 32: name of the interface record; free text.
  case interfaceName(String)
  /// 34: InitiatorName; free text.
  case initiatorName(String)
  /// 35: how long a TARGET RESET may take.
  case targetResetTimeout(Duration)
  /// 36: TargetAlias; not shown by sysfs.
  case targetAlias(String)
  /// 39: the firmware's boot entry; not shown by sysfs.
  case bootRoot(String)
  /// 40: the firmware's network card; not shown by sysfs.
  case bootNIC(String)
  /// 41: the firmware's target; not shown by sysfs.
  case bootTarget(String)
  /// 43: whether this is a discovery session.
  case discoverySession(Bool)
  /// 44: portal type; not shown by sysfs.
  case portalType(String)
  /// 70: type of the discovery that found the target; not shown by sysfs.
  case discoveryParentType(String)
  /// 71: local address; not shown by sysfs.
  case localAddress(String)

  /// The kernel's number.
  public var number: UInt32 { wire.number }

  /// The value as the kernel wants it: text, ended by a NUL that counts.
  public var octets: [UInt8] {
    switch wire.value {
    case .number(let number): Array(String(number).utf8) + [0]
    case .flag(let flag): [flag ? 0x31 : 0x30, 0]
    case .seconds(let duration): Array(String(duration.wholeSeconds).utf8) + [0]
    case .text(let text): Array(text.utf8) + [0]
    case .secret(let secret): secret.octets + [0]
    }
  }

  /// A value before it becomes text.
  private enum Value {
    case number(UInt32)
    case flag(Bool)
    case seconds(Duration)
    case text(String)
    case secret(Secret)
  }

  private var wire: (number: UInt32, value: Value) {
    switch self {
    case .maxRecvDataSegmentLength(let length): (0, .number(length))
    case .maxXmitDataSegmentLength(let length): (1, .number(length))
    case .headerDigest(let digest): (2, .flag(digest != .none))
    case .dataDigest(let digest): (3, .flag(digest != .none))
    case .initialR2T(let flag): (4, .flag(flag))
    case .maxOutstandingR2T(let count): (5, .number(UInt32(count)))
    case .immediateData(let flag): (6, .flag(flag))
    case .firstBurstLength(let length): (7, .number(length))
    case .maxBurstLength(let length): (8, .number(length))
    case .dataPDUInOrder(let flag): (9, .flag(flag))
    case .dataSequenceInOrder(let flag): (10, .flag(flag))
    case .errorRecoveryLevel(let level): (11, .number(UInt32(level)))
    case .expStatSN(let number): (14, .number(number))
    case .targetName(let text): (15, .text(text))
    case .targetPortalGroupTag(let tag): (16, .number(UInt32(tag)))
    case .persistentAddress(let text): (17, .text(text))
    case .persistentPort(let port): (18, .number(UInt32(port)))
    case .recoveryTimeout(let duration): (19, duration.map(Value.seconds) ?? .text("-1"))
    case .userName(let text): (22, .text(text))
    case .userNameIn(let text): (23, .text(text))
    case .password(let secret): (24, .secret(secret))
    case .passwordIn(let secret): (25, .secret(secret))
    case .fastAbort(let flag): (26, .flag(flag))
    case .abortTimeout(let duration): (27, .seconds(duration))
    case .luResetTimeout(let duration): (28, .seconds(duration))
    case .noopTimeout(let duration): (30, .seconds(duration))
    case .noopInterval(let duration): (31, .seconds(duration))
    case .interfaceName(let text): (32, .text(text))
    case .initiatorName(let text): (34, .text(text))
    case .targetResetTimeout(let duration): (35, .seconds(duration))
    case .targetAlias(let text): (36, .text(text))
    case .bootRoot(let text): (39, .text(text))
    case .bootNIC(let text): (40, .text(text))
    case .bootTarget(let text): (41, .text(text))
    case .discoverySession(let flag): (43, .flag(flag))
    case .portalType(let text): (44, .text(text))
    case .discoveryParentType(let text): (70, .text(text))
    case .localAddress(let text): (71, .text(text))
    }
  }
}

/// A parameter of a SCSI host that `iscsi_tcp` stores for sysfs to show (kernel: `enum iscsi_host_param`).
public enum HostParameter: Hashable, Sendable {
  /// 0: the hardware address that the interface record names.
  case hardwareAddress(HardwareAddress)
  /// 1: InitiatorName.
  case initiatorName(String)
  /// 2: the network device that the interface record names.
  case networkDevice(String)

  /// The kernel's number.
  public var number: UInt32 {
    switch self {
    case .hardwareAddress: 0
    case .initiatorName: 1
    case .networkDevice: 2
    }
  }

  /// The value as the kernel wants it: text, ended by a NUL that counts.
  public var octets: [UInt8] {
    switch self {
    case .hardwareAddress(let address): Array(address.description.utf8) + [0]
    case .initiatorName(let text), .networkDevice(let text): Array(text.utf8) + [0]
    }
  }
}

extension Duration {
  /// Whole seconds from 0 to 2147483647, what the kernel's `int` can take; a part of a second counts as one.
  var wholeSeconds: Int32 {
    let (seconds, attoseconds) = components
    guard seconds >= 0 else { return 0 }
    guard seconds < Int64(Int32.max) else { return Int32.max }
    return Int32(seconds) + (attoseconds > 0 ? 1 : 0)
  }
}
