// SPDX-License-Identifier: Apache-2.0

/// A redirect of a login to another portal (status class 01).
public struct LoginRedirect: Hashable, Sendable {
  /// Where to log in instead.
  public var portal: Portal
  /// Whether the target moved for good (0102), so that the new portal replaces the old one.
  public var isPermanent: Bool

  /// A redirect from its parts.
  public init(portal: Portal, isPermanent: Bool) {
    self.portal = portal
    self.isPermanent = isPermanent
  }
}

/// Where a login goes, over redirects: follows them, finds loops, and knows the way back.
///
/// A failure leads back home, to the portal that sent us elsewhere. After a permanent redirect the new portal is home, as
/// soon as a login has succeeded behind it: a target that names a portal by mistake is not lost for ever. The port and
/// the host make a portal; its tag does not count.
public struct LoginRoute: Hashable, Sendable {
  /// How many redirects in a row are followed.
  public static let limit = 8

  /// Where to go back to after a failure.
  public private(set) var home: Portal
  /// Where to connect now.
  public private(set) var current: Portal
  /// Where the target has moved to by its own word.
  private var nextHome: Portal?
  private var visited: [String]

  /// A route that starts at the portal of the record or the command line.
  public init(_ portal: Portal) {
    home = portal
    current = portal
    visited = [portal.address]
  }

  /// Goes where the target says.
  ///
  /// - Throws: `redirectToNowhere` for an unspecified address, `redirectLoop` for a portal that this chain of redirects
  ///   has been to, `tooManyRedirects` behind 8.
  public mutating func follow(_ redirect: LoginRedirect) throws(LoginFailure) {
    guard let next = redirect.portal.named(by: current) else { throw .redirectToNowhere(redirect.portal) }
    guard !visited.contains(next.address) else { throw .redirectLoop(next) }
    guard visited.count <= Self.limit else { throw .tooManyRedirects(Self.limit) }
    visited.append(next.address)
    current = next
    if redirect.isPermanent { nextHome = next }
  }

  /// Goes back home after a failure; a new chain of redirects may start there.
  public mutating func failBack() {
    current = home
    nextHome = nil
    visited = [home.address]
  }

  /// Notes that the login succeeded here: a later chain of redirects starts afresh, and a target that has moved is there.
  public mutating func arrive() {
    home = nextHome ?? home
    nextHome = nil
    visited = [current.address]
  }
}
