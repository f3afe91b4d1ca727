// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// A record as `iscsiadm` shows it: all keys, also those without a value.
enum RecordDump {
  /// The lines from `# BEGIN RECORD` to `# END RECORD`.
  ///
  /// - Parameters:
  ///   - record: The record.
  ///   - showsSecrets: Whether passwords are shown (`-S`), or stars in their place.
  /// - Returns: The octets of the text, with the last line's end.
  static func octets(of record: some KeyedRecord, showsSecrets: Bool) -> [UInt8] {
    Array("# BEGIN RECORD \(RecordText.version)\n".utf8)
      + record.listing(hidesSecrets: !showsSecrets) + Array("# END RECORD\n".utf8)
  }

  /// The same as text.
  static func text(of record: some KeyedRecord, showsSecrets: Bool) -> String {
    String(decoding: octets(of: record, showsSecrets: showsSecrets), as: UTF8.self)
  }
}
