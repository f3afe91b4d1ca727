// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Testing

/// What the commands print, to the last octet, in files of the folder `Golden`.
///
/// `UPDATE_GOLDEN=1 swift test --filter IscsiAdminTests` writes what they print now; the difference is for review.
enum Golden {
  private static let directory = sourceFolder + "/Golden/"

  /// The root of the repository, as the compiler saw it.
  static let root = sourceFolder + "/../.."

  /// Where the tests are, as the compiler saw it.
  static let sourceFolder = String(#filePath.prefix(upTo: #filePath.lastIndex(of: "/") ?? #filePath.endIndex))

  /// Compares a text with a file.
  static func expect(
    _ text: String, is name: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
      try Data(text.utf8).write(to: URL(filePath: directory + name))
      return
    }
    let golden = try contents(directory + name)
    #expect(text == golden, "differs from Golden/\(name)", sourceLocation: sourceLocation)
  }

  /// The JSON documents among the files, by name.
  static func documents() throws -> [(name: String, text: String)] {
    let names = try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasSuffix(".json") }
    return try names.sorted().map { ($0, try contents(directory + $0)) }
  }

  /// The text of a file.
  static func contents(_ path: String) throws -> String {
    let data = try #require(FileManager.default.contents(atPath: path), "\(path) is missing")
    return String(decoding: data, as: UTF8.self)
  }
}
