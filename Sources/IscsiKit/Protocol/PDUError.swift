// SPDX-License-Identifier: Apache-2.0

/// Why octets are not an iSCSI PDU that can be used.
public enum PDUError: DiagnosableError, Hashable {
  /// A basic header segment has 48 octets; this many were given.
  case headerLength(Int)
  /// The header announces `declared` octets of data, but `given` octets came with it.
  case dataLength(declared: Int, given: Int)
  /// The header announces `declared` octets of data, more than the `limit` that we declared or allow.
  case dataTooLong(declared: Int, limit: Int)
  /// CSG or NSG has the value 2, which RFC 7143 section 11.12.3 reserves.
  case reservedStage
  /// The PDU has additional header segments where none can be.
  case additionalHeader

  /// The reason in words.
  public var description: String {
    switch self {
    case .headerLength(let count): "a PDU header has 48 octets, not \(count)"
    case .dataLength(let declared, let given):
      "the PDU header announces \(declared) octets of data, but \(given) came with it"
    case .dataTooLong(let declared, let limit):
      "the PDU header announces \(declared) octets of data, more than the limit of \(limit)"
    case .reservedStage: "the Login PDU names the reserved login stage 2"
    case .additionalHeader: "the PDU has additional header segments"
    }
  }

  /// 19: who sends this breaks the protocol, or does not speak it.
  public var exitStatus: ExitStatus { .fatalLogin }

  /// What to look at.
  public var advice: String? { "check that the portal is an iSCSI target and look at its log" }
}
