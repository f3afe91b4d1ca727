// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// The name servers that a system asks (`resolv.conf(5)`).
public enum NameServers {
  /// Where they stand.
  public static let file: FilePath = "/etc/resolv.conf"

  /// The lines of such a file.
  public static func text(_ servers: [IPAddress]) -> String {
    servers.map { "nameserver \($0)\n" }.joined()
  }

  /// Whether there are any: a running system's stay as they are.
  ///
  /// - Parameter path: The file.
  /// - Returns: Whether it names one.
  public static func areThere(in path: FilePath = file) -> Bool {
    guard let contents = try? FileContents(of: path, limit: 1 << 16) else { return false }
    return String(decoding: contents.octets, as: UTF8.self).split(separator: "\n").contains { line in
      line.split { $0 == " " || $0 == "\t" }.first == "nameserver"
    }
  }

  /// Writes them in the place of what stands there; without any, what stands there is left.
  ///
  /// - Parameters:
  ///   - servers: Their addresses, the best first.
  ///   - path: The file.
  /// - Throws: What the system says.
  public static func write(_ servers: [IPAddress], to path: FilePath = file) throws(Errno) {
    guard !servers.isEmpty else { return }
    try AtomicFile.write(
      Array(text(servers).utf8), to: path, permissions: [.ownerReadWrite, .groupRead, .otherRead])
  }
}
