// SPDX-License-Identifier: Apache-2.0

/// Who asked for a session.
public struct SessionOwner: Hashable, Sendable, Codable {
  /// The user.
  public var userID: UInt32
  /// The process, which may have ended since.
  public var processID: Int32?
  /// What the client calls itself, such as the name of a container; text of the client's.
  public var label: String?
  /// When it was asked for, in seconds since 1970.
  public var time: Double

  /// An owner from its parts.
  public init(userID: UInt32, processID: Int32? = nil, label: String? = nil, time: Double) {
    self.userID = userID
    self.processID = processID
    self.label = label
    self.time = time
  }
}
