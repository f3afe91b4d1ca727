// SPDX-License-Identifier: Apache-2.0

/// The counters of a connection (kernel: `struct iscsi_stats`). They live as long as the connection, over relogins.
///
/// `iscsi_tcp` fills the octets, SCSI commands and responses, task management, Data-Out, Data-In, R2T, and the custom
/// counters; the others stay zero.
public struct KernelStatistics: Hashable, Sendable {
  /// Octets sent as data.
  public var sentDataOctets: UInt64 = 0
  /// Octets received as data.
  public var receivedDataOctets: UInt64 = 0
  /// NOP-Out PDUs sent.
  public var sentNOPs: UInt32 = 0
  /// SCSI Command PDUs sent; with the first CmdSN it gives the next CmdSN of the session.
  public var scsiCommands: UInt32 = 0
  /// Task Management Request PDUs sent.
  public var taskManagementRequests: UInt32 = 0
  /// Login Request PDUs sent.
  public var loginRequests: UInt32 = 0
  /// Text Request PDUs sent.
  public var textRequests: UInt32 = 0
  /// SCSI Data-Out PDUs sent.
  public var dataOutPDUs: UInt32 = 0
  /// Logout Request PDUs sent.
  public var logoutRequests: UInt32 = 0
  /// SNACK Request PDUs sent.
  public var snackRequests: UInt32 = 0
  /// NOP-In PDUs received.
  public var receivedNOPs: UInt32 = 0
  /// SCSI Response PDUs received.
  public var scsiResponses: UInt32 = 0
  /// Task Management Response PDUs received.
  public var taskManagementResponses: UInt32 = 0
  /// Text Response PDUs received.
  public var textResponses: UInt32 = 0
  /// SCSI Data-In PDUs received.
  public var dataInPDUs: UInt32 = 0
  /// Logout Response PDUs received.
  public var logoutResponses: UInt32 = 0
  /// R2T PDUs received.
  public var readyToTransfers: UInt32 = 0
  /// Asynchronous Message PDUs received.
  public var asyncMessages: UInt32 = 0
  /// Reject PDUs received.
  public var rejects: UInt32 = 0
  /// PDUs with a wrong digest.
  public var digestErrors: UInt32 = 0
  /// Timeouts.
  public var timeoutErrors: UInt32 = 0
  /// The transport's own counters, in its order.
  public var custom: [Counter] = []

  /// A counter that only this transport has.
  public struct Counter: Hashable, Sendable {
    /// The transport's name for it, up to 64 octets.
    public var name: String
    /// The count.
    public var value: UInt64

    /// A counter from its parts.
    public init(name: String, value: UInt64) {
      self.name = name
      self.value = value
    }
  }

  /// Counters that are all zero.
  public init() {}

  /// The fixed part of the structure, in octets.
  private static let fixedLength = 96
  /// A custom counter: 64 octets of name, 8 of value.
  private static let counterLength = 72

  /// Reads the payload of the event; nil if it is shorter than it says or has more than the 32 counters there can be.
  init?(_ payload: ArraySlice<UInt8>) {
    guard payload.count >= Self.fixedLength else { return nil }
    let base = payload.startIndex
    let count = Int(payload.hostInteger(at: base + 92, as: UInt32.self))
    guard count <= 32, payload.count >= Self.fixedLength + count * Self.counterLength else { return nil }
    sentDataOctets = payload.hostInteger(at: base, as: UInt64.self)
    receivedDataOctets = payload.hostInteger(at: base + 8, as: UInt64.self)
    for (index, path) in Self.words.enumerated() {
      self[keyPath: path] = payload.hostInteger(at: base + 16 + 4 * index, as: UInt32.self)
    }
    custom = (0..<count).map { index in
      let start = base + Self.fixedLength + index * Self.counterLength
      let name = payload[start..<(start + 64)].prefix { $0 != 0 }
      return Counter(
        name: String(decoding: name, as: UTF8.self), value: payload.hostInteger(at: start + 64, as: UInt64.self))
    }
  }

  /// The 32-bit counters in the order of the structure.
  private static var words: [WritableKeyPath<KernelStatistics, UInt32>] {
    [
      \.sentNOPs, \.scsiCommands, \.taskManagementRequests, \.loginRequests, \.textRequests, \.dataOutPDUs,
      \.logoutRequests, \.snackRequests, \.receivedNOPs, \.scsiResponses, \.taskManagementResponses,
      \.textResponses, \.dataInPDUs, \.logoutResponses, \.readyToTransfers, \.asyncMessages, \.rejects,
      \.digestErrors, \.timeoutErrors,
    ]
  }
}

extension KernelStatistics {
  /// All counters with the names of the kernel's structure, in its order, as open-iscsi prints them.
  public var named: [Counter] {
    let octets = [
      Counter(name: "txdata_octets", value: sentDataOctets), Counter(name: "rxdata_octets", value: receivedDataOctets),
    ]
    let words = zip(Self.wordNames, Self.words).map { name, path in
      Counter(name: name, value: UInt64(self[keyPath: path]))
    }
    return octets + words + custom
  }

  /// How many of ``named`` every transport has; the others are its own.
  public static let fixedCounterCount = 2 + wordNames.count

  private static let wordNames = [
    "noptx_pdus", "scsicmd_pdus", "tmfcmd_pdus", "login_pdus", "text_pdus", "dataout_pdus", "logout_pdus", "snack_pdus",
    "noprx_pdus", "scsirsp_pdus", "tmfrsp_pdus", "textrsp_pdus", "datain_pdus", "logoutrsp_pdus", "r2t_pdus",
    "async_pdus", "rjt_pdus", "digest_err", "timeout_err",
  ]
}
