// SPDX-License-Identifier: Apache-2.0

/// A target that a discovery found.
public struct DiscoveredTarget: Hashable, Sendable {
  /// What is odd about a target that was found.
  public enum Warning: Hashable, Sendable, CustomStringConvertible {
    /// The name deviates from the standard.
    case name(TargetName.Warning)
    /// The target has addresses, but none that can be used.
    case noUsableAddress

    /// The warning in words.
    public var description: String {
      switch self {
      case .name(let warning): warning.description
      case .noUsableAddress: "none of the target's addresses can be used"
      }
    }
  }

  /// The target's name.
  public let name: TargetName
  /// Where the target can be reached, in the order of the answer, each once. The tag is nil where it is not known.
  public var portals: [Portal]
  /// What is odd; empty for a clean target.
  public var warnings: [Warning]

  /// A target from its parts.
  public init(name: TargetName, portals: [Portal], warnings: [Warning] = []) {
    self.name = name
    self.portals = portals
    self.warnings = warnings
  }
}
