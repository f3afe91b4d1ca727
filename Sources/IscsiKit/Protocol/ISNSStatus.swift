// SPDX-License-Identifier: Apache-2.0

/// How a server answers a request (RFC 4171, section 5.4).
public struct ISNSStatus: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// The number as it stands in the response.
  public let rawValue: UInt32

  /// A status as it came.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// 0: it is done.
  public static let successful = ISNSStatus(rawValue: 0)
  /// 6: who asks is not registered.
  public static let sourceUnknown = ISNSStatus(rawValue: 6)
  /// 8: who asks may not.
  public static let sourceUnauthorized = ISNSStatus(rawValue: 8)
  /// 9: there is nothing that fits.
  public static let noSuchEntry = ISNSStatus(rawValue: 9)
  /// 12: the server has no time.
  public static let busy = ISNSStatus(rawValue: 12)

  private static let names = [
    "successful", "unknown error", "message format error", "invalid registration", "reserved status 4", "invalid query",
    "source unknown", "source absent", "source unauthorized", "no such entry", "version not supported",
    "internal error",
    "busy", "option not understood", "invalid update", "message not supported", "SCN event rejected",
    "SCN registration rejected", "attribute not implemented", "FC_DOMAIN_ID not available",
    "FC_DOMAIN_ID not allocated", "ESI not available", "invalid deregistration", "registration feature not supported",
  ]

  /// The words of RFC 4171, or the number.
  public var description: String {
    rawValue < Self.names.count ? Self.names[Int(rawValue)] : "status \(rawValue)"
  }
}
