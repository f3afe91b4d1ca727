// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// What open-iscsi's configuration file says that is not the settings of new records.
public struct DaemonConfiguration: Hashable, Sendable {
  /// Where the file is.
  public static let standardPath: FilePath = "/etc/iscsi/iscsid.conf"
  /// The most of the file that is read, in octets.
  private static let limit = 1 << 20

  /// Whether a logout leaves sessions alone whose disks are in use (`iscsid.safe_logout`).
  public var hasSafeLogout = false

  /// Reads a file; one that is missing or cannot be read says nothing.
  public init(path: FilePath = Self.standardPath) {
    guard let contents = try? FileContents(of: path, limit: Self.limit) else { return }
    let text = RecordText(contents.octets)
    hasSafeLogout = text["iscsid.safe_logout"]?.lowercased() == "yes"
  }
}
