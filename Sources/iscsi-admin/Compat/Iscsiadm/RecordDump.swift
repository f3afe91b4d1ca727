// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// A record as `iscsiadm` shows it: all keys, also those without a value.
enum RecordDump {
  /// Appends the lines from `# BEGIN RECORD` to `# END RECORD`, with their ends.
  ///
  /// - Parameters:
  ///   - lines: The record's own.
  ///   - octets: What they are appended to.
  static func append(_ lines: [UInt8], to octets: inout [UInt8]) {
    octets += beginning
    octets += lines
    octets += ending
  }

  /// The same of a record, as text.
  ///
  /// - Parameters:
  ///   - record: The record.
  ///   - showsSecrets: Whether passwords are shown (`-S`), or stars in their place.
  /// - Returns: The lines with their ends.
  static func text(of record: some KeyedRecord, showsSecrets: Bool) -> String {
    var octets: [UInt8] = []
    append(record.listing(hidesSecrets: !showsSecrets), to: &octets)
    return String(decoding: octets, as: UTF8.self)
  }

  private static let beginning = Array("# BEGIN RECORD \(RecordText.version)\n".utf8)
  private static let ending = Array("# END RECORD\n".utf8)
}
