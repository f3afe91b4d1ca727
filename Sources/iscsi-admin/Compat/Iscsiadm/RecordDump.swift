// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// A record as `iscsiadm` shows it: all keys, also those without a value.
enum RecordDump {
  /// Appends the lines from `# BEGIN RECORD` to `# END RECORD`, with their ends.
  ///
  /// - Parameters:
  ///   - record: The record.
  ///   - octets: What its text is appended to.
  ///   - showsSecrets: Whether passwords are shown (`-S`), or stars in their place.
  static func append(_ record: some KeyedRecord, to octets: inout [UInt8], showsSecrets: Bool) {
    octets += beginning
    octets += record.listing(hidesSecrets: !showsSecrets)
    octets += ending
  }

  /// The same as text.
  static func text(of record: some KeyedRecord, showsSecrets: Bool) -> String {
    var octets: [UInt8] = []
    append(record, to: &octets, showsSecrets: showsSecrets)
    return String(decoding: octets, as: UTF8.self)
  }

  private static let beginning = Array("# BEGIN RECORD \(RecordText.version)\n".utf8)
  private static let ending = Array("# END RECORD\n".utf8)
}
