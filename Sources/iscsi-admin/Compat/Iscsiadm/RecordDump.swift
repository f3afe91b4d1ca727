// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// A record as `iscsiadm` shows it: all keys, also those without a value.
enum RecordDump {
  /// The lines from `# BEGIN RECORD` to `# END RECORD`.
  ///
  /// - Parameters:
  ///   - record: The record.
  ///   - showsSecrets: Whether passwords are shown (`-S`), or stars in their place.
  /// - Returns: The text, with the last line's end.
  static func text(of record: some KeyedRecord, showsSecrets: Bool) -> String {
    var text = "# BEGIN RECORD \(RecordText.version)\n"
    for key in record.shownKeys {
      let value = key.text(of: record)
      if value.isEmpty {
        if !key.isLeftOutIfUnset { text += "\(key.name) = <empty>\n" }
      } else {
        text += "\(key.name) = \(key.role == .secret && !showsSecrets ? "********" : value)\n"
      }
    }
    return text + "# END RECORD\n"
  }
}
